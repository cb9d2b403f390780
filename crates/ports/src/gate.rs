//! The gate port: which proofs were used, and how many requests a tenant has made.
//!
//! Every request of the API passes it once, so it takes whole groups of them: one durable
//! transaction for all, and an answer for each that does not depend on how they were grouped. It is
//! a port of its own, and not part of the state, so that requests never wait for runs.

use async_trait::async_trait;
use export_model::{Sha256Digest, Tenant, Timestamp};

use crate::PortError;

/// A request at the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Digest of the proof, by which it is known again.
    pub proof: Sha256Digest,
    /// When the proof is of no use any more, and need not be remembered.
    pub proof_until: Timestamp,
    /// Who asks.
    pub tenant: Tenant,
    /// The window of time that the request counts in, such as the minutes since 1970. Windows of a
    /// tenant that are two or more behind its newest may be forgotten.
    pub window: i64,
}

/// What the gate says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entered {
    /// Whether the proof was used before.
    pub replayed: bool,
    /// Requests of this tenant in this window so far, this one included. A replayed one is not
    /// counted.
    pub requests: u64,
}

/// Proofs and counts, shared by all replicas.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Lets a group of requests in, in their order: durable when this returns. Two requests with
    /// one proof are one that is let in and one that is replayed, in one group or in two. Proofs
    /// that are of no use any more at `now` are forgotten on the way, a few at a time.
    ///
    /// # Errors
    /// When the store cannot be asked; what was asked may count all the same.
    async fn enter(&self, entries: Vec<Entry>, now: Timestamp) -> Result<Vec<Entered>, PortError>;

    /// Reads the store once, to say whether it answers.
    ///
    /// # Errors
    /// When it does not.
    async fn ping(&self) -> Result<(), PortError>;
}
