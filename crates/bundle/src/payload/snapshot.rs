//! `payload/policy_snapshot.json`: the policy snapshot that an export's findings belong to, bound
//! to them by a fingerprint over their decision traces.

use export_canonical::jcs::{JcsError, to_jcs};
use export_canonical::record::{JcsFormError, jcs_form};
use export_model::{InputHasher, PolicySnapshot, Sha256Digest, Tenant, Timestamp};
use serde::{Deserialize, Serialize};

use super::LineError;

/// The document: the snapshot's own members, and what the export's findings make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotDocument {
    /// When the snapshot was made.
    pub created_at: Timestamp,
    /// How many findings the export has.
    pub findings: u64,
    /// [`TraceFingerprint`] over them. Not in mirrors, whose findings are listed by digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Sha256Digest>,
    /// Hash over what the policy engine evaluated.
    pub inputs_hash: Sha256Digest,
    /// The snapshot's name.
    pub name: String,
    /// The snapshot's id.
    pub policy_snapshot_id: String,
    /// The version of the policy.
    pub policy_version: String,
    /// Who owns it.
    pub tenant: Tenant,
}

impl SnapshotDocument {
    /// The document of `snapshot` and the findings that `traces` has seen.
    #[must_use]
    pub fn new(snapshot: &PolicySnapshot, traces: TraceFingerprint) -> Self {
        let findings = traces.findings();
        Self {
            fingerprint: Some(traces.finish()),
            ..Self::of_tree(snapshot, findings)
        }
    }

    /// The document of `snapshot` in a tree that has so many of its findings.
    #[must_use]
    pub fn of_tree(snapshot: &PolicySnapshot, findings: u64) -> Self {
        let snapshot = snapshot.clone();
        Self {
            created_at: snapshot.created_at,
            findings,
            fingerprint: None,
            inputs_hash: snapshot.inputs_hash,
            name: snapshot.name,
            policy_snapshot_id: snapshot.policy_snapshot_id,
            policy_version: snapshot.policy_version,
            tenant: snapshot.tenant,
        }
    }

    /// The document's bytes: RFC 8785, without a line end.
    ///
    /// # Errors
    /// Never for values of this type; the serialiser's signature says otherwise.
    pub fn to_bytes(&self) -> Result<Vec<u8>, JcsError> {
        to_jcs(self)
    }

    /// Reads the document.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn parse(bytes: &[u8]) -> Result<Self, LineError> {
        serde_json::from_slice(bytes).map_err(|source| LineError {
            what: "policy snapshot",
            source,
        })
    }
}

/// What an export's findings decided, in one value: SHA-256 over the lines
/// `_id NUL sha256hex(JCS(decision_trace)) LF`, in canonical order.
#[derive(Clone, Default)]
pub struct TraceFingerprint(InputHasher);

impl TraceFingerprint {
    /// The digest of one finding's `decision_trace`, which is given in the canonical form of
    /// records.
    ///
    /// # Errors
    /// Where the trace has no RFC 8785 form: a number beyond what a double holds.
    pub fn trace_digest(decision_trace: &[u8]) -> Result<Sha256Digest, JcsFormError> {
        jcs_form(decision_trace).map(|trace| Sha256Digest::of(&trace))
    }

    /// Adds a finding by its id and its [trace's digest](Self::trace_digest).
    pub fn add(&mut self, id: &str, trace: &Sha256Digest) {
        self.0.add(id, trace);
    }

    /// How many findings were added.
    #[must_use]
    pub fn findings(&self) -> u64 {
        self.0.records()
    }

    /// The fingerprint.
    #[must_use]
    pub fn finish(self) -> Sha256Digest {
        self.0.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_is_over_the_documented_lines() {
        let trace = br#"[{"rule":"a","score":1.10}]"#;
        let mut fingerprint = TraceFingerprint::default();
        fingerprint.add("f1", &TraceFingerprint::trace_digest(trace).unwrap());
        fingerprint.add("f2", &TraceFingerprint::trace_digest(b"[]").unwrap());
        assert_eq!(fingerprint.findings(), 2);
        let lines = format!(
            "f1\0{}\nf2\0{}\n",
            Sha256Digest::of(br#"[{"rule":"a","score":1.1}]"#).hex(),
            Sha256Digest::of(b"[]").hex()
        );
        assert_eq!(fingerprint.finish(), Sha256Digest::of(lines.as_bytes()));
    }

    #[test]
    fn document_has_these_bytes() {
        let snapshot = PolicySnapshot {
            created_at: "2026-11-01T00:00:00Z".parse().unwrap(),
            inputs_hash: Sha256Digest::of(b""),
            name: "baseline".into(),
            policy_snapshot_id: "policy-1".into(),
            policy_version: "7".into(),
            tenant: "acme".parse().unwrap(),
        };
        let document = SnapshotDocument::new(&snapshot, TraceFingerprint::default());
        let bytes = document.to_bytes().unwrap();
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(
            String::from_utf8(bytes.clone()).unwrap(),
            format!(
                "{{\"created_at\":\"2026-11-01T00:00:00Z\",\"findings\":0,\
                 \"fingerprint\":\"{empty}\",\"inputs_hash\":\"{empty}\",\"name\":\"baseline\",\
                 \"policy_snapshot_id\":\"policy-1\",\"policy_version\":\"7\",\"tenant\":\"acme\"}}"
            )
        );
        assert_eq!(SnapshotDocument::parse(&bytes).unwrap(), document);
    }
}
