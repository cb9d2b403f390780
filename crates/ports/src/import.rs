//! Filling a ledger from many batches.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use async_trait::async_trait;
use export_model::{AdmittedRecord, PolicySnapshot, Timestamp};

use crate::{Appended, LedgerWriter, PolicyWriter, PortError, PortErrorKind};

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

impl Imported {
    /// Counts what one batch did.
    pub fn add(&mut self, appended: &Appended) {
        self.records.added += appended.added;
        self.records.present += appended.present;
        self.records.superseded += appended.superseded;
    }

    /// Counts a snapshot.
    pub fn add_snapshot(&mut self, is_new: bool) {
        if is_new {
            self.snapshots_added += 1;
        } else {
            self.snapshots_present += 1;
        }
    }
}

/// A ledger that many batches can be given to.
#[async_trait]
pub trait Importer: Send + Sync {
    /// Whether an import that does not come to its end leaves nothing. Where it does not, the
    /// batches before the end are stored, and importing the same again adds the rest.
    fn is_atomic(&self) -> bool;

    /// Stores what `batches` brings, at `now`. Where the channel closes before
    /// [`Import::Commit`] came, the answer is `None`.
    ///
    /// # Errors
    /// As [`append`](LedgerWriter::append) and [`add_snapshot`](PolicyWriter::add_snapshot).
    async fn import(
        &self,
        batches: Receiver<Import>,
        now: Timestamp,
    ) -> Result<Option<Imported>, PortError>;
}

/// Imports into any ledger, each batch by itself.
pub struct BatchImporter<L>(
    /// The ledger.
    pub Arc<L>,
);

#[async_trait]
impl<L: LedgerWriter + PolicyWriter> Importer for BatchImporter<L> {
    fn is_atomic(&self) -> bool {
        false
    }

    async fn import(
        &self,
        mut batches: Receiver<Import>,
        now: Timestamp,
    ) -> Result<Option<Imported>, PortError> {
        let mut imported = Imported::default();
        loop {
            // The reader is a thread that blocks; waiting for it must not block anybody else.
            let received = tokio::task::spawn_blocking(move || {
                let received = batches.recv();
                (received, batches)
            });
            let next;
            (next, batches) = received.await.map_err(|stopped| {
                let doing = "waiting for records to import";
                PortError::because(PortErrorKind::Unavailable, doing, stopped)
            })?;
            match next {
                Ok(Import::Commit) => return Ok(Some(imported)),
                Ok(Import::Batch { records, snapshots }) => {
                    for snapshot in &snapshots {
                        imported.add_snapshot(self.0.add_snapshot(snapshot).await?);
                    }
                    if !records.is_empty() {
                        imported.add(&self.0.append(records, now).await?);
                    }
                }
                Err(_) => return Ok(None),
            }
        }
    }
}
