//! Events: what happened to a run, in order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ErrorCode, RunKey, RunStatus, Tenant, Timestamp};

/// One event of a run. Its sequence number counts from 1 without gaps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// The run.
    #[serde(flatten)]
    pub run: RunKey,
    /// Counts from 1 in the run.
    pub seq: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub body: EventBody,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum EventBody {
    /// The run's status changed.
    #[serde(rename = "run.status")]
    Status {
        /// The status it has now.
        status: RunStatus,
        /// Why, where there is more to say than the status: the parts of a plan, a failure, who
        /// cancelled.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
        /// The failure's code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error_code: Option<ErrorCode>,
    },
    /// Another tenant's approval was used for the run.
    #[serde(rename = "run.approval")]
    ApprovalUsed {
        /// Whose evidence it gives.
        grantor: Tenant,
        /// The grantor's own name of the approval.
        nonce: String,
        /// The fingerprint of the grantor's key that signed it.
        key_fingerprint: String,
    },
    /// An adapter began a part.
    #[serde(rename = "adapter.start")]
    AdapterStart {
        /// The part.
        part: u32,
        /// Records planned.
        records: u64,
        /// Canonical bytes planned.
        bytes: u64,
    },
    /// An adapter is in the middle of a part; at most one a second a part.
    #[serde(rename = "adapter.chunk")]
    AdapterChunk {
        /// The part.
        part: u32,
        /// Records so far.
        records: u64,
        /// Canonical bytes so far.
        bytes: u64,
    },
    /// An adapter finished a part.
    #[serde(rename = "adapter.complete")]
    AdapterComplete {
        /// The part.
        part: u32,
        /// Records written.
        records: u64,
        /// Canonical bytes read.
        bytes: u64,
        /// Bytes stored.
        stored: u64,
        /// Milliseconds it took.
        millis: u64,
    },
    /// An adapter could not finish a part.
    #[serde(rename = "adapter.error")]
    AdapterError {
        /// The part.
        part: u32,
        /// The code.
        error_code: ErrorCode,
        /// What went wrong, to what.
        detail: String,
        /// Whether it will be tried again.
        retried: bool,
    },
    /// The parts are being merged into the files that they are for.
    #[serde(rename = "assemble.start")]
    AssembleStart {
        /// How many parts.
        parts: u32,
        /// Bytes that they were staged as.
        bytes: u64,
    },
    /// An assembly is in the middle; at most one a second.
    #[serde(rename = "assemble.chunk")]
    AssembleChunk {
        /// Staged bytes fetched so far; all of them while files are made.
        bytes: u64,
    },
    /// The parts were merged.
    #[serde(rename = "assemble.complete")]
    AssembleComplete {
        /// How many files they became.
        files: u32,
        /// Bytes of these before compression.
        bytes: u64,
        /// Bytes stored.
        stored: u64,
        /// Milliseconds it took.
        millis: u64,
    },
    /// The parts could not be merged.
    #[serde(rename = "assemble.error")]
    AssembleError {
        /// The code.
        error_code: ErrorCode,
        /// What went wrong, to what.
        detail: String,
        /// Whether it will be tried again.
        retried: bool,
    },
    /// The signed set of documents was published.
    #[serde(rename = "sign.complete")]
    Signed {
        /// The content digest.
        content_digest: crate::Sha256Digest,
        /// The signing key's fingerprint.
        key_fingerprint: String,
    },
    /// A target received the bundle.
    #[serde(rename = "distribute.complete")]
    Distributed {
        /// The target's type.
        target: String,
        /// Size of what was handed over.
        size: u64,
        /// SHA-256 of what was handed over.
        sha256: crate::Sha256Digest,
    },
    /// A cancelled or failed run's objects were removed.
    #[serde(rename = "run.swept")]
    Swept {
        /// How many.
        objects: u64,
    },
    /// The payload of a run that had ended was given up; its signed documents stay.
    #[serde(rename = "run.pruned")]
    Pruned {
        /// Why.
        reason: String,
    },
}
