//! Reading at a watermark: index lines, pages of records, SBOMs by subject.

use std::collections::BTreeSet;

use export_model::{IndexEntry, Kind, Position, Tenant, Timestamp};
use export_ports::{PageBudget, PortError, RecordPage, Scan};
use mongodb::bson::doc;

use super::Store;
use super::append::no_counter;
use super::call::damaged;
use super::entry::{date, key_of, unsigned, watermark_number};
use super::page::Filling;
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
    spare: RecordPage,
) -> Result<RecordPage, PortError> {
    let mut page = Filling::new(spare, budget);
    let mut walk = Walk::new(store, scan, &range);
    let mut most = FIRST_LINES;
    loop {
        let asked = most.min(page.room());
        let lines = walk.next(asked).await?;
        let is_last = lines.len() < asked;
        if !lines.into_iter().all(|line| page.add(line)) || is_last {
            break;
        }
        most = (most * 2).min(MOST_LINES);
    }
    page.finish(store).await
}
