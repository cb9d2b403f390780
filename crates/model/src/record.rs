//! What the ledger keeps of a record, beside its bytes.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Kind, Sha256Digest, Tenant, Timestamp};

/// The version of the guardrails that records are checked against before a ledger appends them.
/// Raise it when the checks change: records that older checks admitted are then checked again on
/// export.
pub const GUARDRAILS_VERSION: u32 = 1;

/// A place in canonical order within one tenant and kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// What the record is about.
    pub subject_key: String,
    /// The record's id.
    pub id: String,
}

/// Who published a record, and in which of its streams.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Source {
    /// The publisher.
    pub vendor: Arc<str>,
    /// The publisher's stream.
    pub stream: Arc<str>,
}

impl Source {
    /// The source of findings, which no publisher gave.
    #[must_use]
    pub fn policy_engine() -> Self {
        Self {
            vendor: "policy-engine".into(),
            stream: "findings".into(),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.vendor, self.stream)
    }
}

/// What selectors look at. Taken from the record alone, so that two ledgers with the same records
/// select the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facets {
    /// Types of the record's purls (`npm`, `golang`, …).
    pub ecosystems: Vec<String>,
    /// The record's purls, as written.
    pub products: Vec<String>,
    /// The SBOMs that it is, or belongs to: an SBOM's `subject_key` and `_id`, a finding's
    /// `subject.sbom_id`.
    pub sbom_subjects: Vec<String>,
    /// Every identifier and alias.
    pub identifiers: Vec<String>,
    /// When its collector received it (`upstream.received_at`), or a finding was evaluated.
    pub recorded_at: Option<Timestamp>,
}

/// A record that passed the ledger's door: canonical, complete and free of derived fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmittedRecord {
    /// Who owns it.
    pub tenant: Tenant,
    /// What it is.
    pub kind: Kind,
    /// Its place in canonical order.
    pub position: Position,
    /// Who published it.
    pub source: Source,
    /// The publisher's name of the document; the `_id` of a finding.
    pub upstream_id: String,
    /// SHA-256 of the canonical form of `content.raw`; of the whole record for a finding.
    pub content_hash: Sha256Digest,
    /// The upstream document's own modification time, empty when it has none. Revisions of one
    /// document are ordered by this text's time, then by `content_hash`.
    pub modified: Option<Timestamp>,
    /// What selectors look at.
    pub facets: Facets,
    /// The snapshot that a finding belongs to; none for raw kinds.
    pub policy_snapshot_id: Option<String>,
    /// SHA-256 of `canonical`.
    pub record_sha256: Sha256Digest,
    /// The record's canonical bytes, without a line end.
    pub canonical: Vec<u8>,
}

/// A line of the ledger's index: what planning reads, never the record itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// The record's place in canonical order.
    pub position: Position,
    /// SHA-256 of its canonical bytes.
    pub record_sha256: Sha256Digest,
    /// Size of its canonical bytes.
    pub size: u64,
    /// Who published it.
    pub source: Source,
}
