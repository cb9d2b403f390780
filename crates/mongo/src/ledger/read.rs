//! Reading at a watermark: index lines, pages of records, SBOMs by subject.

use std::collections::BTreeSet;

use export_model::{IndexEntry, Kind, Position, Tenant, Timestamp};
use export_ports::{PageBudget, PortError, RecordPage, RecordRef, Scan};
use mongodb::bson::doc;

use super::Store;
use super::append::no_counter;
use super::body::{self, Wanted};
use super::call::damaged;
use super::entry::{date, key_of, unsigned, watermark_number};
use super::schema::{COMMITS, COUNTER, COUNTERS, ENTRIES};
use super::walk::{Range, Walk};
use crate::failure::failed;

/// Lines that a page of records asks for first, and at most. How many fit is known only then.
const FIRST_LINES: usize = 256;
const MOST_LINES: usize = 8_192;

pub(super) async fn watermark(store: &Store) -> Result<u64, PortError> {
    let counter = store
        .raw(COUNTERS)
        .find_one(doc! { "_id": COUNTER })
        .await
        .map_err(|error| failed("reading the watermark", error))?
        .ok_or_else(no_counter)?;
    counter
        .get_i64("seq")
        .map(unsigned)
        .map_err(|error| damaged(COUNTERS, COUNTER, error))
}

pub(super) async fn watermark_at(store: &Store, time: Timestamp) -> Result<Option<u64>, PortError> {
    let found = store
        .raw(COMMITS)
        .find_one(doc! { "at": { "$lte": date(time) } })
        .sort(doc! { "at": -1, "_id": -1 })
        .await
        .map_err(|error| failed("reading a past watermark", error))?;
    found
        .map(|commit| {
            commit
                .get_i64("_id")
                .map(unsigned)
                .map_err(|error| damaged(COMMITS, key_of(&commit), error))
        })
        .transpose()
}

pub(super) async fn sboms(
    store: &Store,
    tenant: &Tenant,
    subject: &str,
    watermark: u64,
) -> Result<Vec<String>, PortError> {
    let doing = || format!("looking up SBOMs of {tenant}");
    let mut ids = BTreeSet::new();
    // Two queries, each of one index.
    for name in ["subject_key", "id"] {
        let watermark = watermark_number(watermark);
        let filter = doc! {
            "tenant": tenant.as_str(),
            "kind": Kind::Sbom.as_str(),
            name: subject,
            "seq": { "$lte": watermark },
            "superseded_at": { "$gt": watermark },
        };
        let mut cursor = store
            .raw(ENTRIES)
            .find(filter)
            .projection(doc! { "id": 1 })
            .await
            .map_err(|error| failed(doing(), error))?;
        while cursor
            .advance()
            .await
            .map_err(|error| failed(doing(), error))?
        {
            let found = cursor.current();
            let id = found
                .get_str("id")
                .map_err(|error| damaged(ENTRIES, key_of(found), error))?;
            ids.insert(id.to_owned());
        }
    }
    Ok(ids.into_iter().collect())
}

pub(super) async fn index(
    store: &Store,
    scan: &Scan,
    after: Option<Position>,
    limit: usize,
) -> Result<Vec<IndexEntry>, PortError> {
    let range = Range {
        lower: after.map(|after| (after, false)),
        upper: None,
    };
    let lines = Walk::new(store, scan, &range).next(limit).await?;
    Ok(lines.into_iter().map(|line| line.entry).collect())
}

pub(super) async fn records(
    store: &Store,
    scan: &Scan,
    range: Range,
    budget: PageBudget,
    mut page: RecordPage,
) -> Result<RecordPage, PortError> {
    page.records.clear();
    page.bytes.clear();
    let mut walk = Walk::new(store, scan, &range);
    let mut wanted = Vec::new();
    let (mut end, mut asked, mut is_full) = (0_usize, FIRST_LINES, false);
    while !is_full {
        // At least one record, whatever the budget.
        let room = budget.records.max(1) - page.records.len();
        let lines = walk.next(asked.min(room)).await?;
        is_full = lines.len() < asked.min(room);
        for line in lines {
            // The size of a line is checked when it is read: it is that of some record.
            let next = end + usize::try_from(line.entry.size).unwrap_or(usize::MAX - end);
            if end > 0 && next > budget.bytes {
                is_full = true;
                break;
            }
            wanted.push(Wanted {
                seq: line.seq,
                place: end..next,
            });
            page.records.push(RecordRef {
                id: line.entry.position.id,
                subject_key: line.entry.position.subject_key,
                bytes: end..next,
                record_sha256: line.entry.record_sha256,
                admitted: line.admitted,
            });
            end = next;
        }
        is_full = is_full || page.records.len() >= budget.records;
        asked = (asked * 2).min(MOST_LINES);
    }
    page.bytes.resize(end, 0);
    body::read(store, wanted, &mut page.bytes).await?;
    Ok(page)
}
