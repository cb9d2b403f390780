//! Run state in one SQLite file: a table a row type, and one method that commits.

mod commit;
mod schema;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use export_model::{
    Distribution, Event, Part, Profile, Run, RunKey, Slots, Tenant, Timestamp, Work, WorkId,
};
use export_ports::{PortError, RunFilter, State, Transaction, Write};
use rusqlite::{Connection, OptionalExtension as _, Params, params};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::store::Store;

/// How often events are looked for that another process wrote.
const POLL: Duration = Duration::from_millis(100);

/// The run state of a home.
#[derive(Clone)]
pub struct SqliteState {
    store: Store,
    /// Counts this process's commits of events, to wake who waits for one.
    events: Arc<watch::Sender<u64>>,
}

impl SqliteState {
    /// Opens the file, and makes it when it is missing. Blocks.
    ///
    /// # Errors
    /// When it is damaged, newer, not ours, or cannot be written to.
    pub fn open(path: &Path) -> Result<Self, PortError> {
        Ok(Self {
            store: Store::open(path, &schema::STATE)?,
            events: Arc::new(watch::Sender::new(0)),
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
        let has_events = transaction
            .writes
            .iter()
            .any(|write| matches!(write, Write::Event(_)));
        self.store
            .write("committing a transaction", move |sql| {
                commit::apply(sql, transaction)
            })
            .await?;
        if has_events {
            self.events.send_modify(|commits| *commits += 1);
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
                       AND (?4 IS NULL OR (submitted_at, run) {beyond}
                            (SELECT submitted_at, run FROM runs WHERE tenant = ?1 AND run = ?4))
                     ORDER BY submitted_at {order}, run {order} LIMIT ?5"
                );
                let values = params![tenant, statuses, admitted, after, limited(limit)];
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
        // Subscribed before the first look, so that nothing is missed in between.
        let mut written = self.events.subscribe();
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
            let now = Instant::now();
            if !events.is_empty() || limit == 0 || now >= deadline {
                return Ok(events);
            }
            // Either way it looks again: this process wrote an event, or another one may have.
            let _ = tokio::time::timeout_at(deadline.min(now + POLL), written.changed()).await;
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
