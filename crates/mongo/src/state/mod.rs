//! Run state in MongoDB: a collection a row type, and one method that commits.

pub(crate) mod collections;
mod commit;
mod rows;
mod statements;
mod wake;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use export_model::{
    Distribution, Event, Mark, MarkKey, Part, Profile, Run, RunKey, Schedule, ScheduleId, Slots,
    Tenant, Timestamp, Work, WorkId,
};
use export_ports::{Clock, PortError, PortErrorKind, Row, RunFilter, State, Transaction, Write};
use futures_util::TryStreamExt as _;
use mongodb::Database;
use mongodb::bson::{DateTime, Document, doc};
use mongodb::error::Error;
use tokio::time::Instant;

use self::collections::{MARKS, RUNS};
use self::rows::{Stored, damaged, date, parse};
use self::wake::Waiters;
use crate::call::{collection, finished, whole};
use crate::schema::{self, Checked};

/// Expired marks that are removed at once.
const EXPIRED: i64 = 5_000;
/// Documents that are asked for at once.
const BATCH: i64 = 10_000;

/// The run state of a deployment: a replica set, because it commits transactions.
#[derive(Clone)]
pub struct MongoState {
    database: Database,
    clock: Arc<dyn Clock>,
    waiters: Waiters,
    checked: Arc<Checked>,
}

impl MongoState {
    /// The run state in `database`, which was migrated ([`crate::migrate`]). Nothing is sent before
    /// the first call, which checks the version of the database too. `clock` decides which marks have
    /// expired.
    pub fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self {
            database,
            clock,
            waiters: Waiters::default(),
            checked: Arc::default(),
        }
    }

    async fn one<T: Stored>(&self, doing: &str, id: Document) -> Result<Option<T>, PortError> {
        self.checked.once(&self.database).await?;
        let rows = collection(&self.database, T::COLLECTION);
        let found = whole(doing, async move { rows.find_one(id).await }).await?;
        found.map(parse).transpose()
    }

    async fn many<T: Stored>(
        &self,
        doing: &str,
        filter: Document,
        order: Document,
        limit: usize,
    ) -> Result<Vec<T>, PortError> {
        let found = self
            .documents(doing, T::COLLECTION, filter, order, limit)
            .await?;
        found.into_iter().map(parse).collect()
    }

    async fn documents(
        &self,
        doing: &str,
        name: &str,
        filter: Document,
        order: Document,
        limit: usize,
    ) -> Result<Vec<Document>, PortError> {
        self.checked.once(&self.database).await?;
        // To MongoDB 0 means that there is no limit.
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        if limit == 0 {
            return Ok(Vec::new());
        }
        let rows = collection(&self.database, name);
        let batch = u32::try_from(limit.min(BATCH)).unwrap_or(u32::MAX);
        whole(doing, async move {
            let found = rows.find(filter).sort(order).limit(limit).batch_size(batch);
            found.await?.try_collect().await
        })
        .await
    }

    /// Refuses to change what never changes of a profile's revision: runs refer to it by its number.
    /// It may be looked up beforehand, because it never does change.
    async fn verify_profiles(&self, transaction: &Transaction) -> Result<(), PortError> {
        for write in &transaction.writes {
            let Write::Put(row) = write else { continue };
            let Row::Profile(row) = &**row else { continue };
            if row.rev == 0 {
                continue;
            }
            let stored = self
                .profile(&row.tenant, &row.name, Some(row.revision))
                .await?;
            let same = stored.is_none_or(|stored| {
                let same = Profile {
                    description: row.description.clone(),
                    retired_at: row.retired_at,
                    rev: row.rev,
                    ..stored
                };
                same == *row
            });
            if !same {
                return Err(PortError::new(
                    PortErrorKind::Invalid,
                    format!("changing {}, which never changes", Stored::name(row)),
                ));
            }
        }
        Ok(())
    }

    /// When the run `after` was submitted; none where it is not there.
    async fn submitted_at(&self, after: &RunKey) -> Result<Option<DateTime>, PortError> {
        let doing = "listing runs";
        self.checked.once(&self.database).await?;
        let rows = collection(&self.database, RUNS);
        let id = rows::run_id(after);
        let found = whole(doing, async move {
            rows.find_one(doc! { "_id": id })
                .projection(doc! { "submitted_at": 1_i64 })
                .await
        })
        .await?;
        let Some(found) = found else { return Ok(None) };
        match found.get_datetime("submitted_at") {
            Ok(time) => Ok(Some(*time)),
            Err(error) => Err(damaged(RUNS, &found, error.to_string())),
        }
    }
}

/// What a filter asks for, of one tenant.
fn filtered(tenant: &Tenant, filter: &RunFilter) -> Document {
    let mut wanted = doc! { "tenant": tenant.as_str() };
    let statuses: Vec<&str> = filter.statuses.iter().map(|s| s.as_str()).collect();
    if let [only] = statuses.as_slice() {
        wanted.insert("status", *only);
    } else if !statuses.is_empty() {
        wanted.insert("status", doc! { "$in": statuses });
    }
    if let Some(admitted) = filter.admitted {
        wanted.insert("admitted", admitted);
    }
    if let Some(profile) = &filter.profile {
        wanted.insert("profile", profile);
    }
    let mut times = Document::new();
    if let Some(from) = filter.submitted_from {
        times.insert("$gte", date(from));
    }
    if let Some(to) = filter.submitted_to {
        times.insert("$lt", date(to));
    }
    if !times.is_empty() {
        wanted.insert("submitted_at", times);
    }
    wanted
}

#[async_trait]
impl State for MongoState {
    async fn commit(&self, transaction: Transaction) -> Result<(), PortError> {
        let doing = "committing a transaction";
        self.checked.once(&self.database).await?;
        let statements = statements::statements(&transaction, self.clock.now())?;
        self.verify_profiles(&transaction).await?;
        let mut told: Vec<&RunKey> = Vec::new();
        for write in &transaction.writes {
            if let Write::Event(event) = write
                && !told.contains(&&event.run)
            {
                told.push(&event.run);
            }
        }
        let database = self.database.clone();
        finished(doing, commit::commit(database, statements)).await??;
        for run in told {
            self.waiters.wake(run);
        }
        Ok(())
    }

    async fn profile(
        &self,
        tenant: &Tenant,
        name: &str,
        revision: Option<u32>,
    ) -> Result<Option<Profile>, PortError> {
        let doing = "reading a profile";
        if let Some(revision) = revision {
            let id = rows::profile_id(tenant, name, revision);
            return self.one(doing, doc! { "_id": id }).await;
        }
        let named = doc! { "tenant": tenant.as_str(), "name": name };
        let newest = doc! { "tenant": 1_i64, "name": 1_i64, "revision": -1_i64 };
        let found = self.many(doing, named, newest, 1).await?;
        Ok(found.into_iter().next())
    }

    async fn profiles(&self, tenant: &Tenant) -> Result<Vec<Profile>, PortError> {
        self.checked.once(&self.database).await?;
        let rows = collection(&self.database, Profile::COLLECTION);
        // In the order of an index, so that the server skips from the newest revision of one name to
        // that of the next.
        let newest = [
            doc! { "$match": { "tenant": tenant.as_str() } },
            doc! { "$sort": { "tenant": 1_i64, "name": 1_i64, "revision": -1_i64 } },
            doc! { "$group": { "_id": "$name", "newest": { "$first": "$$ROOT" } } },
            doc! { "$replaceRoot": { "newRoot": "$newest" } },
            doc! { "$sort": { "name": 1_i64 } },
        ];
        let found: Vec<Document> = whole("listing profiles", async move {
            rows.aggregate(newest).await?.try_collect().await
        })
        .await?;
        found.into_iter().map(parse).collect()
    }

    async fn run(&self, key: &RunKey) -> Result<Option<Run>, PortError> {
        let id = doc! { "_id": rows::run_id(key) };
        self.one("reading a run", id).await
    }

    async fn runs(
        &self,
        tenant: &Tenant,
        filter: &RunFilter,
        after: Option<&RunKey>,
        limit: usize,
    ) -> Result<Vec<Run>, PortError> {
        let (beyond, at_most, way) = if filter.oldest_first {
            ("$gt", "$gte", 1_i64)
        } else {
            ("$lt", "$lte", -1_i64)
        };
        let mut wanted = filtered(tenant, filter);
        if let Some(after) = after {
            // A run of another tenant is not there, and nothing comes after what is not there.
            if after.tenant != *tenant {
                return Ok(Vec::new());
            }
            let Some(time) = self.submitted_at(after).await? else {
                return Ok(Vec::new());
            };
            // The bound says once more what the alternatives say, so that an index starts there.
            let next = doc! { "submitted_at": { at_most: time }, "$or": [
                { "submitted_at": { beyond: time } },
                { "submitted_at": time, "run": { beyond: after.run.as_str() } },
            ] };
            wanted = doc! { "$and": [wanted, next] };
        }
        let order = doc! { "submitted_at": way, "run": way };
        self.many("listing runs", wanted, order, limit).await
    }

    async fn parts(&self, run: &RunKey, from: u32, limit: usize) -> Result<Vec<Part>, PortError> {
        let mut ids = rows::within(&rows::prefix(run));
        ids.insert("$gte", rows::numbered(run, from));
        let (filter, order) = (doc! { "_id": ids }, doc! { "_id": 1_i64 });
        self.many("listing parts", filter, order, limit).await
    }

    async fn distributions(&self, run: &RunKey) -> Result<Vec<Distribution>, PortError> {
        let filter = doc! { "_id": rows::within(&rows::prefix(run)) };
        let order = doc! { "_id": 1_i64 };
        self.many("listing distributions", filter, order, usize::MAX)
            .await
    }

    async fn events(
        &self,
        run: &RunKey,
        after: u64,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Event>, PortError> {
        let deadline = Instant::now() + wait;
        // From before the first look, so that nothing is missed in between.
        let mut waiting = (!wait.is_zero()).then(|| self.waiters.wait(&self.database, run));
        let mut ids = rows::within(&rows::prefix(run));
        ids.remove("$gte");
        ids.insert("$gt", rows::event_id(run, after));
        loop {
            let (filter, order) = (doc! { "_id": ids.clone() }, doc! { "_id": 1_i64 });
            let events: Vec<Event> = self.many("reading events", filter, order, limit).await?;
            let Some(waiting) = &mut waiting else {
                return Ok(events);
            };
            if !events.is_empty() || limit == 0 || Instant::now() >= deadline {
                return Ok(events);
            }
            // Either way it looks again: for the last time, or because there may be an event.
            let _ = tokio::time::timeout_at(deadline, waiting.changed()).await;
        }
    }

    async fn work(&self, tenant: &Tenant, id: &WorkId) -> Result<Option<Work>, PortError> {
        let id = doc! { "_id": rows::work_id(tenant, id) };
        self.one("reading work", id).await
    }

    async fn work_of_run(&self, run: &RunKey) -> Result<Vec<Work>, PortError> {
        let ids = rows::within(&format!("{}:", rows::run_id(run)));
        let filter = doc! { "_id": ids, "run": run.run.as_str() };
        let order = doc! { "_id": 1_i64 };
        self.many("listing the work of a run", filter, order, usize::MAX)
            .await
    }

    async fn due_or_leased(&self, now: Timestamp, limit: usize) -> Result<Vec<Work>, PortError> {
        let filter = doc! { "$or": [
            { "due_at": { "$lte": date(now) } },
            { "token": { "$exists": true } },
        ] };
        let order = doc! { "due_at": 1_i64, "tenant": 1_i64, "id": 1_i64 };
        self.many("listing due work", filter, order, limit).await
    }

    async fn expired_runs(&self, now: Timestamp, limit: usize) -> Result<Vec<RunKey>, PortError> {
        let filter = doc! { "expires_at": { "$lte": date(now) } };
        let order = doc! { "expires_at": 1_i64, "tenant": 1_i64, "run": 1_i64 };
        let runs: Vec<Run> = self
            .many("listing expired runs", filter, order, limit)
            .await?;
        Ok(runs.into_iter().map(|run| run.key).collect())
    }

    async fn mark(&self, tenant: &Tenant, key: &MarkKey) -> Result<Option<Mark>, PortError> {
        let expired = doc! { "$lte": date(self.clock.now()) };
        let filter = doc! { "_id": rows::mark_id(tenant, key), "until": { "$not": expired } };
        self.one("reading a mark", filter).await
    }

    async fn expire(&self, now: Timestamp) -> Result<u64, PortError> {
        self.checked.once(&self.database).await?;
        let marks = collection(&self.database, MARKS);
        let expired = doc! { "until": { "$lte": date(now) } };
        whole("removing expired marks", async move {
            let some: Vec<Document> = marks
                .find(expired.clone())
                .projection(doc! { "_id": 1_i64 })
                .sort(doc! { "until": 1_i64 })
                .limit(EXPIRED)
                .await?
                .try_collect()
                .await?;
            if some.is_empty() {
                return Ok::<_, Error>(0);
            }
            let ids: Vec<_> = some
                .iter()
                .filter_map(|found| found.get("_id").cloned())
                .collect();
            // Asked once more: one may have been put in the place of one that had expired.
            let filter = doc! { "_id": { "$in": ids }, "until": { "$lte": date(now) } };
            Ok(marks.delete_many(filter).await?.deleted_count)
        })
        .await
    }

    async fn schedule(
        &self,
        tenant: &Tenant,
        id: &ScheduleId,
    ) -> Result<Option<Schedule>, PortError> {
        let id = doc! { "_id": rows::schedule_id(tenant, id) };
        self.one("reading a schedule", id).await
    }

    async fn schedules(
        &self,
        tenant: &Tenant,
        after: Option<&ScheduleId>,
        limit: usize,
    ) -> Result<Vec<Schedule>, PortError> {
        let mut ids = rows::within(&format!("{tenant}/"));
        if let Some(after) = after {
            ids.remove("$gte");
            ids.insert("$gt", rows::schedule_id(tenant, after));
        }
        let (filter, order) = (doc! { "_id": ids }, doc! { "_id": 1_i64 });
        self.many("listing schedules", filter, order, limit).await
    }

    async fn due_schedules(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Schedule>, PortError> {
        let filter = doc! { "next_at": { "$lte": date(now) } };
        let order = doc! { "next_at": 1_i64, "tenant": 1_i64, "id": 1_i64 };
        self.many("listing due schedules", filter, order, limit)
            .await
    }

    async fn slots(&self, tenant: &Tenant) -> Result<Option<Slots>, PortError> {
        self.one("reading slots", doc! { "_id": tenant.as_str() })
            .await
    }

    async fn ping(&self) -> Result<(), PortError> {
        schema::check(&self.database).await
    }
}
