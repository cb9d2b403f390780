//! The collections of run state and gate: what their documents must have, and their indexes.
//!
//! Every `_id` is text that begins with the tenant, in an order that lists what belongs together
//! together; most questions are ranges of it. An index is here only for a question that is asked
//! otherwise; `docs/mongodb.md` says which is for what.

use export_model::RunStatus;
use mongodb::bson::{Document, doc};

use crate::schema::CollectionSchema;

pub(crate) const PROFILES: &str = "export_profiles";
pub(crate) const RUNS: &str = "export_runs";
pub(crate) const PARTS: &str = "export_inputs";
pub(crate) const DISTRIBUTIONS: &str = "export_distributions";
pub(crate) const EVENTS: &str = "export_events";
pub(crate) const WORK: &str = "export_work";
pub(crate) const SLOTS: &str = "export_slots";
pub(crate) const MARKS: &str = "export_marks";
pub(crate) const SCHEDULES: &str = "export_schedules";
pub(crate) const PROOFS: &str = "export_proofs";
pub(crate) const REQUESTS: &str = "export_requests";

/// For how long the server keeps what has expired: it does so by its own clock, which must not be
/// believed to the minute. Expired marks are removed by the tick before that.
const MARKS_GRACE_SECONDS: i64 = 86_400;
const PROOFS_GRACE_SECONDS: i64 = 900;
/// For how long a count of requests is kept after its first request.
const REQUESTS_SECONDS: i64 = 86_400;

const STATUSES: [RunStatus; 11] = [
    RunStatus::Pending,
    RunStatus::Planned,
    RunStatus::Exporting,
    RunStatus::Assembling,
    RunStatus::Signing,
    RunStatus::Distributing,
    RunStatus::Completed,
    RunStatus::Undelivered,
    RunStatus::Failed,
    RunStatus::Cancelling,
    RunStatus::Aborted,
];

fn text() -> Document {
    doc! { "bsonType": "string" }
}

fn date() -> Document {
    doc! { "bsonType": "date" }
}

fn whole(least: i64) -> Document {
    doc! { "bsonType": "long", "minimum": least }
}

/// A document of rows: its columns, and the row itself.
fn rows(required: Document, optional: Document) -> Document {
    let mut all = doc! {
        "_id": text(),
        "tenant": text(),
        "row": { "bsonType": "object" },
    };
    all.extend(required);
    schema(all, optional)
}

/// A row that is compared and set.
fn versioned(mut required: Document, optional: Document) -> Document {
    required.insert("rev", whole(1));
    rows(required, optional)
}

fn schema(required: Document, optional: Document) -> Document {
    let names: Vec<String> = required.keys().cloned().collect();
    let mut properties = required;
    properties.extend(optional);
    doc! { "bsonType": "object", "required": names, "properties": properties }
}

fn index(name: &str, key: Document) -> Document {
    doc! { "name": name, "key": key }
}

/// An index of the documents that have `member` alone.
fn partial(name: &str, key: Document, member: &str) -> Document {
    let filter = doc! { member: { "$exists": true } };
    doc! { "name": name, "key": key, "partialFilterExpression": filter }
}

/// An index by which the server removes documents `seconds` after the time in `member`.
fn expiring(name: &str, member: &str, seconds: i64) -> Document {
    doc! { "name": name, "key": { member: 1_i64 }, "expireAfterSeconds": seconds }
}

pub(crate) fn version_1() -> Vec<CollectionSchema> {
    let mut all = of_runs();
    all.extend(of_steps());
    all.extend(of_the_gate());
    all
}

fn of_runs() -> Vec<CollectionSchema> {
    let statuses: Vec<&str> = STATUSES.iter().map(|status| status.as_str()).collect();
    let run = doc! {
        "run": text(),
        "status": { "bsonType": "string", "enum": statuses },
        "admitted": { "bsonType": "bool" },
        "profile": text(),
        "submitted_at": date(),
    };
    let delivered = ["pending", "delivered", "failed"];
    let distribution = doc! {
        "run": text(),
        "index": whole(0),
        "status": { "bsonType": "string", "enum": delivered.as_slice() },
    };
    let profile = doc! { "name": text(), "revision": whole(1) };
    let part = doc! { "run": text(), "index": whole(0) };
    let event = doc! { "run": text(), "seq": whole(0), "at": date() };
    vec![
        CollectionSchema {
            name: PROFILES,
            schema: versioned(profile, doc! {}),
            indexes: vec![index(
                "by_name",
                doc! { "tenant": 1_i64, "name": 1_i64, "revision": -1_i64 },
            )],
        },
        CollectionSchema {
            name: RUNS,
            schema: versioned(run, doc! { "expires_at": date() }),
            indexes: vec![
                index(
                    "by_time",
                    doc! { "tenant": 1_i64, "submitted_at": 1_i64, "run": 1_i64 },
                ),
                index(
                    "by_profile",
                    doc! { "tenant": 1_i64, "profile": 1_i64, "submitted_at": 1_i64, "run": 1_i64 },
                ),
                index(
                    "by_status",
                    doc! { "tenant": 1_i64, "status": 1_i64, "submitted_at": 1_i64, "run": 1_i64 },
                ),
                partial(
                    "by_expiry",
                    doc! { "expires_at": 1_i64, "tenant": 1_i64, "run": 1_i64 },
                    "expires_at",
                ),
            ],
        },
        CollectionSchema {
            name: PARTS,
            schema: versioned(part, doc! {}),
            indexes: Vec::new(),
        },
        CollectionSchema {
            name: DISTRIBUTIONS,
            schema: versioned(distribution, doc! {}),
            indexes: Vec::new(),
        },
        CollectionSchema {
            name: EVENTS,
            schema: rows(event, doc! {}),
            indexes: Vec::new(),
        },
    ]
}

fn of_steps() -> Vec<CollectionSchema> {
    let work = doc! { "id": text(), "due_at": date() };
    let held = doc! { "run": text(), "token": text(), "checks": whole(0) };
    let by_due = doc! { "due_at": 1_i64, "tenant": 1_i64, "id": 1_i64 };
    vec![
        CollectionSchema {
            name: WORK,
            schema: versioned(work, held),
            indexes: vec![
                index("by_due", by_due.clone()),
                partial("leased", by_due, "token"),
            ],
        },
        CollectionSchema {
            name: SLOTS,
            schema: versioned(doc! {}, doc! {}),
            indexes: Vec::new(),
        },
        CollectionSchema {
            name: MARKS,
            schema: versioned(doc! { "key": text() }, doc! { "until": date() }),
            indexes: vec![expiring("expiring", "until", MARKS_GRACE_SECONDS)],
        },
        CollectionSchema {
            name: SCHEDULES,
            schema: versioned(doc! { "id": text() }, doc! { "next_at": date() }),
            indexes: vec![partial(
                "by_time",
                doc! { "next_at": 1_i64, "tenant": 1_i64, "id": 1_i64 },
                "next_at",
            )],
        },
    ]
}

fn of_the_gate() -> Vec<CollectionSchema> {
    let proof = doc! { "_id": { "bsonType": "binData" }, "until": date() };
    let requests = doc! {
        "_id": text(),
        "tenant": text(),
        "window": { "bsonType": "long" },
        "requests": whole(0),
        "since": date(),
    };
    vec![
        CollectionSchema {
            name: PROOFS,
            schema: schema(proof, doc! {}),
            indexes: vec![expiring("expiring", "until", PROOFS_GRACE_SECONDS)],
        },
        CollectionSchema {
            name: REQUESTS,
            schema: schema(requests, doc! {}),
            indexes: vec![expiring("expiring", "since", REQUESTS_SECONDS)],
        },
    ]
}
