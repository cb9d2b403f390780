//! Reading at a watermark: the walk over the index, and pages of records.

use std::collections::HashMap;

use export_model::{
    GUARDRAILS_VERSION, IndexEntry, Kind, Matcher, Position, Revisions, Sha256Digest, Source,
    StoredFacets, Tenant,
};
use export_ports::{PageBudget, RecordPage, RecordRef, Scan};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{kind_number, source_by_number, tenant_number, unsigned, watermark_number};
use crate::failure::Failure;

/// Most bytes of a page that are set aside before its records are read.
const PAGE_CAPACITY: usize = 16 << 20;

pub(super) fn watermark(connection: &Connection) -> Result<u64, Failure> {
    let seq: i64 = connection
        .prepare_cached("SELECT ifnull(max(seq), 0) FROM commits")?
        .query_row([], |row| row.get(0))?;
    Ok(unsigned(seq))
}

pub(super) fn sboms(
    connection: &Connection,
    tenant: &Tenant,
    subject: &str,
    watermark: u64,
) -> Result<Vec<String>, Failure> {
    let Some(tenant) = tenant_number(connection, tenant)? else {
        return Ok(Vec::new());
    };
    let mut statement = connection.prepare_cached(
        "SELECT id FROM entries
         WHERE tenant = ?1 AND kind = ?2 AND subject_key = ?3
           AND seq <= ?4 AND (superseded_at IS NULL OR superseded_at > ?4)
         UNION
         SELECT id FROM entries
         WHERE tenant = ?1 AND kind = ?2 AND id = ?3
           AND seq <= ?4 AND (superseded_at IS NULL OR superseded_at > ?4)
         ORDER BY id",
    )?;
    let ids = statement
        .query_map(
            params![
                tenant,
                kind_number(Kind::Sbom),
                subject,
                watermark_number(watermark)
            ],
            |row| row.get(0),
        )?
        .collect::<rusqlite::Result<_>>()?;
    Ok(ids)
}

pub(super) fn index(
    connection: &Connection,
    scan: &Scan,
    after: Option<&Position>,
    limit: usize,
) -> Result<Vec<IndexEntry>, Failure> {
    let mut lines = Vec::new();
    if limit == 0 {
        return Ok(lines);
    }
    let walk = Walk {
        lower: after.map(|position| (position, false)),
        upper: None,
        bodies: false,
    };
    walk.run(connection, scan, |row, source, _| {
        lines.push(IndexEntry {
            position: Position {
                subject_key: row.get_ref(0)?.as_str()?.to_owned(),
                id: row.get_ref(1)?.as_str()?.to_owned(),
            },
            record_sha256: digest(row.get_ref(2)?)?,
            size: unsigned(row.get_ref(3)?.as_i64()?),
            source: source.clone(),
        });
        Ok(lines.len() < limit)
    })?;
    Ok(lines)
}

pub(super) fn records(
    connection: &Connection,
    scan: &Scan,
    lower: (&Position, bool),
    last: &Position,
    budget: PageBudget,
    mut page: RecordPage,
) -> Result<RecordPage, Failure> {
    page.records.clear();
    page.bytes.clear();
    page.bytes.reserve(budget.bytes.min(PAGE_CAPACITY));
    add_records(connection, scan, (lower, last), budget, &mut page)?;
    Ok(page)
}

pub(super) fn pick(
    connection: &Connection,
    scan: &Scan,
    positions: &[Position],
    budget: PageBudget,
    mut page: RecordPage,
) -> Result<RecordPage, Failure> {
    page.records.clear();
    page.bytes.clear();
    for position in positions {
        let range = ((position, true), position);
        if !add_records(connection, scan, range, budget, &mut page)? {
            break;
        }
    }
    Ok(page)
}

/// Adds the records of a range to a page; says whether the page has room for more.
fn add_records(
    connection: &Connection,
    scan: &Scan,
    (lower, last): ((&Position, bool), &Position),
    budget: PageBudget,
    page: &mut RecordPage,
) -> Result<bool, Failure> {
    let walk = Walk {
        lower: Some(lower),
        upper: Some(last),
        bodies: true,
    };
    let mut has_room = true;
    walk.run(connection, scan, |row, _, body| {
        let id = row.get_ref(1)?.as_str()?;
        let ValueRef::Blob(body) = body else {
            return Err(Failure::Damaged(format!("record `{id}` has no bytes")));
        };
        let start = page.bytes.len();
        if start > 0 && start + body.len() > budget.bytes {
            has_room = false;
            return Ok(false);
        }
        page.bytes.extend_from_slice(body);
        page.records.push(RecordRef {
            id: id.to_owned(),
            subject_key: row.get_ref(0)?.as_str()?.to_owned(),
            bytes: start..page.bytes.len(),
            record_sha256: digest(row.get_ref(2)?)?,
            admitted: row.get_ref(4)?.as_i64()? == i64::from(GUARDRAILS_VERSION),
        });
        has_room = page.records.len() < budget.records;
        Ok(has_room)
    })?;
    Ok(has_room)
}

fn digest(value: ValueRef<'_>) -> Result<Sha256Digest, Failure> {
    value
        .as_blob()
        .ok()
        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
        .map(Sha256Digest)
        .ok_or_else(|| Failure::Damaged("a record's digest has not 32 bytes".into()))
}

// Columns of the walk: subject_key, id, record_sha256, size, guardrails, source, recorded_at, seq,
// then the record's bytes and its facets, NULL where they are not asked for.
const SEQ: usize = 7;
const BODY: usize = 8;
const FACETS: usize = 9;

/// A walk over the index in canonical order.
struct Walk<'a> {
    /// Where it begins, and whether that is part of it.
    lower: Option<(&'a Position, bool)>,
    /// Where it ends, inclusive.
    upper: Option<&'a Position>,
    /// Whether it reads the records too.
    bodies: bool,
}

impl Walk<'_> {
    /// Calls `visit` for each record that is visible and selected, until it says to stop.
    fn run(
        &self,
        connection: &Connection,
        scan: &Scan,
        mut visit: impl FnMut(&Row<'_>, &Source, ValueRef<'_>) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let matcher = Matcher::new(&scan.selectors, scan.kind);
        let Some(tenant) = tenant_number(connection, &scan.tenant)? else {
            return Ok(());
        };
        if matcher.selects_nothing() {
            return Ok(());
        }
        let snapshot = match &scan.policy_snapshot_id {
            Some(id) if scan.kind == Kind::Finding => {
                match snapshot_number(connection, tenant, id)? {
                    Some(number) => Some(number),
                    None => return Ok(()),
                }
            }
            _ => None,
        };
        let everything = matcher.selects_everything();
        let mut statement = connection.prepare_cached(&self.sql(scan, &matcher))?;
        let mut body = connection.prepare_cached("SELECT body FROM bodies WHERE seq = ?1")?;
        let lower = self.lower.map(|(position, _)| position);
        let mut rows = statement.query(params![
            tenant,
            kind_number(scan.kind),
            watermark_number(scan.watermark),
            snapshot,
            lower.map_or("", |p| &p.subject_key),
            lower.map_or("", |p| &p.id),
            self.upper.map_or("", |p| &p.subject_key),
            self.upper.map_or("", |p| &p.id),
        ])?;
        let mut sources = HashMap::new();
        while let Some(row) = rows.next()? {
            let number = row.get_ref(5)?.as_i64()?;
            let source = match sources.entry(number) {
                std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::hash_map::Entry::Vacant(slot) => {
                    slot.insert(source_by_number(connection, number)?)
                }
            };
            let selected = everything || {
                let facets = match row.get_ref(FACETS)? {
                    ValueRef::Blob(blob) => StoredFacets::parse(blob).ok_or_else(|| {
                        Failure::Damaged("what selectors look at is not as it was written".into())
                    })?,
                    _ => StoredFacets::default(),
                };
                matcher.matches(source, row.get_ref(6)?.as_i64_or_null()?, facets)
            };
            if !selected {
                continue;
            }
            let more = if self.bodies && !everything {
                let mut found = body.query([row.get_ref(SEQ)?.as_i64()?])?;
                match found.next()? {
                    Some(body) => visit(row, source, body.get_ref(0)?)?,
                    None => visit(row, source, ValueRef::Null)?,
                }
            } else {
                visit(row, source, row.get_ref(BODY)?)?
            };
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn sql(&self, scan: &Scan, matcher: &Matcher) -> String {
        // CROSS JOIN and LEFT JOIN keep the walk outermost. Every parameter is named in each form,
        // so that one list of values fits them all.
        let lower = match self.lower {
            Some((_, false)) => ">",
            _ => ">=",
        };
        let upper = if self.upper.is_some() {
            "AND (e.subject_key, e.id) <= (?7, ?8)"
        } else {
            "AND ?7 = '' AND ?8 = ''"
        };
        // Joined where every record is wanted, which is fastest; looked up one by one otherwise, so
        // that records that are not selected are not read.
        let (body, bodies) = if self.bodies && matcher.selects_everything() {
            ("b.body", "LEFT JOIN bodies b ON b.seq = e.seq")
        } else {
            ("NULL", "")
        };
        let (facet, facets) = if matcher.needs_facets() {
            ("f.facets", "LEFT JOIN facets f ON f.seq = e.seq")
        } else {
            ("NULL", "")
        };
        let superseded = match scan.revisions {
            Revisions::Newest => "AND (e.superseded_at IS NULL OR e.superseded_at > ?3)",
            Revisions::All => "",
        };
        format!(
            "SELECT e.subject_key, e.id, e.record_sha256, e.size, e.guardrails, e.source,
                    e.recorded_at, e.seq, {body}, {facet}
             FROM entries e {facets} {bodies}
             WHERE e.tenant = ?1 AND e.kind = ?2 AND e.seq <= ?3 {superseded}
               AND (?4 IS NULL OR e.snapshot = ?4)
               AND (e.subject_key, e.id) {lower} (?5, ?6) {upper}
             ORDER BY e.subject_key, e.id"
        )
    }
}

fn snapshot_number(
    connection: &Connection,
    tenant: i64,
    id: &str,
) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT snapshot FROM snapshots WHERE tenant = ?1 AND id = ?2")?
        .query_row(params![tenant, id], |row| row.get(0))
        .optional()
}
