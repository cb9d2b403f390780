//! Appending a batch: one transaction, begun by writing the counter.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use export_model::{AdmittedRecord, Kind, Tenant, Timestamp};
use export_ports::{Appended, PortError, PortErrorKind};
use mongodb::ClientSession;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, Document, doc};
use mongodb::error::{Error, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use mongodb::options::{Acknowledgment, ReadConcern, ReturnDocument, WriteConcern};

use super::call::damaged;
use super::entry::{self, DocumentKey, MAX_RECORD_BYTES, snapshot_of};
use super::plan::{Known, Plan, plan};
use super::schema::{COMMITS, COUNTER, COUNTERS, ENTRIES, NEVER, SNAPSHOTS};
use super::{Store, body, policy};
use crate::failure::{failed, is_invalid, met_another};

/// Most records of one append. A transaction must end within MongoDB's
/// `transactionLifetimeLimitSeconds` (60 by default), and what it writes stays in the server's cache
/// until then.
pub const MAX_APPEND_RECORDS: usize = 50_000;
/// Most bytes of records of one append, for the same reasons.
pub const MAX_APPEND_BYTES: usize = 128 << 20;

/// Values of one `$in`, and statements of one command.
const CHUNK: usize = 1_000;
/// How long an append waits, in all, for appends of other processes.
const PATIENCE: Duration = Duration::from_secs(90);
const SHORTEST_WAIT: Duration = Duration::from_millis(4);
const LONGEST_WAIT: Duration = Duration::from_millis(256);
/// How often a commit whose outcome is unknown is asked for again.
const COMMITS_TRIED: u32 = 5;

/// Appends `records` at `now`.
pub(super) async fn append(
    store: &Store,
    mut records: Vec<AdmittedRecord>,
    now: Timestamp,
) -> Result<Appended, PortError> {
    check_size(&records)?;
    if records.is_empty() {
        return Ok(Appended::default());
    }
    // Stable: of several records with one identity, the first one given is kept.
    records.sort_by(|a, b| (&a.tenant, a.kind, &a.position).cmp(&(&b.tenant, b.kind, &b.position)));
    let keys: Vec<_> = records.iter().map(DocumentKey::of).collect();
    let batch = Batch {
        store,
        records: &records,
        keys: &keys,
        now,
    };
    let mut wait = SHORTEST_WAIT;
    let mut waited = Duration::ZERO;
    loop {
        match batch.attempt().await {
            Ok(appended) => return Ok(appended),
            Err(Failure::Port(error)) => return Err(error),
            Err(Failure::Driver(doing, error)) => {
                if !is_transient(&error) || waited >= PATIENCE {
                    return Err(failed(doing, error));
                }
                tracing::debug!(doing, "appending again: another append was first");
            }
        }
        let pause = wait / 2 + wait.mul_f64(jitter() / 2.0);
        tokio::time::sleep(pause).await;
        waited += pause;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

fn check_size(records: &[AdmittedRecord]) -> Result<(), PortError> {
    let refuse = |what: String| {
        let doing = format!("appending {what}");
        Err(PortError::new(PortErrorKind::Invalid, doing))
    };
    if records.len() > MAX_APPEND_RECORDS {
        return refuse(format!(
            "{} records at once (at most {MAX_APPEND_RECORDS})",
            records.len()
        ));
    }
    if let Some(large) = records
        .iter()
        .find(|record| record.canonical.len() > MAX_RECORD_BYTES)
    {
        return refuse(format!(
            "{} `{}` of {} bytes (at most {MAX_RECORD_BYTES})",
            large.kind,
            large.position.id,
            large.canonical.len()
        ));
    }
    let bytes: usize = records.iter().map(|record| record.canonical.len()).sum();
    if bytes > MAX_APPEND_BYTES {
        return refuse(format!(
            "{bytes} bytes at once (at most {MAX_APPEND_BYTES})"
        ));
    }
    Ok(())
}

/// From 0 to 1, so that appends that collided do not collide again: the driver's object ids begin
/// at a random number in each process and differ from call to call.
fn jitter() -> f64 {
    let id = ObjectId::new().bytes();
    let mixed = id
        .iter()
        .fold(0_u32, |sum, byte| sum.wrapping_mul(31) ^ u32::from(*byte));
    f64::from(mixed % 1_024) / 1_024.0
}

fn is_transient(error: &Error) -> bool {
    error.contains_label(TRANSIENT_TRANSACTION_ERROR) || met_another(error)
}

/// Why an attempt ended.
pub(super) enum Failure {
    /// For good.
    Port(PortError),
    /// A call of the driver failed, while doing what; another attempt may succeed.
    Driver(String, Error),
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        Self::Port(error)
    }
}

/// A driver's error while `doing` something.
pub(super) fn driver(doing: impl Into<String>) -> impl FnOnce(Error) -> Failure {
    let doing = doing.into();
    move |error| Failure::Driver(doing, error)
}

struct Batch<'a> {
    store: &'a Store,
    records: &'a [AdmittedRecord],
    keys: &'a [DocumentKey],
    now: Timestamp,
}

/// The last number that was given out, and when.
struct Counter {
    seq: i64,
    at: DateTime,
}

impl Batch<'_> {
    async fn attempt(&self) -> Result<Appended, Failure> {
        let doing = "beginning an append";
        let mut session = self
            .store
            .database
            .client()
            .start_session()
            .await
            .map_err(driver(doing))?;
        session
            .start_transaction()
            .read_concern(ReadConcern::snapshot())
            .write_concern(
                WriteConcern::builder()
                    .w(Acknowledgment::Majority)
                    .journal(true)
                    .build(),
            )
            .await
            .map_err(driver(doing))?;
        let outcome = self.write(&mut session).await;
        match outcome {
            Ok(appended) if appended.added > 0 => {
                commit(&mut session).await?;
                Ok(appended)
            }
            other => {
                // What could not be aborted ends with its session; the first error says why.
                if let Err(error) = session.abort_transaction().await {
                    tracing::debug!(%error, "an append could not be aborted");
                }
                other
            }
        }
    }

    async fn write(&self, session: &mut ClientSession) -> Result<Appended, Failure> {
        let counter = self.take_turn(session).await?;
        let known = self.known(session).await?;
        let plan = plan(self.records, self.keys, known, counter.seq);
        let Some(last) = plan.new.last() else {
            return Ok(plan.appended);
        };
        self.check_ids(session, &plan).await?;
        self.touch_snapshots(session, &plan).await?;
        self.supersede(session, &plan).await?;
        self.insert(session, &plan).await?;
        // Times never decrease, whatever the clock did.
        let at = entry::date(self.now).max(counter.at);
        self.store
            .documents(COMMITS)
            .insert_one(doc! { "_id": last.seq, "at": at })
            .session(&mut *session)
            .await
            .map_err(driver(format!("adding {} to {COMMITS}", last.seq)))?;
        self.store
            .documents(COUNTERS)
            .update_one(
                doc! { "_id": COUNTER },
                doc! { "$set": { "seq": last.seq, "at": at } },
            )
            .session(session)
            .await
            .map_err(driver("writing the ledger's counter"))?;
        Ok(plan.appended)
    }

    /// Writes the counter first of all: of two appends, one fails here and begins again.
    async fn take_turn(&self, session: &mut ClientSession) -> Result<Counter, Failure> {
        let counter = self
            .store
            .raw(COUNTERS)
            .find_one_and_update(
                doc! { "_id": COUNTER },
                doc! { "$inc": { "appends": 1_i64 } },
            )
            .return_document(ReturnDocument::After)
            .session(session)
            .await
            .map_err(|error| {
                // What was added is a number; what the validator refuses was there before.
                if is_invalid(&error) {
                    Failure::Port(damaged(COUNTERS, COUNTER, error))
                } else {
                    driver("taking the ledger's counter")(error)
                }
            })?
            .ok_or_else(no_counter)?;
        let bad = |error| damaged(COUNTERS, COUNTER, error);
        Ok(Counter {
            seq: counter.get_i64("seq").map_err(bad)?,
            at: counter.get_datetime("at").map_err(bad)?,
        })
    }

    /// What the ledger has of the batch's documents.
    async fn known(&self, session: &mut ClientSession) -> Result<Known, Failure> {
        let mut known = Known::default();
        let keys: BTreeSet<_> = self.keys.iter().collect();
        let keys: Vec<_> = keys.into_iter().collect();
        for chunk in keys.chunks(CHUNK) {
            let of: Vec<Bson> = chunk.iter().map(|key| entry::binary(&key.0)).collect();
            let filter = doc! { "document": { "$in": of }, "superseded_at": NEVER };
            self.revisions(session, filter, |key, revision| {
                known.head(key, revision.modified, revision.content_hash, revision.seq);
            })
            .await?;
        }
        let revised: Vec<_> = self
            .keys
            .iter()
            .zip(self.records)
            .filter(|(key, record)| known.has_another_head(**key, record.content_hash))
            .collect();
        for chunk in revised.chunks(CHUNK) {
            let documents: Vec<Bson> = chunk.iter().map(|(key, _)| entry::binary(&key.0)).collect();
            let hashes: Vec<Bson> = chunk
                .iter()
                .map(|(_, record)| entry::binary(&record.content_hash.0))
                .collect();
            let filter = doc! {
                "document": { "$in": documents },
                "content_hash": { "$in": hashes },
                "superseded_at": { "$lt": NEVER },
            };
            self.revisions(session, filter, |key, revision| {
                known.older(key, revision.content_hash);
            })
            .await?;
        }
        Ok(known)
    }

    async fn revisions(
        &self,
        session: &mut ClientSession,
        filter: Document,
        mut visit: impl FnMut(DocumentKey, Revision),
    ) -> Result<(), Failure> {
        let doing = "looking up what is there already";
        let mut cursor = self
            .store
            .raw(ENTRIES)
            .find(filter)
            .projection(doc! { "document": 1, "content_hash": 1, "modified": 1 })
            .session(&mut *session)
            .await
            .map_err(driver(doing))?;
        while cursor.advance(session).await.map_err(driver(doing))? {
            let found = cursor.current();
            let bad = |why: String| damaged(ENTRIES, entry::key_of(found), why);
            let key = entry::digest(found, "document").map_err(bad)?;
            let revision = Revision {
                seq: found.get_i64("_id").map_err(|e| bad(e.to_string()))?,
                modified: entry::time(found, "modified").map_err(bad)?,
                content_hash: entry::digest(found, "content_hash").map_err(bad)?,
            };
            visit(DocumentKey(key.0), revision);
        }
        Ok(())
    }

    fn new_records(&self, plan: &Plan) -> impl Iterator<Item = &AdmittedRecord> {
        plan.new.iter().map(|new| &self.records[new.record])
    }

    /// Refuses the batch where an `_id` is taken, in the ledger or by two records of the batch.
    async fn check_ids(&self, session: &mut ClientSession, plan: &Plan) -> Result<(), Failure> {
        let mut wanted: HashMap<(&Tenant, Kind), Vec<&str>> = HashMap::new();
        for record in self.new_records(plan) {
            wanted
                .entry((&record.tenant, record.kind))
                .or_default()
                .push(&record.position.id);
        }
        let mut taken: HashSet<(Tenant, Kind, String)> = HashSet::new();
        for ((tenant, kind), ids) in wanted {
            for chunk in ids.chunks(CHUNK) {
                let filter = doc! {
                    "tenant": tenant.as_str(), "kind": kind.as_str(), "id": { "$in": chunk },
                };
                let doing = format!("looking up ids of {tenant}");
                let mut cursor = self
                    .store
                    .raw(ENTRIES)
                    .find(filter)
                    .projection(doc! { "id": 1 })
                    .session(&mut *session)
                    .await
                    .map_err(driver(&doing))?;
                while cursor.advance(session).await.map_err(driver(&doing))? {
                    let found = cursor.current();
                    let id = found
                        .get_str("id")
                        .map_err(|error| damaged(ENTRIES, entry::key_of(found), error))?;
                    taken.insert((tenant.clone(), kind, id.to_owned()));
                }
            }
        }
        for record in self.new_records(plan) {
            let id = &record.position.id;
            if !taken.insert((record.tenant.clone(), record.kind, id.clone())) {
                let doing = format!(
                    "appending {} `{id}` of {} from {}",
                    record.kind, record.tenant, record.source
                );
                return Err(PortError::new(PortErrorKind::AlreadyExists, doing).into());
            }
        }
        Ok(())
    }

    /// Writes each snapshot that new findings belong to, so that it cannot be frozen meanwhile, and
    /// refuses the batch where one is frozen.
    async fn touch_snapshots(
        &self,
        session: &mut ClientSession,
        plan: &Plan,
    ) -> Result<(), Failure> {
        let named: BTreeSet<_> = self
            .new_records(plan)
            .filter_map(|record| Some((&record.tenant, snapshot_of(record)?)))
            .collect();
        let named: Vec<_> = named.into_iter().collect();
        for chunk in named.chunks(CHUNK) {
            let updates = chunk.iter().map(|(tenant, id)| policy::touch(tenant, id));
            self.update(session, SNAPSHOTS, updates.collect()).await?;
            let keys: Vec<_> = chunk
                .iter()
                .map(|(tenant, id)| policy::key(tenant, id))
                .collect();
            let frozen = self
                .store
                .raw(SNAPSHOTS)
                .find_one(doc! { "_id": { "$in": keys }, "frozen": true })
                .session(&mut *session)
                .await
                .map_err(driver("looking for frozen snapshots"))?;
            let Some(frozen) = frozen else { continue };
            let key = frozen.get_str("_id").unwrap_or_default();
            let refused = self.new_records(plan).find_map(|record| {
                let id = snapshot_of(record)?;
                (policy::key(&record.tenant, id) == key).then(|| {
                    format!(
                        "adding finding `{}` of {} to policy snapshot {id}",
                        record.position.id, record.tenant
                    )
                })
            });
            let doing = refused.unwrap_or_else(|| format!("adding to policy snapshot {key}"));
            return Err(PortError::new(PortErrorKind::Frozen, doing).into());
        }
        Ok(())
    }

    async fn supersede(&self, session: &mut ClientSession, plan: &Plan) -> Result<(), Failure> {
        for chunk in plan.superseded.chunks(CHUNK) {
            let updates: Vec<_> = chunk
                .iter()
                .map(|(old, by)| {
                    doc! { "q": { "_id": *old }, "u": { "$set": { "superseded_at": *by } } }
                })
                .collect();
            self.update(session, ENTRIES, updates).await?;
        }
        Ok(())
    }

    /// Many updates in one command, each of which must find its document.
    async fn update(
        &self,
        session: &mut ClientSession,
        collection: &str,
        updates: Vec<Document>,
    ) -> Result<(), Failure> {
        let doing = format!("updating {collection}");
        let wanted = updates.len();
        let answer = self
            .store
            .database
            .run_command(doc! { "update": collection, "updates": updates })
            .session(session)
            .await
            .map_err(driver(&doing))?;
        let found = match answer.get("n") {
            Some(Bson::Int32(n)) => usize::try_from(*n).ok(),
            Some(Bson::Int64(n)) => usize::try_from(*n).ok(),
            _ => None,
        };
        if answer.contains_key("writeErrors") || found != Some(wanted) {
            let doing = format!("{doing}: {found:?} of {wanted} were done");
            return Err(PortError::new(PortErrorKind::Unavailable, doing).into());
        }
        Ok(())
    }

    async fn insert(&self, session: &mut ClientSession, plan: &Plan) -> Result<(), Failure> {
        let mut entries = Vec::new();
        let mut bodies = body::Writer::new(self.store, self.now);
        for new in &plan.new {
            let record = &self.records[new.record];
            let file = if entry::facets_lie_apart(&record.facets) {
                Some(bodies.facets(session, new.seq, &record.facets).await?)
            } else {
                None
            };
            let key = self.keys[new.record];
            entries.push(entry::document(
                record,
                key,
                new.seq,
                new.superseded_at,
                file,
            ));
            if entries.len() == CHUNK {
                self.insert_entries(session, &mut entries).await?;
            }
            bodies.add(session, new.seq, &record.canonical).await?;
        }
        self.insert_entries(session, &mut entries).await?;
        bodies.finish(session).await
    }

    async fn insert_entries(
        &self,
        session: &mut ClientSession,
        entries: &mut Vec<Document>,
    ) -> Result<(), Failure> {
        if entries.is_empty() {
            return Ok(());
        }
        self.store
            .documents(ENTRIES)
            .insert_many(entries.drain(..))
            .session(session)
            .await
            .map_err(driver(format!("adding to {ENTRIES}")))?;
        Ok(())
    }
}

/// A revision that the ledger has.
struct Revision {
    seq: i64,
    modified: Option<i64>,
    content_hash: export_model::Sha256Digest,
}

/// The database was never prepared.
pub(super) fn no_counter() -> PortError {
    let doing = format!("reading `{COUNTER}` of {COUNTERS}, which preparing the database makes");
    PortError::new(PortErrorKind::NotFound, doing)
}

async fn commit(session: &mut ClientSession) -> Result<(), Failure> {
    let mut tried = 1;
    loop {
        match session.commit_transaction().await {
            Ok(()) => return Ok(()),
            // It may have happened: asking again tells, and never does it twice.
            Err(error)
                if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT)
                    && tried < COMMITS_TRIED =>
            {
                tried += 1;
            }
            Err(error) => return Err(driver("committing an append")(error)),
        }
    }
}
