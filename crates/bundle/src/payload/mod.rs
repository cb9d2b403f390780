//! Payload files that are not records: the inputs, the policy snapshot, the quarantine list.

use export_model::ProfileKind;

pub mod inputs;
pub mod quarantine;
pub mod snapshot;

/// Path of what everybody may not know, in sealed bundles, without what sealing appends.
pub const CONTENT: &str = "payload/content.json";
/// Path of the list of parts.
pub const INPUTS: &str = "payload/inputs.jsonl.zst";
/// Path of the list of quarantined records; only there when it has a line.
pub const QUARANTINE: &str = "payload/quarantine.jsonl.zst";
/// Path of the list of a tree, in complete mirrors.
pub const TREE: &str = "payload/tree.jsonl.zst";
/// Path of what a delta leads from and to.
pub const DELTA: &str = "payload/delta.json";
/// Path of the list of what has changed, in deltas.
pub const DELTA_CHANGES: &str = "payload/delta.jsonl.zst";
/// Path of the layer of a tree's counts, in complete mirrors.
pub const MANIFESTS_LAYER: &str = "payload/layers/manifests-00000.tar.zst";

/// Path of the policy snapshot, in exports with findings.
pub const POLICY_SNAPSHOT: &str = "payload/policy_snapshot.json";

/// Path of what an assembled payload holds, in numbers.
pub const SUMMARY: &str = "payload/summary.json";

/// Path of the list of what the scanner has no words for, in exports that are assembled.
pub const UNMAPPED: &str = "payload/unmapped.jsonl.zst";

/// The layer that a profile of `kind` is for, as a scanner asks a registry for it: its path in the
/// payload, and its media type. None where parts are payload files themselves.
#[must_use]
pub fn layer_of(kind: ProfileKind) -> Option<(&'static str, &'static str)> {
    match kind {
        ProfileKind::JsonRaw
        | ProfileKind::JsonPolicy
        | ProfileKind::MirrorFull
        | ProfileKind::MirrorDelta => None,
        ProfileKind::TrivyDb => Some((
            "payload/db.tar.gz",
            "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip",
        )),
        ProfileKind::TrivyJavaDb => Some((
            "payload/javadb.tar.gz",
            "application/vnd.aquasec.trivy.javadb.layer.v1.tar+gzip",
        )),
    }
}

/// Why a line of one of these files cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("not a {what}: {source}")]
pub struct LineError {
    what: &'static str,
    source: serde_json::Error,
}
