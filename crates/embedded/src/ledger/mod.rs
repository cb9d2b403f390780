//! The ledger and the policy engine in one SQLite file.
//!
//! Append-only. What planning walks (`entries`) is a table in canonical order that carries
//! everything an index line needs, so the walk never touches a record. Records (`bodies`) and what
//! selectors look at (`facets`) are keyed by `seq`, which makes every append go to the end of both
//! tables: an import batch that is sorted by key is later read back sequentially.
//!
//! Selectors are not turned into SQL. The walk reads each entry's facets beside it and asks a
//! [`Matcher`](export_model::Matcher): one pass in key order whatever the selection, no index over single terms
//! that every import would have to scatter its writes into, and no second meaning of a selector.

mod append;
mod import;
mod policy;
mod read;
mod schema;

use std::path::Path;

use async_trait::async_trait;
use export_model::{
    AdmittedRecord, IndexEntry, Kind, PolicySnapshot, Position, Source, Tenant, Timestamp,
};
use export_ports::{
    Appended, Evidence, LedgerStats, LedgerWriter, PageBudget, PolicyEngine, PolicyWriter,
    PortError, RecordPage, Scan, SourceStats,
};
use rusqlite::{Connection, OptionalExtension as _};

use crate::failure::Failure;
use crate::store::Store;

/// Positions that one read looks for.
const PICKED: usize = 4096;

/// The ledger and the policy engine of a home.
#[derive(Clone)]
pub struct EmbeddedLedger {
    store: Store,
}

impl EmbeddedLedger {
    /// Opens the file, and makes it when it is missing. Blocks.
    ///
    /// # Errors
    /// When it is damaged, newer, not ours, or cannot be written to.
    pub fn open(path: &Path) -> Result<Self, PortError> {
        Ok(Self {
            store: Store::open(path, &schema::LEDGER)?,
        })
    }
}

/// A kind's number in the tables; canonical order is kept.
fn kind_number(kind: Kind) -> i64 {
    match kind {
        Kind::Advisory => 0,
        Kind::Finding => 1,
        Kind::Sbom => 2,
        Kind::Vex => 3,
    }
}

fn kind_of(number: i64) -> Result<Kind, Failure> {
    usize::try_from(number)
        .ok()
        .and_then(|index| Kind::ALL.get(index).copied())
        .ok_or_else(|| Failure::Damaged(format!("there is no kind {number}")))
}

/// A tenant's number; none when it never gave the ledger anything.
fn tenant_number(connection: &Connection, tenant: &Tenant) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT tenant FROM tenants WHERE name = ?1")?
        .query_row([tenant.as_str()], |row| row.get(0))
        .optional()
}

/// A watermark as the tables hold it.
fn watermark_number(watermark: u64) -> i64 {
    i64::try_from(watermark).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn source_by_number(connection: &Connection, number: i64) -> Result<Source, Failure> {
    connection
        .prepare_cached("SELECT vendor, stream FROM sources WHERE source = ?1")?
        .query_row([number], |row| {
            Ok(Source {
                vendor: row.get(0)?,
                stream: row.get(1)?,
            })
        })
        .optional()?
        .ok_or_else(|| Failure::Damaged(format!("there is no source {number}")))
}

#[async_trait]
impl Evidence for EmbeddedLedger {
    async fn watermark(&self, _tenant: &Tenant) -> Result<u64, PortError> {
        self.store
            .read("reading the watermark", |connection| {
                read::watermark(connection)
            })
            .await
    }

    async fn watermark_at(
        &self,
        _tenant: &Tenant,
        time: Timestamp,
    ) -> Result<Option<u64>, PortError> {
        self.store
            .read("reading a past watermark", move |connection| {
                let seq: Option<i64> = connection
                    .prepare_cached(
                        "SELECT seq FROM commits WHERE at <= ?1 ORDER BY at DESC, seq DESC LIMIT 1",
                    )?
                    .query_row([time.0], |row| row.get(0))
                    .optional()?;
                Ok(seq.map(unsigned))
            })
            .await
    }

    async fn sboms(
        &self,
        tenant: &Tenant,
        subject: &str,
        watermark: u64,
    ) -> Result<Vec<String>, PortError> {
        let (tenant, subject) = (tenant.clone(), subject.to_owned());
        self.store
            .read("looking up SBOMs", move |connection| {
                read::sboms(connection, &tenant, &subject, watermark)
            })
            .await
    }

    async fn index(
        &self,
        scan: &Scan,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<IndexEntry>, PortError> {
        let (scan, after) = (scan.clone(), after.cloned());
        self.store
            .read("walking the index", move |connection| {
                read::index(connection, &scan, after.as_ref(), limit)
            })
            .await
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
        let (scan, last) = (scan.clone(), last.clone());
        let (inclusive, lower) = match after {
            Some(after) => (false, after.clone()),
            None => (true, first.clone()),
        };
        self.store
            .read("reading records", move |connection| {
                read::records(connection, &scan, (&lower, inclusive), &last, budget, spare)
            })
            .await
    }

    async fn pick(
        &self,
        scan: &Scan,
        positions: &[Position],
        budget: PageBudget,
        spare: RecordPage,
    ) -> Result<RecordPage, PortError> {
        let mut page = spare;
        page.records.clear();
        page.bytes.clear();
        for some in positions.chunks(PICKED) {
            let (scan, some) = (scan.clone(), some.to_vec());
            page = self
                .store
                .read("reading records", move |connection| {
                    read::pick(connection, &scan, &some, budget, page)
                })
                .await?;
            if !page.records.is_empty() {
                break;
            }
        }
        Ok(page)
    }
}

#[async_trait]
impl PolicyEngine for EmbeddedLedger {
    async fn snapshot(
        &self,
        tenant: &Tenant,
        id: Option<&str>,
    ) -> Result<Option<PolicySnapshot>, PortError> {
        let (tenant, id) = (tenant.clone(), id.map(str::to_owned));
        self.store
            .read("reading a policy snapshot", move |connection| {
                policy::snapshot(connection, &tenant, id.as_deref())
            })
            .await
    }

    async fn freeze(&self, tenant: &Tenant, id: &str) -> Result<(), PortError> {
        let (tenant, id) = (tenant.clone(), id.to_owned());
        self.store
            .write("freezing a policy snapshot", move |transaction| {
                policy::freeze(transaction, &tenant, &id)
            })
            .await
    }
}

#[async_trait]
impl PolicyWriter for EmbeddedLedger {
    async fn add_snapshot(&self, snapshot: &PolicySnapshot) -> Result<bool, PortError> {
        let snapshot = snapshot.clone();
        self.store
            .write("adding a policy snapshot", move |transaction| {
                policy::add(transaction, &snapshot)
            })
            .await
    }
}

#[async_trait]
impl LedgerWriter for EmbeddedLedger {
    async fn append(
        &self,
        records: Vec<AdmittedRecord>,
        now: Timestamp,
    ) -> Result<Appended, PortError> {
        self.store
            .write("appending records", move |transaction| {
                append::append(transaction, records, now)
            })
            .await
    }

    async fn stats(&self) -> Result<LedgerStats, PortError> {
        self.store.read("counting records", stats).await
    }

    async fn tenants(&self) -> Result<Vec<Tenant>, PortError> {
        self.store.read("listing tenants", tenants).await
    }
}

fn tenants(connection: &Connection) -> Result<Vec<Tenant>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT name FROM tenants t WHERE EXISTS (SELECT 1 FROM entries e WHERE e.tenant = t.tenant)
         ORDER BY name",
    )?;
    let mut rows = statement.query([])?;
    let mut tenants = Vec::new();
    while let Some(row) = rows.next()? {
        tenants.push(policy::tenant(row.get_ref(0)?.as_str()?)?);
    }
    Ok(tenants)
}

fn stats(connection: &Connection) -> Result<LedgerStats, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT t.name, e.kind, s.vendor, s.stream,
                sum(e.superseded_at IS NULL), sum(e.superseded_at IS NOT NULL), sum(e.size)
         FROM entries e JOIN tenants t USING (tenant) JOIN sources s USING (source)
         GROUP BY t.name, e.kind, s.vendor, s.stream
         ORDER BY t.name, e.kind, s.vendor, s.stream",
    )?;
    let mut rows = statement.query([])?;
    let mut sources = Vec::new();
    while let Some(row) = rows.next()? {
        sources.push(SourceStats {
            tenant: policy::tenant(row.get_ref(0)?.as_str()?)?,
            kind: kind_of(row.get(1)?)?,
            source: Source {
                vendor: row.get(2)?,
                stream: row.get(3)?,
            },
            records: unsigned(row.get(4)?),
            superseded: unsigned(row.get(5)?),
            bytes: unsigned(row.get(6)?),
        });
    }
    Ok(LedgerStats {
        sources,
        snapshots: policy::all(connection)?,
        watermark: read::watermark(connection)?,
    })
}
