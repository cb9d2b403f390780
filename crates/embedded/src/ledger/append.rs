//! Appending records: identity, order of revisions, and the index line.
//!
//! A batch is one transaction and is sorted by key first, so that neighbours in canonical order
//! become neighbours on disk.

use std::cmp::Ordering;
use std::collections::HashMap;

use export_model::{
    AdmittedRecord, GUARDRAILS_VERSION, Kind, Sha256Digest, Source, StoredFacets, Tenant, Timestamp,
};
use export_ports::{Appended, PortErrorKind};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Transaction, params};

use super::{kind_number, tenant_number};
use crate::failure::Failure;

/// Appends `records` at `now`.
pub(super) fn append(
    transaction: &Transaction<'_>,
    mut records: Vec<AdmittedRecord>,
    now: Timestamp,
) -> Result<Appended, Failure> {
    // Stable: of several records with one identity, the first one given is kept.
    records.sort_by(|a, b| (&a.tenant, a.kind, &a.position).cmp(&(&b.tenant, b.kind, &b.position)));
    let mut batch = Batch::new(transaction)?;
    for record in records {
        batch.add(record)?;
    }
    let Batch {
        last_seq,
        first_seq,
        appended,
        ..
    } = batch;
    if last_seq >= first_seq {
        transaction.execute(
            "INSERT INTO commits(seq, at)
             VALUES (?1, max(?2, (SELECT ifnull(max(at), ?2) FROM commits)))",
            params![last_seq, now.0],
        )?;
    }
    Ok(appended)
}

/// A tenant's number, given to it now if it has none.
pub(super) fn intern_tenant(connection: &Connection, tenant: &Tenant) -> Result<i64, Failure> {
    if let Some(number) = tenant_number(connection, tenant)? {
        return Ok(number);
    }
    connection.execute("INSERT INTO tenants(name) VALUES (?1)", [tenant.as_str()])?;
    Ok(connection.last_insert_rowid())
}

/// The newest revision of an upstream document.
struct Head {
    document: i64,
    modified: Option<i64>,
    content_hash: Sha256Digest,
    id: String,
}

struct Batch<'t> {
    transaction: &'t Transaction<'t>,
    tenants: HashMap<Tenant, i64>,
    sources: HashMap<Source, i64>,
    /// Number, and whether it is frozen.
    snapshots: HashMap<(i64, String), (i64, bool)>,
    first_seq: i64,
    last_seq: i64,
    appended: Appended,
    head: CachedStatement<'t>,
    is_older: CachedStatement<'t>,
    new_document: CachedStatement<'t>,
    new_head: CachedStatement<'t>,
    add_older: CachedStatement<'t>,
    supersede: CachedStatement<'t>,
    add_entry: CachedStatement<'t>,
    add_body: CachedStatement<'t>,
    add_facets: CachedStatement<'t>,
}

impl<'t> Batch<'t> {
    fn new(transaction: &'t Transaction<'t>) -> Result<Self, Failure> {
        let last_seq: i64 =
            transaction.query_row("SELECT ifnull(max(seq), 0) FROM commits", [], |row| {
                row.get(0)
            })?;
        Ok(Self {
            transaction,
            tenants: HashMap::new(),
            sources: HashMap::new(),
            snapshots: HashMap::new(),
            first_seq: last_seq + 1,
            last_seq,
            appended: Appended::default(),
            head: transaction.prepare_cached(
                "SELECT document, modified, content_hash, id FROM documents
                 WHERE tenant = ?1 AND kind = ?2 AND source = ?3 AND upstream_id = ?4",
            )?,
            is_older: transaction.prepare_cached(
                "SELECT 1 FROM older_revisions WHERE document = ?1 AND content_hash = ?2",
            )?,
            new_document: transaction
                .prepare_cached("INSERT INTO documents VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?,
            new_head: transaction.prepare_cached(
                "UPDATE documents SET modified = ?5, content_hash = ?6, id = ?7
                 WHERE tenant = ?1 AND kind = ?2 AND source = ?3 AND upstream_id = ?4",
            )?,
            add_older: transaction.prepare_cached("INSERT INTO older_revisions VALUES (?1, ?2)")?,
            supersede: transaction.prepare_cached(
                "UPDATE entries SET superseded_at = ?4
                 WHERE tenant = ?1 AND kind = ?2 AND id = ?3",
            )?,
            add_entry: transaction.prepare_cached(
                "INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?,
            add_body: transaction.prepare_cached("INSERT INTO bodies VALUES (?1, ?2)")?,
            add_facets: transaction.prepare_cached("INSERT INTO facets VALUES (?1, ?2)")?,
        })
    }

    fn add(&mut self, record: AdmittedRecord) -> Result<(), Failure> {
        let tenant = self.tenant(&record.tenant)?;
        let kind = kind_number(record.kind);
        let source = self.source(&record.source)?;
        let document = params![tenant, kind, source, record.upstream_id];
        let head = self
            .head
            .query_row(document, |row| {
                Ok(Head {
                    document: row.get(0)?,
                    modified: row.get(1)?,
                    content_hash: Sha256Digest(row.get(2)?),
                    id: row.get(3)?,
                })
            })
            .optional()?;
        if let Some(head) = &head
            && (head.content_hash == record.content_hash
                || self
                    .is_older
                    .exists(params![head.document, record.content_hash.0])?)
        {
            self.appended.present += 1;
            return Ok(());
        }
        let snapshot = self.snapshot(tenant, &record)?;
        let seq = self.last_seq + 1;
        let modified = record.modified.map(|time| time.0);
        let mut superseded_at = None;
        match head {
            None => {
                self.new_document.execute(params![
                    tenant,
                    kind,
                    source,
                    record.upstream_id,
                    seq,
                    modified,
                    record.content_hash.0,
                    record.position.id
                ])?;
            }
            Some(head) => {
                self.appended.superseded += 1;
                // None is before every time, as the order of revisions has it.
                let order =
                    (modified, record.content_hash).cmp(&(head.modified, head.content_hash));
                if order == Ordering::Greater {
                    self.supersede
                        .execute(params![tenant, kind, head.id, seq])?;
                    self.add_older
                        .execute(params![head.document, head.content_hash.0])?;
                    self.new_head.execute(params![
                        tenant,
                        kind,
                        source,
                        record.upstream_id,
                        modified,
                        record.content_hash.0,
                        record.position.id
                    ])?;
                } else {
                    superseded_at = Some(seq);
                    self.add_older
                        .execute(params![head.document, record.content_hash.0])?;
                }
            }
        }
        self.insert(
            &record,
            (tenant, kind, source),
            snapshot,
            seq,
            superseded_at,
        )?;
        self.last_seq = seq;
        self.appended.added += 1;
        Ok(())
    }

    fn insert(
        &mut self,
        record: &AdmittedRecord,
        (tenant, kind, source): (i64, i64, i64),
        snapshot: Option<i64>,
        seq: i64,
        superseded_at: Option<i64>,
    ) -> Result<(), Failure> {
        let size = i64::try_from(record.canonical.len()).unwrap_or(i64::MAX);
        let inserted = self.add_entry.execute(params![
            tenant,
            kind,
            record.position.subject_key,
            record.position.id,
            seq,
            superseded_at,
            record.record_sha256.0,
            size,
            source,
            record.facets.recorded_at.map(|time| time.0),
            snapshot,
            GUARDRAILS_VERSION
        ]);
        match inserted {
            Err(rusqlite::Error::SqliteFailure(error, _))
                if error.code == rusqlite::ErrorCode::ConstraintViolation =>
            {
                return Err(Failure::port(
                    PortErrorKind::AlreadyExists,
                    format!(
                        "appending {} `{}` of {} from {}",
                        record.kind, record.position.id, record.tenant, record.source
                    ),
                ));
            }
            other => other?,
        };
        self.add_body.execute(params![seq, record.canonical])?;
        self.add_facets
            .execute(params![seq, StoredFacets::encode(&record.facets)])?;
        Ok(())
    }

    fn tenant(&mut self, tenant: &Tenant) -> Result<i64, Failure> {
        if let Some(number) = self.tenants.get(tenant) {
            return Ok(*number);
        }
        let number = intern_tenant(self.transaction, tenant)?;
        self.tenants.insert(tenant.clone(), number);
        Ok(number)
    }

    fn source(&mut self, source: &Source) -> Result<i64, Failure> {
        if let Some(number) = self.sources.get(source) {
            return Ok(*number);
        }
        let names = params![&*source.vendor, &*source.stream];
        let known: Option<i64> = self
            .transaction
            .query_row(
                "SELECT source FROM sources WHERE vendor = ?1 AND stream = ?2",
                names,
                |row| row.get(0),
            )
            .optional()?;
        let number = match known {
            Some(number) => number,
            None => {
                self.transaction
                    .execute("INSERT INTO sources(vendor, stream) VALUES (?1, ?2)", names)?;
                self.transaction.last_insert_rowid()
            }
        };
        self.sources.insert(source.clone(), number);
        Ok(number)
    }

    /// The snapshot that a new finding belongs to; refuses one that is frozen.
    fn snapshot(&mut self, tenant: i64, record: &AdmittedRecord) -> Result<Option<i64>, Failure> {
        let Some(id) = record
            .policy_snapshot_id
            .as_ref()
            .filter(|_| record.kind == Kind::Finding)
        else {
            return Ok(None);
        };
        let key = (tenant, id.clone());
        let (number, frozen) = match self.snapshots.get(&key) {
            Some(known) => *known,
            None => {
                self.transaction.execute(
                    "INSERT INTO snapshots(tenant, id) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                    params![tenant, id],
                )?;
                let found = self.transaction.query_row(
                    "SELECT snapshot, frozen FROM snapshots WHERE tenant = ?1 AND id = ?2",
                    params![tenant, id],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )?;
                self.snapshots.insert(key, found);
                found
            }
        };
        if frozen {
            return Err(Failure::port(
                PortErrorKind::Frozen,
                format!(
                    "adding finding `{}` of {} to policy snapshot {id}",
                    record.position.id, record.tenant
                ),
            ));
        }
        Ok(Some(number))
    }
}
