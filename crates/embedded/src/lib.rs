//! The embedded default: every port on SQLite and a directory.
//!
//! Everything lies in one folder, the [`Home`]: four SQLite files (run state, gate, queue, ledger), the
//! objects as plain files, the keys, and a lock file for each process that uses it. Several
//! processes may use one home at once; SQLite's locks order their writes, and each process wakes
//! for what the others wrote by looking ten times a second.
//!
//! This crate is part of the host: it reads the clock, makes random names and touches files. What
//! it promises is in the ports' docs and checked by their conformance suites.

mod approvers;
mod failure;
mod gate;
mod home;
mod host;
mod ledger;
mod objects;
mod queue;
mod seals;
mod signer;
mod state;
mod store;

pub use approvers::{approvers, trust_approver};
pub use gate::SqliteGate;
pub use home::Home;
pub use host::HostLock;
pub use ledger::EmbeddedLedger;
pub use objects::DirectoryObjects;
pub use queue::SqliteQueue;
pub use seals::HomeSeals;
pub use signer::{FileSigner, generate_key_pair, trust_key, trusted_keys};
pub use state::SqliteState;
