//! Payload files that are not records: the inputs, the policy snapshot, the quarantine list.

pub mod inputs;
pub mod quarantine;
pub mod snapshot;

/// Path of the list of parts.
pub const INPUTS: &str = "payload/inputs.jsonl.zst";
/// Path of the list of quarantined records; only there when it has a line.
pub const QUARANTINE: &str = "payload/quarantine.jsonl.zst";
/// Path of the policy snapshot, in exports with findings.
pub const POLICY_SNAPSHOT: &str = "payload/policy_snapshot.json";

/// Why a line of one of these files cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("not a {what}: {source}")]
pub struct LineError {
    what: &'static str,
    source: serde_json::Error,
}
