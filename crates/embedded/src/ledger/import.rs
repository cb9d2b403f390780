//! Importing: many batches, one transaction. Either everything that was read is in the ledger
//! afterwards, or nothing is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;

use async_trait::async_trait;
use export_model::Timestamp;
use export_ports::{Import, Imported, Importer, PortError, PortErrorKind};
use rusqlite::Transaction;

use super::{EmbeddedLedger, append, policy};
use crate::failure::Failure;

#[async_trait]
impl Importer for EmbeddedLedger {
    fn is_atomic(&self) -> bool {
        true
    }

    async fn import(
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
                    imported.add_snapshot(policy::add(transaction, snapshot)?);
                }
                imported.add(&append::append(transaction, records, now)?);
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
