//! Run state in one SQLite file: a table a row type, and one method that commits.

mod commit;
mod schema;
mod wake;

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use export_model::{
    Distribution, Event, InvalidName, Mark, MarkKey, Part, Profile, Run, RunId, RunKey, Schedule,
    ScheduleId, Slots, Tenant, Timestamp, Work, WorkId,
};
use export_ports::{Clock, PortError, RunFilter, State, Transaction, Write};
use rusqlite::{Connection, OptionalExtension as _, Params, params};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use self::wake::Waiters;
use crate::failure::Failure;
use crate::store::Store;

/// Expired marks that are removed at once.
const EXPIRED: i64 = 5_000;

/// The run state of a home.
#[derive(Clone)]
pub struct SqliteState {
    store: Store,
    clock: Arc<dyn Clock>,
    waiters: Waiters,
}

impl SqliteState {
    /// Opens the file, and makes it when it is missing. Blocks. `clock` decides which marks have
    /// expired.
    ///
    /// # Errors
    /// When it is damaged, newer, not ours, or cannot be written to.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, PortError> {
        Ok(Self {
            store: Store::open(path, &schema::STATE)?,
            clock,
            waiters: Waiters::default(),
        })
    }

    async fn one<T: DeserializeOwned + Send + 'static>(
        &self,
        doing: &'static str,
        sql: &'static str,
        values: impl Params + Send + 'static,
    ) -> Result<Option<T>, PortError> {
        self.store
            .read(doing, move |connection| {
                let json: Option<String> = connection
                    .prepare_cached(sql)?
                    .query_row(values, |row| row.get(0))
                    .optional()?;
                json.as_deref().map(parse).transpose()
            })
            .await
    }

    async fn many<T: DeserializeOwned + Send + 'static>(
        &self,
        doing: &'static str,
        sql: &'static str,
        values: impl Params + Send + 'static,
    ) -> Result<Vec<T>, PortError> {
        self.store
            .read(doing, move |connection| rows(connection, sql, values))
            .await
    }
}

/// A row as it was stored.
fn parse<T: DeserializeOwned>(json: &str) -> Result<T, Failure> {
    serde_json::from_str(json).map_err(|error| Failure::Damaged(error.to_string()))
}

fn rows<T: DeserializeOwned>(
    connection: &Connection,
    sql: &str,
    values: impl Params,
) -> Result<Vec<T>, Failure> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query(values)?;
    let mut list = Vec::new();
    while let Some(row) = found.next()? {
        list.push(parse(row.get_ref(0)?.as_str()?)?);
    }
    Ok(list)
}

/// A name as it was stored.
fn name<T: FromStr<Err = InvalidName>>(text: &str) -> Result<T, Failure> {
    text.parse()
        .map_err(|error: InvalidName| Failure::Damaged(error.to_string()))
}

/// The two names of a run, as parameters.
fn names(run: &RunKey) -> [String; 2] {
    [run.tenant.to_string(), run.run.to_string()]
}

fn limited(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[async_trait]
impl State for SqliteState {
    async fn commit(&self, transaction: Transaction) -> Result<(), PortError> {
        let mut told: Vec<RunKey> = Vec::new();
        for write in &transaction.writes {
            if let Write::Event(event) = write
                && !told.contains(&event.run)
            {
                told.push(event.run.clone());
            }
        }
        let now = self.clock.now();
        self.store
            .write("committing a transaction", move |sql| {
                commit::apply(sql, transaction, now)
            })
            .await?;
        for run in &told {
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
        self.one(
            "reading a profile",
            "SELECT json FROM profiles
             WHERE tenant = ?1 AND name = ?2 AND (?3 IS NULL OR revision = ?3)
             ORDER BY revision DESC LIMIT 1",
            (tenant.to_string(), name.to_owned(), revision),
        )
        .await
    }

    async fn profiles(&self, tenant: &Tenant) -> Result<Vec<Profile>, PortError> {
        self.many(
            "listing profiles",
            "SELECT json FROM profiles p WHERE tenant = ?1 AND revision =
                 (SELECT max(revision) FROM profiles
                  WHERE tenant = p.tenant AND name = p.name)
             ORDER BY name",
            [tenant.to_string()],
        )
        .await
    }

    async fn run(&self, key: &RunKey) -> Result<Option<Run>, PortError> {
        self.one(
            "reading a run",
            "SELECT json FROM runs WHERE tenant = ?1 AND run = ?2",
            names(key),
        )
        .await
    }

    async fn runs(
        &self,
        tenant: &Tenant,
        filter: &RunFilter,
        after: Option<&RunKey>,
        limit: usize,
    ) -> Result<Vec<Run>, PortError> {
        let statuses: Vec<_> = filter.statuses.iter().map(|s| s.as_str()).collect();
        let statuses = serde_json::json!(statuses).to_string();
        let (admitted, oldest_first) = (filter.admitted, filter.oldest_first);
        let profile = filter.profile.clone();
        let from = filter.submitted_from.map(|time| time.0);
        let to = filter.submitted_to.map(|time| time.0);
        // A run of another tenant is not there, and nothing comes after what is not there.
        if after.is_some_and(|run| run.tenant != *tenant) {
            return Ok(Vec::new());
        }
        let (tenant, after) = (tenant.to_string(), after.map(|run| run.run.to_string()));
        self.store
            .read("listing runs", move |connection| {
                let (beyond, order) = if oldest_first {
                    (">", "ASC")
                } else {
                    ("<", "DESC")
                };
                let sql = format!(
                    "SELECT json FROM runs
                     WHERE tenant = ?1
                       AND (?2 = '[]' OR status IN (SELECT value FROM json_each(?2)))
                       AND (?3 IS NULL OR admitted = ?3)
                       AND (?6 IS NULL OR profile = ?6)
                       AND (?7 IS NULL OR submitted_at >= ?7)
                       AND (?8 IS NULL OR submitted_at < ?8)
                       AND (?4 IS NULL OR (submitted_at, run) {beyond}
                            (SELECT submitted_at, run FROM runs WHERE tenant = ?1 AND run = ?4))
                     ORDER BY submitted_at {order}, run {order} LIMIT ?5"
                );
                let values = params![
                    tenant,
                    statuses,
                    admitted,
                    after,
                    limited(limit),
                    profile,
                    from,
                    to
                ];
                rows(connection, &sql, values)
            })
            .await
    }

    async fn parts(&self, run: &RunKey, from: u32, limit: usize) -> Result<Vec<Part>, PortError> {
        let [tenant, run] = names(run);
        self.many(
            "listing parts",
            "SELECT json FROM parts WHERE tenant = ?1 AND run = ?2 AND part >= ?3
             ORDER BY part LIMIT ?4",
            (tenant, run, from, limited(limit)),
        )
        .await
    }

    async fn distributions(&self, run: &RunKey) -> Result<Vec<Distribution>, PortError> {
        self.many(
            "listing distributions",
            "SELECT json FROM distributions WHERE tenant = ?1 AND run = ?2 ORDER BY target",
            names(run),
        )
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
        let mut waiting = (!wait.is_zero()).then(|| self.waiters.wait(&self.store, run));
        loop {
            let [tenant, name] = names(run);
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            let events: Vec<Event> = self
                .many(
                    "reading events",
                    "SELECT json FROM events WHERE tenant = ?1 AND run = ?2 AND seq > ?3
                     ORDER BY seq LIMIT ?4",
                    (tenant, name, after, limited(limit)),
                )
                .await?;
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
        self.one(
            "reading work",
            "SELECT json FROM work WHERE tenant = ?1 AND id = ?2",
            [tenant.to_string(), id.to_string()],
        )
        .await
    }

    async fn work_of_run(&self, run: &RunKey) -> Result<Vec<Work>, PortError> {
        self.many(
            "listing the work of a run",
            "SELECT json FROM work WHERE tenant = ?1 AND run = ?2 ORDER BY id",
            names(run),
        )
        .await
    }

    async fn due_or_leased(&self, now: Timestamp, limit: usize) -> Result<Vec<Work>, PortError> {
        self.many(
            "listing due work",
            "SELECT json FROM work WHERE due_at <= ?1 OR token IS NOT NULL
             ORDER BY due_at, tenant, id LIMIT ?2",
            (now.0, limited(limit)),
        )
        .await
    }

    async fn expired_runs(&self, now: Timestamp, limit: usize) -> Result<Vec<RunKey>, PortError> {
        self.store
            .read("listing expired runs", move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT tenant, run FROM runs WHERE expires_at <= ?1
                     ORDER BY expires_at, tenant, run LIMIT ?2",
                )?;
                let mut found = statement.query(params![now.0, limited(limit)])?;
                let mut list = Vec::new();
                while let Some(row) = found.next()? {
                    list.push(RunKey {
                        tenant: name(row.get_ref(0)?.as_str()?)?,
                        run: name::<RunId>(row.get_ref(1)?.as_str()?)?,
                    });
                }
                Ok(list)
            })
            .await
    }

    async fn mark(&self, tenant: &Tenant, key: &MarkKey) -> Result<Option<Mark>, PortError> {
        self.one(
            "reading a mark",
            "SELECT json FROM marks
             WHERE tenant = ?1 AND id = ?2 AND (until IS NULL OR until > ?3)",
            (tenant.to_string(), key.to_string(), self.clock.now().0),
        )
        .await
    }

    async fn expire(&self, now: Timestamp) -> Result<u64, PortError> {
        // Asked without the write lock first: most of the time there are none.
        let none = self
            .store
            .read("looking for expired marks", move |connection| {
                let found = connection
                    .prepare_cached("SELECT 1 FROM marks WHERE until <= ?1 LIMIT 1")?
                    .exists([now.0])?;
                Ok(!found)
            })
            .await?;
        if none {
            return Ok(0);
        }
        self.store
            .write("removing expired marks", move |sql| {
                let removed = sql
                    .prepare_cached(
                        "DELETE FROM marks WHERE (tenant, id) IN
                             (SELECT tenant, id FROM marks WHERE until <= ?1
                              ORDER BY until LIMIT ?2)",
                    )?
                    .execute([now.0, EXPIRED])?;
                Ok(u64::try_from(removed).unwrap_or(u64::MAX))
            })
            .await
    }

    async fn schedule(
        &self,
        tenant: &Tenant,
        id: &ScheduleId,
    ) -> Result<Option<Schedule>, PortError> {
        self.one(
            "reading a schedule",
            "SELECT json FROM schedules WHERE tenant = ?1 AND id = ?2",
            [tenant.to_string(), id.to_string()],
        )
        .await
    }

    async fn schedules(
        &self,
        tenant: &Tenant,
        after: Option<&ScheduleId>,
        limit: usize,
    ) -> Result<Vec<Schedule>, PortError> {
        let after = after.map(ToString::to_string);
        self.many(
            "listing schedules",
            "SELECT json FROM schedules WHERE tenant = ?1 AND (?2 IS NULL OR id > ?2)
             ORDER BY id LIMIT ?3",
            (tenant.to_string(), after, limited(limit)),
        )
        .await
    }

    async fn due_schedules(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Schedule>, PortError> {
        self.many(
            "listing due schedules",
            "SELECT json FROM schedules WHERE next_at <= ?1
             ORDER BY next_at, tenant, id LIMIT ?2",
            (now.0, limited(limit)),
        )
        .await
    }

    async fn slots(&self, tenant: &Tenant) -> Result<Option<Slots>, PortError> {
        self.one(
            "reading slots",
            "SELECT json FROM slots WHERE tenant = ?1",
            [tenant.to_string()],
        )
        .await
    }

    async fn ping(&self) -> Result<(), PortError> {
        self.store
            .read("asking the run state", |connection| {
                connection.query_row("SELECT count(*) FROM slots", [], |_| Ok(()))?;
                Ok(())
            })
            .await
    }
}
