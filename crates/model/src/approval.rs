//! Approvals, as a request names them and as a run records them. What is in one, and how it is
//! checked, is the business of the crate `export-approval`.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{Sha256Digest, Tenant, Timestamp};

/// An approval that a run was accepted with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedApproval {
    /// The tenant whose evidence it gives.
    pub grantor: Tenant,
    /// The grantor's own name of it.
    pub nonce: String,
    /// Whether it is used up by the run.
    pub once: bool,
    /// When it ends. A run that was accepted in time may take longer.
    pub expires_at: Timestamp,
    /// The fingerprint of the grantor's key that signed it, `sha256:…` over its SPKI DER.
    pub key_fingerprint: String,
    /// SHA-256 of the envelope's RFC 8785 form.
    pub sha256: Sha256Digest,
    /// The envelope itself.
    pub envelope: Value,
}

/// One value or a list of them: a request with one approval need not make a list of it.
pub(crate) fn one_or_more<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Value>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Array(list) => list,
        one => vec![one],
    })
}
