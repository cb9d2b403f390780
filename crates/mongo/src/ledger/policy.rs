//! Policy snapshots: added once, frozen when a run refers to them.
//!
//! A snapshot without `json` is one that findings name and that was not imported yet.

use export_model::{PolicySnapshot, Tenant};
use export_ports::{PortError, PortErrorKind};
use mongodb::bson::{Document, RawDocument, doc};

use super::Store;
use super::call::damaged;
use super::entry::{date, key_of};
use super::schema::SNAPSHOTS;
use crate::failure::{failed, is_duplicate, is_write_conflict};

/// How often a write that met an append is tried again. The server itself makes it wait for the
/// append's end, unless that takes long.
const TRIED: u32 = 20;

/// A snapshot's `_id`. No tenant's name has a slash.
pub(super) fn key(tenant: &Tenant, id: &str) -> String {
    format!("{tenant}/{id}")
}

/// The statement that notes an append of findings to a snapshot: it makes the snapshot where it
/// is unknown, and collides with whoever freezes it at the same time.
pub(super) fn touch(tenant: &Tenant, id: &str) -> Document {
    doc! {
        "q": { "_id": key(tenant, id) },
        "u": {
            "$setOnInsert": { "tenant": tenant.as_str(), "id": id, "frozen": false },
            "$inc": { "appends": 1_i64 },
        },
        "upsert": true,
    }
}

fn parse(document: &RawDocument) -> Result<PolicySnapshot, PortError> {
    let bad = |why: String| damaged(SNAPSHOTS, key_of(document), why);
    let json = document.get_str("json").map_err(|e| bad(e.to_string()))?;
    serde_json::from_str(json).map_err(|error| bad(error.to_string()))
}

/// A snapshot by its id, or the newest.
pub(super) async fn snapshot(
    store: &Store,
    tenant: &Tenant,
    id: Option<&str>,
) -> Result<Option<PolicySnapshot>, PortError> {
    let mut filter = match id {
        Some(id) => doc! { "_id": key(tenant, id) },
        None => doc! { "tenant": tenant.as_str() },
    };
    filter.insert("json", doc! { "$exists": true });
    let found = store
        .raw(SNAPSHOTS)
        .find_one(filter)
        .sort(doc! { "created_at": -1, "id": -1 })
        .await
        .map_err(|error| failed(format!("reading a policy snapshot of {tenant}"), error))?;
    found.as_deref().map(parse).transpose()
}

/// Every snapshot that was imported: tenant, id, whether it is frozen.
pub(super) async fn all(store: &Store) -> Result<Vec<(Tenant, String, bool)>, PortError> {
    let doing = "listing policy snapshots";
    let mut cursor = store
        .raw(SNAPSHOTS)
        .find(doc! { "json": { "$exists": true } })
        .projection(doc! { "tenant": 1, "id": 1, "frozen": 1 })
        .await
        .map_err(|error| failed(doing, error))?;
    let mut snapshots = Vec::new();
    while cursor
        .advance()
        .await
        .map_err(|error| failed(doing, error))?
    {
        let found = cursor.current();
        let bad = |why: String| damaged(SNAPSHOTS, key_of(found), why);
        let tenant = found
            .get_str("tenant")
            .map_err(|e| bad(e.to_string()))?
            .parse()
            .map_err(|e: export_model::InvalidName| bad(e.to_string()))?;
        let id = found.get_str("id").map_err(|e| bad(e.to_string()))?;
        let frozen = found.get_bool("frozen").map_err(|e| bad(e.to_string()))?;
        snapshots.push((tenant, id.to_owned(), frozen));
    }
    snapshots.sort_unstable();
    Ok(snapshots)
}

/// Freezes a snapshot.
pub(super) async fn freeze(store: &Store, tenant: &Tenant, id: &str) -> Result<(), PortError> {
    let doing = || format!("freezing policy snapshot {id} of {tenant}");
    let filter = doc! { "_id": key(tenant, id), "json": { "$exists": true } };
    let found = update(store, filter, doc! { "$set": { "frozen": true } }, false)
        .await
        .map_err(|error| failed(doing(), error))?;
    if found == 0 {
        return Err(PortError::new(PortErrorKind::NotFound, doing()));
    }
    Ok(())
}

/// Adds a snapshot; says whether it is new.
pub(super) async fn add(store: &Store, snapshot: &PolicySnapshot) -> Result<bool, PortError> {
    let (tenant, id) = (&snapshot.tenant, &snapshot.policy_snapshot_id);
    let doing = || format!("adding policy snapshot {id} of {tenant}");
    let json = serde_json::to_string(snapshot)
        .map_err(|error| PortError::because(PortErrorKind::Invalid, doing(), error))?;
    // Where it is described already, the filter does not find it and `_id` refuses a second one.
    let filter = doc! { "_id": key(tenant, id), "json": { "$exists": false } };
    let update_with = doc! {
        "$setOnInsert": { "tenant": tenant.as_str(), "id": id, "frozen": false },
        "$set": { "created_at": date(snapshot.created_at), "json": json },
    };
    match update(store, filter, update_with, true).await {
        Ok(_) => Ok(true),
        Err(error) if is_duplicate(&error) => {
            match self::snapshot(store, tenant, Some(id)).await? {
                Some(known) if known == *snapshot => Ok(false),
                _ => Err(PortError::new(PortErrorKind::AlreadyExists, doing())),
            }
        }
        Err(error) => Err(failed(doing(), error)),
    }
}

/// Updates one document; says how many there were, made ones included.
async fn update(
    store: &Store,
    filter: Document,
    update: Document,
    upsert: bool,
) -> mongodb::error::Result<u64> {
    let mut tried = 1;
    loop {
        let done = store
            .documents(SNAPSHOTS)
            .update_one(filter.clone(), update.clone())
            .upsert(upsert)
            .await;
        match done {
            Ok(done) => {
                return Ok(done.matched_count + u64::from(done.upserted_id.is_some()));
            }
            Err(error) if is_write_conflict(&error) && tried < TRIED => {
                let pause = std::time::Duration::from_millis(10 * u64::from(tried));
                tokio::time::sleep(pause).await;
                tried += 1;
            }
            Err(error) => return Err(error),
        }
    }
}
