//! Runs: one export, from submission to hand-over.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::approval::one_or_more;
use crate::config::schema_version_error;
use crate::{
    CompiledSelectors, CrossTenant, ErrorCode, FieldError, ObjectKey, Profile, ProfileKind,
    RecordedApproval, RunId, RunKey, Sealing, Selectors, Sha256Digest, Target, Tenant, Timestamp,
};

/// Where a run stands.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Submitted; waits for a slot or for its plan.
    Pending,
    /// Its watermark and parts are fixed.
    Planned,
    /// Parts are being written.
    Exporting,
    /// Parts are being merged into one file.
    Assembling,
    /// The documents are being written and signed.
    Signing,
    /// The bundle is being handed over.
    Distributing,
    /// Every target has the bundle.
    Completed,
    /// Signed, but a target failed for good; `retry` hands over again.
    Undelivered,
    /// Ended with an error; no payload bytes are kept.
    Failed,
    /// Cancellation was asked for; work is winding down.
    Cancelling,
    /// Cancelled; no payload bytes are kept.
    Aborted,
}

impl RunStatus {
    /// Whether nothing more happens to the run by itself.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Undelivered | Self::Failed | Self::Aborted
        )
    }

    /// The status's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Planned => "planned",
            Self::Exporting => "exporting",
            Self::Assembling => "assembling",
            Self::Signing => "signing",
            Self::Distributing => "distributing",
            Self::Completed => "completed",
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
            Self::Cancelling => "cancelling",
            Self::Aborted => "aborted",
        }
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A state of the ledger that a request names: by watermark, or by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AsOf {
    /// The ledger as it was at this watermark.
    Watermark(u64),
    /// The ledger as it was at this time.
    Time(Timestamp),
}

/// What a request may add to its selectors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunOptions {
    /// The policy snapshot to export; none for the newest at submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_snapshot_id: Option<String>,
    /// The ledger's state to export; none for the newest when the run is planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<AsOf>,
    /// The version of the scanner's schema to write, for kinds that a scanner reads; none for the
    /// profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_version: Option<u32>,
    /// Of a delta: the export that it starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_export_id: Option<RunId>,
    /// Recipients to seal to with age, `age1…`, in place of what the profile says. The tenant's
    /// configuration must list them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub encrypt_to: Vec<String>,
    /// Approvals of the other tenants that the selectors name: DSSE envelopes, one object or a list
    /// of them. A run keeps them in [`Run::approvals`], not here.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "one_or_more"
    )]
    pub approval: Vec<serde_json::Value>,
}

/// A policy snapshot, as the policy engine describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySnapshot {
    /// When it was made.
    pub created_at: Timestamp,
    /// Hash over what the policy engine evaluated.
    pub inputs_hash: Sha256Digest,
    /// Its name.
    pub name: String,
    /// Its id.
    pub policy_snapshot_id: String,
    /// The version of the policy.
    pub policy_version: String,
    /// Who owns it.
    pub tenant: crate::Tenant,
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// The code.
    pub error_code: ErrorCode,
    /// What happened, to what.
    pub detail: String,
}

/// Who cancelled a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cancellation {
    /// Who asked.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// That a run's payload was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// When.
    pub at: Timestamp,
    /// Why, in words.
    pub reason: String,
}

/// The signed set of documents. Everything after signing reads only what this names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The lease token under which the documents were written.
    pub token: String,
    /// The content digest.
    pub content_digest: Sha256Digest,
    /// SHA-256 of `export.json`.
    pub manifest_sha256: Sha256Digest,
    /// The signing key's fingerprint, `sha256:…` over its SPKI DER.
    pub key_fingerprint: String,
    /// The signer's own name of the key.
    pub key_id: String,
    /// Every member of the bundle in archive order: path, object, size. Of a pruned run, those that
    /// are no payload.
    pub members: Vec<(String, ObjectKey, u64)>,
}

/// A payload file that all parts together became.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssembledFile {
    /// Its path in the bundle.
    pub path: String,
    /// Where it lies.
    pub object: ObjectKey,
    /// Size of the stored bytes.
    pub size: u64,
    /// SHA-256 of the stored bytes.
    pub sha256: Sha256Digest,
    /// Size before compression.
    pub content_size: u64,
    /// SHA-256 before compression.
    pub content_sha256: Sha256Digest,
    /// Its media type.
    pub media_type: String,
    /// How it is compressed, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<AssembledCompression>,
}

/// How an assembled file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "algorithm", rename_all = "lowercase")]
pub enum AssembledCompression {
    /// gzip (RFC 1952).
    Gzip {
        /// Its level.
        level: i32,
    },
    /// Zstandard, in frames of a fixed size.
    Zstd {
        /// Its level.
        level: i32,
    },
}

/// The finished archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    /// Where it lies.
    pub object: ObjectKey,
    /// Its size.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: Sha256Digest,
}

/// What a mirror's delta starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MirrorBase {
    /// The run that made it.
    pub export_id: RunId,
    /// SHA-256 of its `export.json`.
    pub manifest_sha256: Sha256Digest,
    /// The digest of its tree.
    pub tree_digest: Sha256Digest,
    /// The ledger's state that it shows.
    pub watermark: u64,
}

/// How much a mirror's tree has of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeTally {
    /// The kind.
    pub kind: crate::Kind,
    /// Documents.
    pub documents: u64,
    /// Their bytes together.
    pub bytes: u64,
    /// SHA-256 over their lines in the list of the tree.
    pub digest: Sha256Digest,
}

/// The tree that a mirror's run shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorTree {
    /// SHA-256 of the list of its documents, which is what tells one tree from another.
    pub digest: Sha256Digest,
    /// How much it has of each kind that it has any of.
    pub tallies: Vec<TreeTally>,
    /// The list, of which deltas are planned; none once it is no longer kept.
    pub listing: Option<AssembledFile>,
    /// Of a delta: the list of what has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<AssembledFile>,
}

/// Where a distribution stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DistributionStatus {
    /// Not handed over yet.
    Pending,
    /// The target has it.
    Delivered,
    /// The target failed for good.
    Failed,
}

/// One target of a run. A row of `export_distributions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    /// The run.
    pub run: RunKey,
    /// Counts from 0 in the profile's list.
    pub index: u32,
    /// The target.
    pub target: Target,
    /// Where it stands.
    pub status: DistributionStatus,
    /// What a driver needs to go on after a stop: its own words, empty at first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<serde_json::Value>,
    /// The archive, for a target that makes one.
    pub archive: Option<Archive>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// The row's version, 0 before it is stored.
    #[serde(default)]
    pub rev: u64,
}

/// A run. What it was asked for never changes after submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The run's id and its tenant.
    #[serde(flatten)]
    pub key: RunKey,
    /// The profile's revision that it runs.
    pub profile: Profile,
    /// Which records.
    pub selectors: Selectors,
    /// What else was asked for.
    pub options: RunOptions,
    /// Whose evidence it exports, sorted: empty where that is its own tenant's alone. See
    /// [`Run::owners()`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<Tenant>,
    /// The approvals that it was accepted with, by grantor.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<RecordedApproval>,
    /// Who asked.
    pub requested_by: String,
    /// When.
    pub submitted_at: Timestamp,
    /// Where it stands.
    pub status: RunStatus,
    /// Whether it holds one of its tenant's slots.
    pub admitted: bool,
    /// The ledger's state that it exports, once planned.
    pub watermark: Option<u64>,
    /// The policy snapshot that it exports, where the profile needs one.
    pub policy_snapshot: Option<PolicySnapshot>,
    /// What each source gives: (kind, source, records, hash), in canonical order of kind and source.
    pub sources: Vec<(crate::Kind, crate::SourceTally)>,
    /// For each SBOM subject that the selectors name: the `_id`s of the run's tenant's SBOMs behind
    /// it. Empty in runs across tenants.
    pub sboms: BTreeMap<String, Vec<String>>,
    /// The same of runs across tenants: owner and `_id`, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sboms_of: Vec<(Tenant, String)>,
    /// How its files are sealed, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealing: Option<Sealing>,
    /// Of a delta: what it starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<MirrorBase>,
    /// Of a mirror: the tree that it shows, once planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<MirrorTree>,
    /// How many parts it has.
    pub parts: u32,
    /// How many of them are not done.
    pub parts_left: u32,
    /// Records planned.
    pub records_planned: u64,
    /// Canonical bytes planned.
    pub bytes_planned: u64,
    /// Records of parts that are done.
    pub records: u64,
    /// Canonical bytes of parts that are done.
    pub bytes: u64,
    /// Records that were quarantined in parts that are done.
    pub quarantined: u64,
    /// What its parts were assembled to, by path; empty where they are payload files themselves, and
    /// until they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assembled: Vec<AssembledFile>,
    /// The signed set.
    pub published: Option<Published>,
    /// How many targets do not have the bundle yet.
    pub targets_left: u32,
    /// The archive, once made and until it is pruned.
    pub archive: Option<Archive>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Who cancelled it.
    pub cancellation: Option<Cancellation>,
    /// When planning began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When its payload is to be removed; none while there is no end in sight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// That its payload was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pruned: Option<Pruned>,
    /// The trace context of the request (`traceparent`, W3C Trace Context §3.2), which its steps
    /// carry on; never part of what it makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Sequence number of its newest event.
    pub last_seq: u64,
    /// The row's version, 0 before it is stored.
    #[serde(default)]
    pub rev: u64,
}

impl RunOptions {
    /// What is wrong with these options for a profile of `kind`, whatever the ledger holds.
    #[must_use]
    pub fn errors(&self, kind: ProfileKind) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if self.policy_snapshot_id.is_some() && !kind.takes_policy() {
            errors.push(FieldError {
                field: "options.policy_snapshot_id".into(),
                message: format!("{kind} exports no policy; leave it out"),
            });
        }
        let base = match (kind == ProfileKind::MirrorDelta, &self.base_export_id) {
            (true, None) => Some("must name the export that the delta starts from".to_owned()),
            (false, Some(_)) => Some(format!("{kind} starts from no other export; leave it out")),
            _ => None,
        };
        if let Some(message) = base {
            errors.push(FieldError {
                field: "options.base_export_id".into(),
                message,
            });
        }
        if let Some(message) = schema_version_error(kind, self.schema_version) {
            errors.push(FieldError {
                field: "options.schema_version".into(),
                message,
            });
        }
        errors
    }
}

impl Run {
    /// Whether it exports anything but its own tenant's evidence.
    #[must_use]
    pub fn is_cross_tenant(&self) -> bool {
        !self.owners.is_empty()
    }

    /// When the next of what it keeps is to be removed: its payload, then the list of its tree. None
    /// where nothing is left, or while there is no end in sight.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Timestamp> {
        let listing = self.tree.as_ref().and_then(|tree| tree.listing.as_ref());
        match (&self.pruned, listing) {
            (None, _) => self.expires_at,
            (Some(_), None) => None,
            (Some(_), Some(_)) => {
                let days = i64::from(self.profile.config.retention.listing_days());
                let kept = days.saturating_mul(Timestamp::DAY_MILLIS);
                Some(self.finished_at?.plus_millis(kept))
            }
        }
    }

    /// Whether a step follows its parts that makes files of all of them together.
    #[must_use]
    pub fn is_assembled(&self) -> bool {
        match self.profile.kind {
            ProfileKind::MirrorFull => !self.profile.config.effective_indexes().is_empty(),
            kind => kind.is_assembled(),
        }
    }

    /// Whose evidence it exports, in canonical order.
    #[must_use]
    pub fn owners(&self) -> &[Tenant] {
        if self.owners.is_empty() {
            std::slice::from_ref(&self.key.tenant)
        } else {
            &self.owners
        }
    }

    /// The version of the scanner's schema that it was asked for; none where that was left to this
    /// version.
    #[must_use]
    pub fn schema_version(&self) -> Option<u32> {
        self.options
            .schema_version
            .or(self.profile.config.schema_version)
    }

    /// The run's selectors, ready to run. Whether they may name tenants was decided when the run
    /// was submitted.
    ///
    /// # Errors
    /// Every member that is wrong, by its path.
    pub fn compile_selectors(&self) -> Result<CompiledSelectors, Vec<FieldError>> {
        self.selectors
            .compile_with(self.profile.kind, CrossTenant::Allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_approval_need_not_be_a_list() {
        let read = |text: &str| serde_json::from_str::<RunOptions>(text).unwrap().approval;
        assert_eq!(read("{}"), Vec::<serde_json::Value>::new());
        let one = serde_json::json!({"payload": "x"});
        assert_eq!(
            read(r#"{"approval":{"payload":"x"}}"#),
            std::slice::from_ref(&one)
        );
        assert_eq!(
            read(r#"{"approval":[{"payload":"x"},{"payload":"x"}]}"#),
            [one.clone(), one]
        );
        assert_eq!(
            serde_json::to_string(&RunOptions::default()).unwrap(),
            "{}",
            "what was not asked for is not written"
        );
    }
}
