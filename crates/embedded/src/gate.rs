//! The gate in one SQLite file of its own, so that a request never waits for a run's transaction.
//!
//! A group of requests is one write. What it answers is decided by the rows alone: a proof is known
//! for as long as it could be used, whether or not anybody has removed its row since.

use std::path::Path;

use async_trait::async_trait;
use export_model::Timestamp;
use export_ports::{Entered, Entry, Gate, PortError};
use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::failure::Failure;
use crate::store::{Schema, Store};

/// For how long a proof is remembered beyond its time: for replicas whose clocks are behind.
const GRACE_MILLIS: i64 = 60_000;
/// Proofs that are forgotten with each one that comes, at most: more than come, so that the table
/// shrinks again.
const FORGET: usize = 2;

const GATE: Schema = Schema {
    what: "gate",
    application_id: 0x4558_4347, // "EXCG"
    migrations: &["
CREATE TABLE proofs(
    proof BLOB NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX proofs_by_time ON proofs(until);
CREATE TABLE windows(
    tenant TEXT NOT NULL,
    number INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    PRIMARY KEY (tenant, number)
) STRICT, WITHOUT ROWID;
"],
    page_size: 4096,
    writer_cache: 2048,
    reader_cache: 256,
    checkpoint_pages: 1000,
};

/// The gate of a home.
#[derive(Clone)]
pub struct SqliteGate {
    store: Store,
}

impl SqliteGate {
    /// Opens the file, and makes it when it is missing. Blocks.
    ///
    /// # Errors
    /// When it is damaged, newer, not ours, or cannot be written to.
    pub fn open(path: &Path) -> Result<Self, PortError> {
        Ok(Self {
            store: Store::open(path, &GATE)?,
        })
    }
}

fn one(sql: &Transaction<'_>, entry: &Entry, now: Timestamp) -> Result<Entered, Failure> {
    // A proof that is out of date already is remembered for this moment, so that two of them are
    // told apart as in any other case.
    let until = entry.proof_until.max(now.plus_millis(1));
    let new = sql
        .prepare_cached(
            "INSERT INTO proofs(proof, until) VALUES (?1, ?2)
             ON CONFLICT(proof) DO UPDATE SET until = excluded.until WHERE until <= ?3",
        )?
        .execute(params![entry.proof.0.as_slice(), until.0, now.0])?
        == 1;
    let tenant = entry.tenant.as_str();
    let before: Option<i64> = sql
        .prepare_cached("SELECT requests FROM windows WHERE tenant = ?1 AND number = ?2")?
        .query_row(params![tenant, entry.window], |row| row.get(0))
        .optional()?;
    let requests = before.unwrap_or(0).saturating_add(i64::from(new));
    if new {
        sql.prepare_cached(
            "INSERT INTO windows(tenant, number, requests) VALUES (?1, ?2, ?3)
             ON CONFLICT(tenant, number) DO UPDATE SET requests = excluded.requests",
        )?
        .execute(params![tenant, entry.window, requests])?;
        if before.is_none() {
            sql.prepare_cached("DELETE FROM windows WHERE tenant = ?1 AND number < ?2 - 1")?
                .execute(params![tenant, entry.window])?;
        }
    }
    Ok(Entered {
        replayed: !new,
        requests: u64::try_from(requests).unwrap_or(0),
    })
}

fn forget(sql: &Transaction<'_>, limit: usize, now: Timestamp) -> Result<(), Failure> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    sql.prepare_cached(
        "DELETE FROM proofs WHERE proof IN
             (SELECT proof FROM proofs WHERE until <= ?1 ORDER BY until LIMIT ?2)",
    )?
    .execute([now.plus_millis(-GRACE_MILLIS).0, limit])?;
    Ok(())
}

#[async_trait]
impl Gate for SqliteGate {
    async fn enter(&self, entries: Vec<Entry>, now: Timestamp) -> Result<Vec<Entered>, PortError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        self.store
            .write("letting requests in", move |sql| {
                let entered = entries
                    .iter()
                    .map(|entry| one(sql, entry, now))
                    .collect::<Result<Vec<_>, _>>()?;
                forget(sql, entries.len() * FORGET, now)?;
                Ok(entered)
            })
            .await
    }

    async fn ping(&self) -> Result<(), PortError> {
        self.store
            .read("asking the gate", |connection| {
                connection.query_row("SELECT EXISTS (SELECT 1 FROM windows)", [], |_| Ok(()))?;
                Ok(())
            })
            .await
    }
}
