//! The state port: profiles, schedules, runs, parts, work, distributions, events, slots and marks.
//!
//! Reads are by key; every change is a [`Transaction`]: rows that are written only if nobody
//! changed them since they were read, all of them or none. What a transition means is decided by
//! the callers, so a backend is a table a row type and one method that commits.

use std::time::Duration;

use async_trait::async_trait;
use export_model::{
    Distribution, Event, Mark, MarkKey, Part, Profile, Run, RunKey, RunStatus, Schedule,
    ScheduleId, Slots, Tenant, Timestamp, Work, WorkId,
};

use crate::PortError;

/// A row that a transaction can write. Each carries `rev`: 0 says that it must not exist yet, any
/// other value that the stored row must still have it. The stored row then has `rev + 1`.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // Boxed in `Write::Put`; it never lies in a list.
pub enum Row {
    /// Key: tenant, name, revision. Never overwritten, except its description and that
    /// it was retired.
    Profile(Profile),
    /// Key: tenant, run.
    Run(Run),
    /// Key: tenant, run, index.
    Part(Part),
    /// Key: tenant, `id.to_string()`.
    Work(Work),
    /// Key: tenant, run, index.
    Distribution(Distribution),
    /// Key: tenant.
    Slots(Slots),
    /// Key: tenant, `key.to_string()`. One that has expired counts as one that does not exist.
    Mark(Mark),
    /// Key: tenant, id.
    Schedule(Schedule),
}

/// One effect or condition of a transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Insert or replace a row, if its `rev` still stands.
    Put(Box<Row>),
    /// Insert an event; one with its run and sequence number must not exist.
    Event(Event),
    /// Delete a row of work, if it is still leased under this token.
    FinishWork(WorkId, String),
    /// Require that a row of work is still leased under this token.
    RequireLease(WorkId, String),
    /// Delete every row of work of a run but these.
    DropWork(RunKey, Vec<WorkId>),
    /// Delete every part of a run (before it is planned again).
    DropParts(RunKey),
    /// Delete a schedule, which must exist.
    DropSchedule(ScheduleId),
}

/// A change of one tenant's rows: all of it or nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Transaction {
    /// The tenant that every row belongs to.
    pub tenant: Tenant,
    /// Effects and conditions, in order.
    pub writes: Vec<Write>,
}

impl Transaction {
    /// A transaction that does nothing yet.
    #[must_use]
    pub fn new(tenant: &Tenant) -> Self {
        Self {
            tenant: tenant.clone(),
            writes: Vec::new(),
        }
    }

    /// Adds a row to write.
    #[must_use]
    pub fn put(mut self, row: Row) -> Self {
        self.writes.push(Write::Put(Box::new(row)));
        self
    }

    /// Adds an effect or a condition.
    #[must_use]
    pub fn and(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }
}

/// Which runs to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only runs in one of these states; empty for all.
    pub statuses: Vec<RunStatus>,
    /// Only runs that hold a slot (`true`) or do not (`false`).
    pub admitted: Option<bool>,
    /// Only runs of the profile of this name, in any revision.
    pub profile: Option<String>,
    /// Only runs that were submitted at this time or later.
    pub submitted_from: Option<Timestamp>,
    /// Only runs that were submitted before this time.
    pub submitted_to: Option<Timestamp>,
    /// Oldest first instead of newest first.
    pub oldest_first: bool,
}

/// Run state.
///
/// Reading a row that is not there gives `None`, never an error. A row of another tenant is not
/// there.
#[async_trait]
pub trait State: Send + Sync {
    /// Commits `transaction`: durable when this returns.
    ///
    /// # Errors
    /// `Conflict` when any condition does not hold; nothing is changed then.
    async fn commit(&self, transaction: Transaction) -> Result<(), PortError>;

    /// A profile's revision; the newest where none is named. Built-in profiles are not stored.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn profile(
        &self,
        tenant: &Tenant,
        name: &str,
        revision: Option<u32>,
    ) -> Result<Option<Profile>, PortError>;

    /// The newest revision of every stored profile, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn profiles(&self, tenant: &Tenant) -> Result<Vec<Profile>, PortError>;

    /// A run.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn run(&self, key: &RunKey) -> Result<Option<Run>, PortError>;

    /// Runs of a tenant by submission time and id, after (exclusive) the run `after`.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn runs(
        &self,
        tenant: &Tenant,
        filter: &RunFilter,
        after: Option<&RunKey>,
        limit: usize,
    ) -> Result<Vec<Run>, PortError>;

    /// Parts of a run with an index of at least `from`, in order.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn parts(&self, run: &RunKey, from: u32, limit: usize) -> Result<Vec<Part>, PortError>;

    /// Distributions of a run, in order.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn distributions(&self, run: &RunKey) -> Result<Vec<Distribution>, PortError>;

    /// Events of a run after (exclusive) `after`, in order. Where there are none yet, waits up to
    /// `wait` for the next.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn events(
        &self,
        run: &RunKey,
        after: u64,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Event>, PortError>;

    /// A row of work.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn work(&self, tenant: &Tenant, id: &WorkId) -> Result<Option<Work>, PortError>;

    /// Every row of work of a run.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn work_of_run(&self, run: &RunKey) -> Result<Vec<Work>, PortError>;

    /// Work of all tenants that is due at `now` or leased at all, earliest due first: the tick's
    /// question. (Leased work is listed so that leases of processes that are gone can be broken.)
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn due_or_leased(&self, now: Timestamp, limit: usize) -> Result<Vec<Work>, PortError>;

    /// Runs of all tenants that expired at `now` or before and are not pruned, earliest first: the
    /// tick's question.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn expired_runs(&self, now: Timestamp, limit: usize) -> Result<Vec<RunKey>, PortError>;

    /// A mark, unless it has expired.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn mark(&self, tenant: &Tenant, key: &MarkKey) -> Result<Option<Mark>, PortError>;

    /// Removes marks of all tenants that expired at `now` or before, as many as can be removed
    /// quickly; gives how many that were.
    ///
    /// # Errors
    /// When the store cannot be written.
    async fn expire(&self, now: Timestamp) -> Result<u64, PortError>;

    /// A schedule.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn schedule(
        &self,
        tenant: &Tenant,
        id: &ScheduleId,
    ) -> Result<Option<Schedule>, PortError>;

    /// Schedules of a tenant by id, after (exclusive) the id `after`.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn schedules(
        &self,
        tenant: &Tenant,
        after: Option<&ScheduleId>,
        limit: usize,
    ) -> Result<Vec<Schedule>, PortError>;

    /// Schedules of all tenants that are in force and due at `now`, earliest due first: the tick's
    /// question.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn due_schedules(&self, now: Timestamp, limit: usize)
    -> Result<Vec<Schedule>, PortError>;

    /// A tenant's slots.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn slots(&self, tenant: &Tenant) -> Result<Option<Slots>, PortError>;

    /// Reads the store once, to say whether it answers.
    ///
    /// # Errors
    /// When it does not.
    async fn ping(&self) -> Result<(), PortError>;
}
