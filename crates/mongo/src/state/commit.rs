//! Committing: every condition checked and every effect made, or nothing.
//!
//! A single change of a single document is atomic without a session, and the driver repeats it
//! safely when its answer is lost. That is most of what is committed: taking a step, renewing a
//! lease, marking. Everything else is a transaction: snapshot reads, acknowledged by a majority.
//!
//! Two transactions that want one document do not wait for each other: the later one is told to
//! begin again. It does so here a few times, for those that do not mind each other (a check of a
//! lease and its renewal). Where they do, the compare-and-set fails when it begins again, and that
//! is the caller's to decide.
//!
//! A transaction that begins again because nobody could say whether it was committed may meet its own
//! writes. That is then not told as a conflict, which would mean that nothing of it was done.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use export_ports::{PortError, PortErrorKind};
use mongodb::bson::{Bson, Document, doc};
use mongodb::error::{Error, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use mongodb::options::ReadConcern;
use mongodb::{ClientSession, Database};
use tokio::time::Instant;

use super::statements::{Action, Change, Deletion, Insertion, Statement, Update};
use crate::call::{collection, durable};
use crate::failure::{code, failed, is_duplicate, is_write_conflict, refused};

/// How often a transaction is begun again at most.
const AGAIN: u32 = 7;
/// For how long a transaction is begun again, and an unknown outcome is asked for.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest pause before the first repetition; it doubles with each.
const PAUSE: Duration = Duration::from_millis(4);
/// Statements of one command. The server takes 100,000, in 48 MB.
const BATCH: usize = 500;

/// Why an attempt failed.
enum Refusal {
    /// For good, in words.
    Port(PortError),
    /// The driver says so.
    Driver(String, Error),
    /// Somebody else's transaction was in the way.
    InTheWay(String),
    /// The driver says so of the commit itself.
    Commit(Error),
}

/// Makes every statement, or none.
pub(super) async fn commit(
    database: Database,
    statements: Vec<Statement>,
) -> Result<(), PortError> {
    match statements.as_slice() {
        [] => Ok(()),
        [only] => match alone(&database, only).await {
            Some(outcome) => outcome,
            None => transact(&database, &statements).await,
        },
        _ => transact(&database, &statements).await,
    }
}

fn conflict(doing: &str) -> PortError {
    PortError::new(PortErrorKind::Conflict, doing)
}

/// Makes a statement that is a single change of a single document; none where it is not.
async fn alone(database: &Database, statement: &Statement) -> Option<Result<(), PortError>> {
    let collection = collection(database, statement.collection);
    let (doing, outcome) = match &statement.action {
        Action::Insert(list) => {
            let [Insertion { document, doing }] = list.as_slice() else {
                return None;
            };
            let inserted = collection.insert_one(document).await;
            (doing, inserted.map(|_| 1))
        }
        Action::Change(list) => {
            let [change] = list.as_slice() else {
                return None;
            };
            let (document, upsert) = match &change.update {
                Update::Replace(document) => (document, false),
                Update::Put(document) => (document, true),
                Update::Apply(_) => return None,
            };
            let replaced = collection
                .replace_one(change.filter.clone(), document)
                .upsert(upsert)
                .await;
            let count = replaced.map(|done| {
                let inserted = u64::from(done.upserted_id.is_some());
                done.matched_count.max(inserted)
            });
            (&change.doing, count)
        }
        Action::Delete(list) => {
            let [Deletion { filter, doing }] = list.as_slice() else {
                return None;
            };
            let deleted = collection.delete_one(filter.clone()).await;
            (doing, deleted.map(|done| done.deleted_count))
        }
        Action::Clear(_) => return None,
    };
    Some(match outcome {
        Ok(1) => Ok(()),
        Ok(_) => Err(conflict(doing)),
        Err(error) if is_duplicate(&error) => Err(conflict(doing)),
        Err(error) => Err(failed(doing, error)),
    })
}

async fn transact(database: &Database, statements: &[Statement]) -> Result<(), PortError> {
    let doing = "committing a transaction";
    let started = Instant::now();
    let mut attempt = 0;
    let mut uncertain = false;
    loop {
        let mut session = database
            .client()
            .start_session()
            .await
            .map_err(|error| failed(doing, error))?;
        let (what, error) = match in_session(database, &mut session, statements).await {
            Ok(()) => return Ok(()),
            Err(Refusal::Port(error)) => {
                // Answered before anybody else is told, so that whoever reads again and decides
                // again meets nothing of it.
                let _ = session.abort_transaction().await;
                return Err(if uncertain && error.is_conflict() {
                    let cause = "it may have been committed before, when the answer was lost";
                    PortError::because(PortErrorKind::Unavailable, doing, cause)
                } else {
                    error
                });
            }
            Err(Refusal::InTheWay(what)) => (what, None),
            Err(Refusal::Driver(what, error)) => (what, Some(error)),
            Err(Refusal::Commit(error)) => {
                uncertain |= !code(&error).is_some_and(is_write_conflict);
                (doing.to_owned(), Some(error))
            }
        };
        if let Some(error) = &error
            && !error.contains_label(TRANSIENT_TRANSACTION_ERROR)
        {
            return Err(failed(what, error.clone()));
        }
        if attempt == AGAIN || started.elapsed() >= PATIENCE {
            return Err(match error {
                Some(error) => failed(what, error),
                None => conflict(&what),
            });
        }
        let pause = pause(&session, attempt);
        // Where a transaction is still open, the driver aborts it.
        drop(session);
        tokio::time::sleep(pause).await;
        attempt += 1;
    }
}

/// A part of the longest pause, by the session's random id: two that met do not meet again.
fn pause(session: &ClientSession, attempt: u32) -> Duration {
    let mut hasher = DefaultHasher::new();
    session.id().to_string().hash(&mut hasher);
    attempt.hash(&mut hasher);
    let share = u32::try_from(hasher.finish() % 1_024).unwrap_or(0) + 1;
    (PAUSE * (1 << attempt)) * share / 1_024
}

async fn in_session(
    database: &Database,
    session: &mut ClientSession,
    statements: &[Statement],
) -> Result<(), Refusal> {
    let doing = "committing a transaction";
    session
        .start_transaction()
        .read_concern(ReadConcern::snapshot())
        .write_concern(durable())
        .await
        .map_err(|error| Refusal::Driver(doing.to_owned(), error))?;
    for statement in statements {
        make(database, session, statement).await?;
    }
    let started = Instant::now();
    loop {
        match session.commit_transaction().await {
            Ok(()) => return Ok(()),
            // It may have been committed; asking again commits it once at most.
            Err(error)
                if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT)
                    && started.elapsed() < PATIENCE => {}
            Err(error) => return Err(Refusal::Commit(error)),
        }
    }
}

async fn make(
    database: &Database,
    session: &mut ClientSession,
    statement: &Statement,
) -> Result<(), Refusal> {
    let name = statement.collection;
    match &statement.action {
        Action::Insert(list) => {
            let documents = list.iter().map(|insertion| &insertion.document);
            let inserted = collection(database, name)
                .insert_many(documents)
                .session(&mut *session)
                .await;
            let doing = || about(name, list.iter().map(|one| &one.doing));
            match inserted {
                Ok(_) => Ok(()),
                Err(error) if is_duplicate(&error) => Err(Refusal::Port(conflict(&doing()))),
                Err(error) => Err(Refusal::Driver(doing(), error)),
            }
        }
        Action::Change(list) => {
            for some in list.chunks(BATCH) {
                let updates: Vec<Document> = some.iter().map(update).collect();
                let command = doc! { "update": name, "updates": updates, "ordered": true };
                let doing = || about(name, some.iter().map(|one| &one.doing));
                run(database, session, command, some.len(), &doing).await?;
            }
            Ok(())
        }
        Action::Delete(list) => {
            for some in list.chunks(BATCH) {
                let deletes: Vec<Document> = some
                    .iter()
                    .map(|one| doc! { "q": one.filter.clone(), "limit": 1_i64 })
                    .collect();
                let command = doc! { "delete": name, "deletes": deletes, "ordered": true };
                let doing = || about(name, some.iter().map(|one| &one.doing));
                run(database, session, command, some.len(), &doing).await?;
            }
            Ok(())
        }
        Action::Clear(filter) => {
            let deleted = collection(database, name)
                .delete_many(filter.clone())
                .session(&mut *session)
                .await;
            let doing = || format!("clearing what a run has in {name}");
            deleted
                .map(|_| ())
                .map_err(|error| Refusal::Driver(doing(), error))
        }
    }
}

fn update(change: &Change) -> Document {
    let (update, upsert) = match &change.update {
        Update::Replace(document) | Update::Apply(document) => (document, false),
        Update::Put(document) => (document, true),
    };
    doc! { "q": change.filter.clone(), "u": update.clone(), "upsert": upsert }
}

/// What is being done: the one thing, or the first of many.
fn about<'a>(collection: &str, mut doing: impl ExactSizeIterator<Item = &'a String>) -> String {
    let count = doing.len();
    match (doing.next(), count) {
        (Some(only), 1) => only.clone(),
        (Some(first), _) => format!("{first} and {} more in {collection}", count - 1),
        (None, _) => format!("writing nothing in {collection}"),
    }
}

/// Runs a command of several statements, each of which must find its document.
async fn run(
    database: &Database,
    session: &mut ClientSession,
    command: Document,
    expected: usize,
    doing: &(impl Fn() -> String + Sync),
) -> Result<(), Refusal> {
    let answer = database
        .run_command(command)
        .session(session)
        .await
        .map_err(|error| {
            if is_duplicate(&error) {
                Refusal::Port(conflict(&doing()))
            } else {
                Refusal::Driver(doing(), error)
            }
        })?;
    if let Some(first) = answer
        .get_array("writeErrors")
        .ok()
        .and_then(|errors| errors.first())
        .and_then(Bson::as_document)
    {
        let code = count(first.get("code")).and_then(|code| i32::try_from(code).ok());
        let code = code.unwrap_or(0);
        let message = first.get_str("errmsg").unwrap_or("no message");
        return Err(if is_write_conflict(code) {
            Refusal::InTheWay(doing())
        } else {
            Refusal::Port(refused(doing(), code, message))
        });
    }
    if count(answer.get("n")) == i64::try_from(expected).ok() {
        Ok(())
    } else {
        Err(Refusal::Port(conflict(&doing())))
    }
}

fn count(value: Option<&Bson>) -> Option<i64> {
    match value {
        Some(Bson::Int32(count)) => Some(i64::from(*count)),
        Some(Bson::Int64(count)) => Some(*count),
        _ => None,
    }
}
