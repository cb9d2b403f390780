//! Run state that fails.

use std::time::Duration;

use async_trait::async_trait;
use export_model::{
    Distribution, Event, Mark, MarkKey, Part, Profile, Run, RunKey, Schedule, ScheduleId, Slots,
    Tenant, Timestamp, Work, WorkId,
};

use super::Faulty;
use crate::{PortError, RunFilter, State, Transaction};

#[async_trait]
impl<T: State + ?Sized> State for Faulty<T> {
    async fn commit(&self, transaction: Transaction) -> Result<(), PortError> {
        let effect = self.inner.commit(transaction);
        self.plan.call("state.commit", effect).await
    }

    async fn profile(
        &self,
        tenant: &Tenant,
        name: &str,
        revision: Option<u32>,
    ) -> Result<Option<Profile>, PortError> {
        let effect = self.inner.profile(tenant, name, revision);
        self.plan.call("state.profile", effect).await
    }

    async fn profiles(&self, tenant: &Tenant) -> Result<Vec<Profile>, PortError> {
        let effect = self.inner.profiles(tenant);
        self.plan.call("state.profiles", effect).await
    }

    async fn run(&self, key: &RunKey) -> Result<Option<Run>, PortError> {
        self.plan.call("state.run", self.inner.run(key)).await
    }

    async fn runs(
        &self,
        tenant: &Tenant,
        filter: &RunFilter,
        after: Option<&RunKey>,
        limit: usize,
    ) -> Result<Vec<Run>, PortError> {
        let effect = self.inner.runs(tenant, filter, after, limit);
        self.plan.call("state.runs", effect).await
    }

    async fn parts(&self, run: &RunKey, from: u32, limit: usize) -> Result<Vec<Part>, PortError> {
        let effect = self.inner.parts(run, from, limit);
        self.plan.call("state.parts", effect).await
    }

    async fn distributions(&self, run: &RunKey) -> Result<Vec<Distribution>, PortError> {
        let effect = self.inner.distributions(run);
        self.plan.call("state.distributions", effect).await
    }

    async fn events(
        &self,
        run: &RunKey,
        after: u64,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Event>, PortError> {
        let effect = self.inner.events(run, after, limit, wait);
        self.plan.call("state.events", effect).await
    }

    async fn work(&self, tenant: &Tenant, id: &WorkId) -> Result<Option<Work>, PortError> {
        let effect = self.inner.work(tenant, id);
        self.plan.call("state.work", effect).await
    }

    async fn work_of_run(&self, run: &RunKey) -> Result<Vec<Work>, PortError> {
        let effect = self.inner.work_of_run(run);
        self.plan.call("state.work_of_run", effect).await
    }

    async fn due_or_leased(&self, now: Timestamp, limit: usize) -> Result<Vec<Work>, PortError> {
        let effect = self.inner.due_or_leased(now, limit);
        self.plan.call("state.due_or_leased", effect).await
    }

    async fn expired_runs(&self, now: Timestamp, limit: usize) -> Result<Vec<RunKey>, PortError> {
        let effect = self.inner.expired_runs(now, limit);
        self.plan.call("state.expired_runs", effect).await
    }

    async fn mark(&self, tenant: &Tenant, key: &MarkKey) -> Result<Option<Mark>, PortError> {
        let effect = self.inner.mark(tenant, key);
        self.plan.call("state.mark", effect).await
    }

    async fn expire(&self, now: Timestamp) -> Result<u64, PortError> {
        self.plan.call("state.expire", self.inner.expire(now)).await
    }

    async fn schedule(
        &self,
        tenant: &Tenant,
        id: &ScheduleId,
    ) -> Result<Option<Schedule>, PortError> {
        let effect = self.inner.schedule(tenant, id);
        self.plan.call("state.schedule", effect).await
    }

    async fn schedules(
        &self,
        tenant: &Tenant,
        after: Option<&ScheduleId>,
        limit: usize,
    ) -> Result<Vec<Schedule>, PortError> {
        let effect = self.inner.schedules(tenant, after, limit);
        self.plan.call("state.schedules", effect).await
    }

    async fn due_schedules(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Schedule>, PortError> {
        let effect = self.inner.due_schedules(now, limit);
        self.plan.call("state.due_schedules", effect).await
    }

    async fn slots(&self, tenant: &Tenant) -> Result<Option<Slots>, PortError> {
        self.plan
            .call("state.slots", self.inner.slots(tenant))
            .await
    }

    async fn ping(&self) -> Result<(), PortError> {
        self.plan.call("state.ping", self.inner.ping()).await
    }
}
