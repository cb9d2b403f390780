//! What the ledger holds, counted in the database.

use export_model::{InvalidName, Tenant, UnknownKind};
use export_ports::{LedgerStats, PortError, SourceStats};
use mongodb::bson::{RawBsonRef, RawDocument, doc};
use mongodb::options::Hint;

use super::Store;
use super::call::damaged;
use super::entry::Sources;
use super::schema::{ENTRIES, NEVER, WALK};
use super::{policy, read};
use crate::failure::failed;

pub(super) async fn stats(store: &Store) -> Result<LedgerStats, PortError> {
    let doing = "counting records";
    let is_visible = doc! { "$eq": ["$superseded_at", NEVER] };
    let group = doc! {
        "_id": {
            "tenant": "$tenant", "kind": "$kind", "vendor": "$vendor", "stream": "$stream",
        },
        "records": { "$sum": { "$cond": [is_visible, 1_i64, 0_i64] } },
        "all": { "$sum": 1_i64 },
        "bytes": { "$sum": "$size" },
    };
    let mut cursor = store
        .raw(ENTRIES)
        .aggregate([doc! { "$group": group }])
        .hint(Hint::Name(WALK.to_owned()))
        .allow_disk_use(true)
        .await
        .map_err(|error| failed(doing, error))?;
    let mut sources = Vec::new();
    let mut names = Sources::default();
    while cursor
        .advance()
        .await
        .map_err(|error| failed(doing, error))?
    {
        sources.push(source(cursor.current(), &mut names)?);
    }
    sources.sort_by(|a, b| (&a.tenant, a.kind, &a.source).cmp(&(&b.tenant, b.kind, &b.source)));
    Ok(LedgerStats {
        sources,
        snapshots: policy::all(store).await?,
        watermark: read::watermark(store).await?,
    })
}

fn source(group: &RawDocument, names: &mut Sources) -> Result<SourceStats, PortError> {
    let bad = |why: String| damaged(ENTRIES, "a group of entries", why);
    let key = group.get_document("_id").map_err(|e| bad(e.to_string()))?;
    let text = |name: &str| key.get_str(name).map_err(|e| bad(e.to_string()));
    // Sums are as wide as they need to be.
    let number = |name: &str| match group.get(name) {
        Ok(Some(RawBsonRef::Int64(sum))) => Ok(u64::try_from(sum).unwrap_or(0)),
        Ok(Some(RawBsonRef::Int32(sum))) => Ok(u64::try_from(sum).unwrap_or(0)),
        _ => Err(bad(format!("`{name}` is no number"))),
    };
    let records = number("records")?;
    let tenant: Tenant = text("tenant")?
        .parse()
        .map_err(|e: InvalidName| bad(e.to_string()))?;
    Ok(SourceStats {
        tenant,
        kind: text("kind")?
            .parse()
            .map_err(|e: UnknownKind| bad(e.to_string()))?,
        source: names.get(text("vendor")?, text("stream")?),
        records,
        superseded: number("all")?.saturating_sub(records),
        bytes: number("bytes")?,
    })
}
