//! The ports: what the phases of a run need from the world, as small traits.
//!
//! A phase knows these traits and nothing behind them. Each has one public conformance suite
//! ([`conformance`]) that every backend passes, so that what one backend promises all of them
//! keep; and a fault-injecting wrapper ([`fault`]), so that tests can let any call fail or any
//! process die at it.

mod error;
mod evidence;
mod gate;
mod host;
mod import;
mod objects;
mod queue;
mod seals;
mod signer;
mod state;

pub mod conformance;
pub mod fault;

pub use error::{PortError, PortErrorKind};
pub use evidence::{
    Appended, Evidence, LedgerStats, LedgerWriter, PageBudget, PolicyEngine, PolicyWriter,
    RecordPage, RecordRef, Scan, SourceStats, pick_one_by_one,
};
pub use gate::{Entered, Entry, Gate};
pub use host::{Clock, Ids, Liveness};
pub use import::{BatchImporter, Import, Imported, Importer};
pub use objects::{Link, ObjectMeta, Objects, Upload, UploadState};
pub use queue::{DeadLetter, Delivery, MAX_RECEIVES, Queue, QueueStats};
pub use seals::{Listed, NoSeals, PlainKey, Seals};
pub use signer::{Signer, SignerLevel};
pub use state::{Row, RunFilter, State, Transaction, Write};

use std::sync::Arc;

/// Every port, as a phase takes them.
#[derive(Clone)]
pub struct Ports {
    /// Run state.
    pub state: Arc<dyn State>,
    /// Who has been here, and how often.
    pub gate: Arc<dyn Gate>,
    /// Payload bytes.
    pub objects: Arc<dyn Objects>,
    /// Messages between phases.
    pub queue: Arc<dyn Queue>,
    /// Raw evidence.
    pub ledger: Arc<dyn Evidence>,
    /// Decisions.
    pub policy: Arc<dyn PolicyEngine>,
    /// Keys that files are sealed with.
    pub seals: Arc<dyn Seals>,
    /// The signing key.
    pub signer: Arc<dyn Signer>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New ids and tokens.
    pub ids: Arc<dyn Ids>,
    /// Which processes are gone.
    pub liveness: Arc<dyn Liveness>,
}
