//! A transaction as statements: what is sent, decided before anything is sent.
//!
//! Writes to different collections do not depend on each other, so only the order within a
//! collection is kept, and neighbours of one sort become one statement: one round trip for however
//! many parts or events.

use export_model::{Mark, Tenant, Timestamp};
use export_ports::{PortError, PortErrorKind, Row, Transaction, Write};
use mongodb::bson::{Document, doc};

use super::collections::{PARTS, SCHEDULES, WORK};
use super::rows::{Stored, date, document, number, prefix, schedule_id, within, work_id};

/// One round trip.
#[derive(Debug, PartialEq)]
pub(super) struct Statement {
    pub(super) collection: &'static str,
    pub(super) action: Action,
}

#[derive(Debug, PartialEq)]
pub(super) enum Action {
    /// Documents that must not be there yet.
    Insert(Vec<Insertion>),
    /// Documents that must be there as the filters say.
    Change(Vec<Change>),
    /// Documents that must be there as the filters say, and then are not.
    Delete(Vec<Deletion>),
    /// However many there are.
    Clear(Document),
}

#[derive(Debug, PartialEq)]
pub(super) struct Insertion {
    pub(super) document: Document,
    /// What is being done, for messages.
    pub(super) doing: String,
}

#[derive(Debug, PartialEq)]
pub(super) struct Change {
    pub(super) filter: Document,
    pub(super) update: Update,
    pub(super) doing: String,
}

#[derive(Debug, PartialEq)]
pub(super) enum Update {
    /// By this document.
    Replace(Document),
    /// By this document, which is inserted where none has that `_id`.
    Put(Document),
    /// By these operators.
    Apply(Document),
}

#[derive(Debug, PartialEq)]
pub(super) struct Deletion {
    pub(super) filter: Document,
    pub(super) doing: String,
}

/// What `transaction` takes. `now` decides which marks are there.
///
/// # Errors
/// `Invalid` when a row is another tenant's, or has no form that can be stored.
pub(super) fn statements(
    transaction: &Transaction,
    now: Timestamp,
) -> Result<Vec<Statement>, PortError> {
    let tenant = &transaction.tenant;
    let mut list = Vec::new();
    for write in &transaction.writes {
        let next = match write {
            Write::Put(row) => put(tenant, row, now)?,
            Write::Event(event) => {
                owned(tenant, &event.run.tenant, "writing an event")?;
                insert(event)?
            }
            Write::FinishWork(id, token) => {
                let filter = doc! { "_id": work_id(tenant, id), "token": token };
                delete(WORK, filter, format!("finishing work {id} of {tenant}"))
            }
            Write::RequireLease(id, token) => Statement {
                collection: WORK,
                // A change, and not a look: two transactions that only look at what the other
                // writes would both be let through.
                action: Action::Change(vec![Change {
                    filter: doc! { "_id": work_id(tenant, id), "token": token },
                    update: Update::Apply(doc! { "$inc": { "checks": 1_i64 } }),
                    doing: format!("checking the lease of work {id} of {tenant}"),
                }]),
            },
            Write::DropWork(run, keep) => {
                owned(tenant, &run.tenant, "dropping the work of a run")?;
                let keep: Vec<String> = keep.iter().map(|id| work_id(tenant, id)).collect();
                let mut ids = within(&format!("{tenant}/{}:", run.run));
                if !keep.is_empty() {
                    ids.insert("$nin", keep);
                }
                Statement {
                    collection: WORK,
                    action: Action::Clear(doc! { "_id": ids, "run": run.run.as_str() }),
                }
            }
            Write::DropParts(run) => {
                owned(tenant, &run.tenant, "dropping the parts of a run")?;
                Statement {
                    collection: PARTS,
                    action: Action::Clear(doc! { "_id": within(&prefix(run)) }),
                }
            }
            Write::DropSchedule(id) => {
                let filter = doc! { "_id": schedule_id(tenant, id) };
                delete(
                    SCHEDULES,
                    filter,
                    format!("deleting schedule {id} of {tenant}"),
                )
            }
        };
        add(&mut list, next);
    }
    Ok(list)
}

/// Adds a statement, to the last one of its collection where that is of the same sort.
fn add(list: &mut Vec<Statement>, next: Statement) {
    let last = list
        .iter_mut()
        .rfind(|statement| statement.collection == next.collection);
    match (last.map(|last| &mut last.action), next.action) {
        (Some(Action::Insert(list)), Action::Insert(more)) => list.extend(more),
        (Some(Action::Change(list)), Action::Change(more)) => list.extend(more),
        (Some(Action::Delete(list)), Action::Delete(more)) => list.extend(more),
        (_, action) => list.push(Statement { action, ..next }),
    }
}

fn owned(transaction: &Tenant, row: &Tenant, doing: &str) -> Result<(), PortError> {
    if transaction == row {
        return Ok(());
    }
    Err(PortError::new(
        PortErrorKind::Invalid,
        format!("{doing} of {row} in a transaction of {transaction}"),
    ))
}

fn put(tenant: &Tenant, row: &Row, now: Timestamp) -> Result<Statement, PortError> {
    match row {
        Row::Profile(row) => {
            owned(tenant, &row.tenant, "writing a profile")?;
            compare_and_set(row)
        }
        Row::Run(row) => {
            owned(tenant, &row.key.tenant, "writing a run")?;
            compare_and_set(row)
        }
        Row::Part(row) => {
            owned(tenant, &row.run.tenant, "writing a part")?;
            compare_and_set(row)
        }
        Row::Work(row) => {
            owned(tenant, &row.tenant, "writing work")?;
            compare_and_set(row)
        }
        Row::Distribution(row) => {
            owned(tenant, &row.run.tenant, "writing a distribution")?;
            compare_and_set(row)
        }
        Row::Slots(row) => {
            owned(tenant, &row.tenant, "writing the slots")?;
            compare_and_set(row)
        }
        Row::Mark(row) => {
            owned(tenant, &row.tenant, "writing a mark")?;
            put_mark(row, now)
        }
        Row::Schedule(row) => {
            owned(tenant, &row.tenant, "writing a schedule")?;
            compare_and_set(row)
        }
    }
}

/// Inserts where `rev` is 0, replaces what still has `rev` otherwise.
fn compare_and_set<T: Stored>(row: &T) -> Result<Statement, PortError> {
    match row.rev() {
        None | Some(0) => insert(row),
        Some(rev) => {
            let filter = doc! { "_id": row.id(), "rev": number(rev) };
            Ok(change(row, filter, Update::Replace(document(row)?)))
        }
    }
}

/// A mark that has expired is in nobody's way, and cannot be changed any more either.
fn put_mark(row: &Mark, now: Timestamp) -> Result<Statement, PortError> {
    let expired = doc! { "$lte": date(now) };
    let document = document(row)?;
    Ok(if row.rev == 0 {
        // One that stands does not match, and then there is one with that `_id`.
        let filter = doc! { "_id": row.id(), "until": expired };
        change(row, filter, Update::Put(document))
    } else {
        let filter = doc! {
            "_id": row.id(),
            "rev": number(row.rev),
            "until": { "$not": expired },
        };
        change(row, filter, Update::Replace(document))
    })
}

fn insert<T: Stored>(row: &T) -> Result<Statement, PortError> {
    Ok(Statement {
        collection: T::COLLECTION,
        action: Action::Insert(vec![Insertion {
            document: document(row)?,
            doing: format!("writing {}", row.name()),
        }]),
    })
}

fn change<T: Stored>(row: &T, filter: Document, update: Update) -> Statement {
    Statement {
        collection: T::COLLECTION,
        action: Action::Change(vec![Change {
            filter,
            update,
            doing: format!("writing {}", row.name()),
        }]),
    }
}

fn delete(collection: &'static str, filter: Document, doing: String) -> Statement {
    Statement {
        collection,
        action: Action::Delete(vec![Deletion { filter, doing }]),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use export_model::{Event, EventBody, MarkKey, MarkValue, RunKey, Slots, Work, WorkId};

    fn run() -> RunKey {
        RunKey {
            tenant: "acme".parse().unwrap(),
            run: "r1".parse().unwrap(),
        }
    }

    fn event(seq: u64) -> Write {
        Write::Event(Event {
            run: run(),
            seq,
            at: Timestamp(0),
            body: EventBody::Swept { objects: 0 },
        })
    }

    fn plan() -> WorkId {
        WorkId::Plan { run: run().run }
    }

    fn sorts(transaction: &Transaction) -> Vec<(&'static str, &'static str, usize)> {
        let list = statements(transaction, Timestamp(5)).unwrap();
        list.iter()
            .map(|statement| {
                let (sort, count) = match &statement.action {
                    Action::Insert(list) => ("insert", list.len()),
                    Action::Change(list) => ("change", list.len()),
                    Action::Delete(list) => ("delete", list.len()),
                    Action::Clear(_) => ("clear", 1),
                };
                (statement.collection, sort, count)
            })
            .collect()
    }

    #[test]
    fn neighbours_of_a_collection_are_one_statement() {
        let key = run();
        let slots = Slots {
            rev: 3,
            ..Slots::empty(&key.tenant)
        };
        let work = |id| Row::Work(Work::new(&key.tenant, id, Timestamp(0)));
        let sweep = WorkId::Sweep {
            run: key.run.clone(),
        };
        let transaction = Transaction::new(&key.tenant)
            .and(event(1))
            .put(Row::Slots(slots))
            .and(Write::FinishWork(plan(), "t".to_owned()))
            .put(work(plan()))
            .and(event(2))
            .put(work(sweep))
            .and(Write::DropWork(key.clone(), vec![plan()]));
        // In a collection in order: what is finished first may be written again.
        assert_eq!(
            sorts(&transaction),
            [
                ("export_events", "insert", 2),
                ("export_slots", "change", 1),
                ("export_work", "delete", 1),
                ("export_work", "insert", 2),
                ("export_work", "clear", 1),
            ]
        );
    }

    #[test]
    fn work_to_keep_is_not_dropped() {
        let key = run();
        let drop = Write::DropWork(key.clone(), vec![plan()]);
        let list = statements(&Transaction::new(&key.tenant).and(drop), Timestamp(0)).unwrap();
        let ids = doc! { "$gte": "acme/r1:", "$lt": "acme/r1;", "$nin": ["acme/r1:plan"] };
        let expected = Action::Clear(doc! { "_id": ids, "run": "r1" });
        assert_eq!(list[0].action, expected);
    }

    #[test]
    fn a_mark_gives_way_when_it_has_expired() {
        let mark = |rev| Mark {
            tenant: "acme".parse().unwrap(),
            key: MarkKey::Idempotency {
                key: "k".to_owned(),
            },
            until: None,
            value: MarkValue::Usage { runs: 0, bytes: 0 },
            rev,
        };
        let filter = |rev| {
            let row = Transaction::new(&run().tenant).put(Row::Mark(mark(rev)));
            let mut list = statements(&row, Timestamp(5)).unwrap();
            match list.remove(0).action {
                Action::Change(mut list) => list.remove(0).filter,
                other => panic!("{other:?}"),
            }
        };
        let expired = doc! { "$lte": date(Timestamp(5)) };
        let id = "acme/idempotency:k";
        assert_eq!(filter(0), doc! { "_id": id, "until": expired.clone() });
        assert_eq!(
            filter(2),
            doc! { "_id": id, "rev": 2_i64, "until": { "$not": expired } }
        );
    }

    #[test]
    fn rows_of_another_tenant_are_refused() {
        let other = "globex".parse().unwrap();
        let error = statements(&Transaction::new(&other).and(event(1)), Timestamp(0)).unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Invalid);
    }
}
