//! Importing: many batches, one transaction. Either everything that was read is in the ledger
//! afterwards, or nothing is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;

use export_model::{AdmittedRecord, PolicySnapshot, Timestamp};
use export_ports::{Appended, PortError, PortErrorKind};
use rusqlite::Transaction;

use super::{EmbeddedLedger, append, policy};
use crate::failure::Failure;

/// What a reader hands over.
#[derive(Debug)]
pub enum Import {
    /// Records and snapshots, in any order.
    Batch {
        /// Records and findings.
        records: Vec<AdmittedRecord>,
        /// Policy snapshots.
        snapshots: Vec<PolicySnapshot>,
    },
    /// That was all, and all of it was good.
    Commit,
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Records and findings.
    pub records: Appended,
    /// Policy snapshots that are new.
    pub snapshots_added: u64,
    /// Policy snapshots that were there already.
    pub snapshots_present: u64,
}

impl EmbeddedLedger {
    /// Stores everything that `batches` brings, at `now`, in one transaction. Where the channel
    /// closes before [`Import::Commit`] came, nothing is stored and the answer is `None`.
    ///
    /// # Errors
    /// As [`append`](export_ports::LedgerWriter::append) and
    /// [`add_snapshot`](export_ports::PolicyWriter::add_snapshot); nothing is stored then.
    pub async fn import(
        &self,
        batches: Receiver<Import>,
        now: Timestamp,
    ) -> Result<Option<Imported>, PortError> {
        let given_up = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&given_up);
        let stored = self
            .store
            .write("importing records", move |transaction| {
                store(transaction, &batches, now, &flag)
            })
            .await;
        match stored {
            Err(_) if given_up.load(Ordering::Relaxed) => Ok(None),
            other => other.map(Some),
        }
    }
}

fn store(
    transaction: &Transaction<'_>,
    batches: &Receiver<Import>,
    now: Timestamp,
    given_up: &AtomicBool,
) -> Result<Imported, Failure> {
    let mut imported = Imported::default();
    loop {
        match batches.recv() {
            Ok(Import::Commit) => return Ok(imported),
            Ok(Import::Batch { records, snapshots }) => {
                for snapshot in &snapshots {
                    if policy::add(transaction, snapshot)? {
                        imported.snapshots_added += 1;
                    } else {
                        imported.snapshots_present += 1;
                    }
                }
                let appended = append::append(transaction, records, now)?;
                imported.records.added += appended.added;
                imported.records.present += appended.present;
                imported.records.superseded += appended.superseded;
            }
            // The error rolls the transaction back.
            Err(_) => {
                given_up.store(true, Ordering::Relaxed);
                let doing = "importing records";
                return Err(Failure::port(PortErrorKind::Unavailable, doing));
            }
        }
    }
}
