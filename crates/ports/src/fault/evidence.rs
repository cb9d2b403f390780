//! A ledger and a policy engine that fail.

use async_trait::async_trait;
use export_model::{IndexEntry, PolicySnapshot, Position, Tenant, Timestamp};

use super::Faulty;
use crate::{Evidence, PageBudget, PolicyEngine, PortError, RecordPage, Scan};

#[async_trait]
impl<T: Evidence + ?Sized> Evidence for Faulty<T> {
    async fn watermark(&self, tenant: &Tenant) -> Result<u64, PortError> {
        let effect = self.inner.watermark(tenant);
        self.plan.call("evidence.watermark", effect).await
    }

    async fn watermark_at(
        &self,
        tenant: &Tenant,
        time: Timestamp,
    ) -> Result<Option<u64>, PortError> {
        let effect = self.inner.watermark_at(tenant, time);
        self.plan.call("evidence.watermark_at", effect).await
    }

    async fn sboms(
        &self,
        tenant: &Tenant,
        subject: &str,
        watermark: u64,
    ) -> Result<Vec<String>, PortError> {
        let effect = self.inner.sboms(tenant, subject, watermark);
        self.plan.call("evidence.sboms", effect).await
    }

    async fn index(
        &self,
        scan: &Scan,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<IndexEntry>, PortError> {
        let effect = self.inner.index(scan, after, limit);
        self.plan.call("evidence.index", effect).await
    }

    async fn records(
        &self,
        scan: &Scan,
        first: &Position,
        last: &Position,
        after: Option<&Position>,
        budget: PageBudget,
        spare: RecordPage,
    ) -> Result<RecordPage, PortError> {
        let effect = self.inner.records(scan, first, last, after, budget, spare);
        self.plan.call("evidence.records", effect).await
    }

    async fn pick(
        &self,
        scan: &Scan,
        positions: &[Position],
        budget: PageBudget,
        spare: RecordPage,
    ) -> Result<RecordPage, PortError> {
        let effect = self.inner.pick(scan, positions, budget, spare);
        self.plan.call("evidence.pick", effect).await
    }
}

#[async_trait]
impl<T: PolicyEngine + ?Sized> PolicyEngine for Faulty<T> {
    async fn snapshot(
        &self,
        tenant: &Tenant,
        id: Option<&str>,
    ) -> Result<Option<PolicySnapshot>, PortError> {
        let effect = self.inner.snapshot(tenant, id);
        self.plan.call("policy.snapshot", effect).await
    }

    async fn freeze(&self, tenant: &Tenant, id: &str) -> Result<(), PortError> {
        let effect = self.inner.freeze(tenant, id);
        self.plan.call("policy.freeze", effect).await
    }
}
