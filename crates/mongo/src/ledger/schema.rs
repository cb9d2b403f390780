//! The ledger's collections, their validators and their indexes. `docs/mongodb-ledger.md` says
//! which query each index serves.

use export_ports::PortError;
use mongodb::bson::{Bson, DateTime, Document, doc};
use mongodb::error::{Error, ErrorKind};
use mongodb::options::IndexOptions;
use mongodb::{Database, IndexModel};

use crate::failure::{failed, is_duplicate};

pub(super) const ENTRIES: &str = "ledger_entries";
pub(super) const BODIES: &str = "ledger_bodies";
pub(super) const LARGE_FILES: &str = "ledger_bodies_large.files";
pub(super) const LARGE_CHUNKS: &str = "ledger_bodies_large.chunks";
pub(super) const SNAPSHOTS: &str = "ledger_snapshots";
pub(super) const COMMITS: &str = "ledger_commits";
pub(super) const COUNTERS: &str = "ledger_counters";

/// `_id` of the one counter.
pub(super) const COUNTER: &str = "ledger";
/// `superseded_at` of a record that nothing has superseded.
pub(super) const NEVER: i64 = i64::MAX;
/// The index that holds all of an index line, in canonical order.
pub(super) const WALK: &str = "walk";

/// Server codes (MongoDB manual, "Error Codes").
const NAMESPACE_EXISTS: i32 = 48;

/// Makes what is missing. Safe to run again, and for several at once.
pub(crate) async fn migrate(database: &Database) -> Result<(), PortError> {
    for (name, validator) in validators() {
        let doing = || format!("making collection {name}");
        let validator = doc! { "$jsonSchema": validator };
        let made = database
            .create_collection(name)
            .validator(validator.clone())
            .await;
        match made {
            Ok(()) => {}
            Err(error) if is_namespace_exists(&error) => {
                database
                    .run_command(doc! { "collMod": name, "validator": validator })
                    .await
                    .map_err(|error| failed(doing(), error))?;
            }
            Err(error) => return Err(failed(doing(), error)),
        }
    }
    for (name, indexes) in indexes() {
        database
            .collection::<Document>(name)
            .create_indexes(indexes)
            .await
            .map_err(|error| failed(format!("making the indexes of {name}"), error))?;
    }
    let first = doc! { "seq": 0_i64, "appends": 0_i64, "at": DateTime::from_millis(0) };
    let made = database
        .collection::<Document>(COUNTERS)
        .update_one(doc! { "_id": COUNTER }, doc! { "$setOnInsert": first })
        .upsert(true)
        .await;
    match made {
        Err(error) if !is_duplicate(&error) => Err(failed("making the ledger's counter", error)),
        _ => Ok(()),
    }
}

fn is_namespace_exists(error: &Error) -> bool {
    matches!(error.kind.as_ref(), ErrorKind::Command(command) if command.code == NAMESPACE_EXISTS)
}

/// A document with these members, required ones first.
fn object(required: &[(&str, &str)], optional: &[(&str, &str)]) -> Document {
    let mut properties = Document::new();
    for (name, of) in required.iter().chain(optional) {
        properties.insert(*name, doc! { "bsonType": *of });
    }
    let names: Vec<Bson> = required.iter().map(|(name, _)| (*name).into()).collect();
    doc! { "bsonType": "object", "required": names, "properties": properties }
}

fn validators() -> [(&'static str, Document); 5] {
    let mut entry = object(
        &[
            ("_id", "long"),
            ("seq", "long"),
            ("tenant", "string"),
            ("kind", "string"),
            ("subject_key", "string"),
            ("id", "string"),
            ("superseded_at", "long"),
            ("sha256", "binData"),
            ("size", "long"),
            ("guardrails", "long"),
            ("vendor", "string"),
            ("stream", "string"),
            ("document", "binData"),
            ("content_hash", "binData"),
        ],
        &[
            ("modified", "date"),
            ("recorded_at", "date"),
            ("snapshot", "string"),
            ("ecosystems", "array"),
            ("products", "array"),
            ("sbom_subjects", "array"),
            ("identifiers", "array"),
            ("facets_file", "objectId"),
        ],
    );
    if let Ok(properties) = entry.get_document_mut("properties") {
        properties.insert(
            "kind",
            doc! { "enum": ["advisory", "finding", "sbom", "vex"] },
        );
    }
    let mut body = object(
        &[("_id", "long")],
        &[("bytes", "binData"), ("file", "objectId")],
    );
    body.insert(
        "oneOf",
        vec![
            doc! { "required": ["bytes"] },
            doc! { "required": ["file"] },
        ],
    );
    [
        (ENTRIES, entry),
        (BODIES, body),
        (
            SNAPSHOTS,
            object(
                &[
                    ("_id", "string"),
                    ("tenant", "string"),
                    ("id", "string"),
                    ("frozen", "bool"),
                ],
                &[
                    ("appends", "long"),
                    ("created_at", "date"),
                    ("json", "string"),
                ],
            ),
        ),
        (COMMITS, object(&[("_id", "long"), ("at", "date")], &[])),
        (
            COUNTERS,
            object(
                &[
                    ("_id", "string"),
                    ("seq", "long"),
                    ("appends", "long"),
                    ("at", "date"),
                ],
                &[],
            ),
        ),
    ]
}

fn index(name: &str, keys: Document) -> IndexModel {
    let options = IndexOptions::builder().name(name.to_owned()).build();
    IndexModel::builder().keys(keys).options(options).build()
}

fn unique(name: &str, keys: Document) -> IndexModel {
    let options = IndexOptions::builder()
        .name(name.to_owned())
        .unique(true)
        .build();
    IndexModel::builder().keys(keys).options(options).build()
}

fn indexes() -> Vec<(&'static str, Vec<IndexModel>)> {
    let facet = |name: &str| {
        let keys = doc! { "tenant": 1, "kind": 1, name: 1, "subject_key": 1, "id": 1 };
        index(name, keys)
    };
    let entries = vec![
        index(
            WALK,
            doc! {
                "tenant": 1, "kind": 1, "subject_key": 1, "id": 1,
                "seq": 1, "superseded_at": 1, "sha256": 1, "size": 1, "guardrails": 1,
                "vendor": 1, "stream": 1, "recorded_at": 1,
            },
        ),
        unique("by_id", doc! { "tenant": 1, "kind": 1, "id": 1 }),
        unique("revisions", doc! { "document": 1, "content_hash": 1 }),
        // It could be unique: no two are the newest, and one number supersedes one revision. That
        // would need a server that frees a unique key when an update moves a document away from it,
        // and not all that speak the protocol do. The counter sees to it.
        index("heads", doc! { "document": 1, "superseded_at": 1 }),
        index(
            "by_snapshot",
            doc! { "tenant": 1, "kind": 1, "snapshot": 1, "subject_key": 1, "id": 1 },
        ),
        facet("ecosystems"),
        facet("products"),
        facet("sbom_subjects"),
        facet("identifiers"),
    ];
    let newest = doc! { "tenant": 1, "created_at": -1, "id": -1 };
    vec![
        (ENTRIES, entries),
        (SNAPSHOTS, vec![index("newest", newest)]),
        (COMMITS, vec![index("by_time", doc! { "at": 1, "_id": 1 })]),
        // As the GridFS specification has them, so that its tools find what they expect.
        (
            LARGE_FILES,
            vec![index(
                "filename_1_uploadDate_1",
                doc! { "filename": 1, "uploadDate": 1 },
            )],
        ),
        (
            LARGE_CHUNKS,
            vec![unique("files_id_1_n_1", doc! { "files_id": 1, "n": 1 })],
        ),
    ]
}
