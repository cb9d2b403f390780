//! What is told of runs and profiles: one form for the HTTP API, for the command line on a home and
//! for the command line on a server.

use std::collections::BTreeMap;

use export_adapter::AdapterInfo;
use export_model::{
    Cancellation, Distribution, Event, Failure, Kind, Profile, ProfileConfig, ProfileKind,
    RecordedApproval, Run, RunId, RunOptions, RunStatus, Selectors, Sha256Digest, Tenant,
    Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A run: what was asked for, how far it is, what it made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Run")]
pub struct RunView {
    /// Its id.
    pub run_id: RunId,
    /// Whose it is.
    pub tenant: Tenant,
    /// The profile's name.
    pub profile: String,
    /// What it produces.
    pub profile_kind: ProfileKind,
    /// The profile's revision.
    pub profile_revision: u32,
    /// Which records were asked for.
    pub selectors: Selectors,
    /// What else was asked for.
    pub options: RunOptions,
    /// Who asked.
    pub requested_by: String,
    /// Where it stands.
    pub status: RunStatus,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// When planning began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The ledger's state that it exports, once planned.
    pub watermark: Option<u64>,
    /// Whose evidence it exports, where that is not its own tenant's only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<Tenant>,
    /// The other tenants' approvals that it was accepted with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<ApprovalView>,
    /// The policy snapshot that it exports.
    pub policy_snapshot_id: Option<String>,
    /// How many parts it has.
    pub parts: u32,
    /// How many of them are done.
    pub parts_done: u32,
    /// Records of parts that are done.
    pub records: u64,
    /// Records planned.
    pub records_planned: u64,
    /// Records planned, by kind.
    pub by_kind: BTreeMap<Kind, u64>,
    /// Canonical bytes of parts that are done.
    pub bytes: u64,
    /// Canonical bytes planned.
    pub bytes_planned: u64,
    /// About how many seconds writing will still take; none where that cannot be told.
    pub seconds_left: Option<u64>,
    /// Records that were quarantined.
    pub quarantined: u64,
    /// What two exports of the same evidence have in common.
    pub content_digest: Option<Sha256Digest>,
    /// SHA-256 of `export.json`.
    pub manifest_sha256: Option<Sha256Digest>,
    /// The signing key's fingerprint, over its SPKI DER.
    pub key_fingerprint: Option<String>,
    /// The signer's own name of the key.
    pub key_id: Option<String>,
    /// The archive's SHA-256.
    pub sha256: Option<Sha256Digest>,
    /// The archive's size.
    pub size_bytes: Option<u64>,
    /// Until when the bundle is kept.
    pub expires_at: Option<Timestamp>,
    /// When and why the bundle was removed.
    pub pruned: Option<PrunedView>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Who cancelled it.
    pub cancellation: Option<Cancellation>,
    /// Where the bundle was handed over; only where one run is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub distributions: Vec<DistributionView>,
    /// Sequence number of its newest event.
    pub last_seq: u64,
}

/// An approval that a run was accepted with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Approval")]
pub struct ApprovalView {
    /// The tenant whose evidence it gives.
    pub grantor: Tenant,
    /// The grantor's own name of it.
    pub nonce: String,
    /// The fingerprint of the grantor's key that signed it, over its SPKI DER.
    pub key_fingerprint: String,
    /// SHA-256 of the envelope's RFC 8785 form.
    pub sha256: Sha256Digest,
}

/// When and why a bundle was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Pruned")]
pub struct PrunedView {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// One target of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Distribution")]
pub struct DistributionView {
    /// The target's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it stands: `pending`, `delivered` or `failed`.
    pub status: export_model::DistributionStatus,
    /// SHA-256 of what was handed over.
    pub sha256: Option<Sha256Digest>,
    /// Size of what was handed over.
    pub size_bytes: Option<u64>,
    /// Why it failed.
    pub failure: Option<Failure>,
}

impl RunView {
    /// What is told of `run` at `now`.
    #[must_use]
    pub fn of(run: &Run, now: Timestamp) -> Self {
        let published = run.published.as_ref();
        let archive = run.archive.as_ref();
        let mut by_kind = BTreeMap::new();
        for (kind, tally) in &run.sources {
            *by_kind.entry(*kind).or_insert(0) += tally.records;
        }
        Self {
            run_id: run.key.run.clone(),
            tenant: run.key.tenant.clone(),
            profile: run.profile.name.clone(),
            profile_kind: run.profile.kind,
            profile_revision: run.profile.revision,
            selectors: run.selectors.clone(),
            options: run.options.clone(),
            requested_by: run.requested_by.clone(),
            status: run.status,
            submitted_at: run.submitted_at,
            started_at: run.started_at,
            finished_at: run.finished_at,
            watermark: run.watermark,
            tenants: if run.is_cross_tenant() {
                run.owners().to_vec()
            } else {
                Vec::new()
            },
            approvals: run.approvals.iter().map(ApprovalView::from).collect(),
            policy_snapshot_id: run
                .policy_snapshot
                .as_ref()
                .map(|snapshot| snapshot.policy_snapshot_id.clone()),
            parts: run.parts,
            parts_done: run.parts.saturating_sub(run.parts_left),
            records: run.records,
            records_planned: run.records_planned,
            by_kind,
            bytes: run.bytes,
            bytes_planned: run.bytes_planned,
            seconds_left: seconds_left(run, now),
            quarantined: run.quarantined,
            content_digest: published.map(|set| set.content_digest),
            manifest_sha256: published.map(|set| set.manifest_sha256),
            key_fingerprint: published.map(|set| set.key_fingerprint.clone()),
            key_id: published.map(|set| set.key_id.clone()),
            sha256: archive.map(|archive| archive.sha256),
            size_bytes: archive.map(|archive| archive.size),
            expires_at: run.expires_at,
            pruned: run.pruned.as_ref().map(|pruned| PrunedView {
                at: pruned.at,
                reason: pruned.reason.clone(),
            }),
            failure: run.failure.clone(),
            cancellation: run.cancellation.clone(),
            distributions: Vec::new(),
            last_seq: run.last_seq,
        }
    }

    /// The same, with where the bundle was handed over.
    #[must_use]
    pub fn with_distributions(mut self, rows: &[Distribution]) -> Self {
        self.distributions = rows
            .iter()
            .map(|row| DistributionView {
                kind: row.target.kind().to_owned(),
                status: row.status,
                sha256: row.archive.as_ref().map(|archive| archive.sha256),
                size_bytes: row.archive.as_ref().map(|archive| archive.size),
                failure: row.failure.clone(),
            })
            .collect();
        self
    }
}

impl From<&RecordedApproval> for ApprovalView {
    fn from(approval: &RecordedApproval) -> Self {
        Self {
            grantor: approval.grantor.clone(),
            nonce: approval.nonce.clone(),
            key_fingerprint: approval.key_fingerprint.clone(),
            sha256: approval.sha256,
        }
    }
}

/// As long again as the bytes so far took, for each of them that is left.
fn seconds_left(run: &Run, now: Timestamp) -> Option<u64> {
    if run.status != RunStatus::Exporting || run.bytes == 0 {
        return None;
    }
    let spent = u128::from(now.millis_since(run.started_at?));
    let left = u128::from(run.bytes_planned.saturating_sub(run.bytes));
    u64::try_from(spent * left / u128::from(run.bytes) / 1_000).ok()
}

/// A page of runs, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunPage {
    /// The runs.
    pub runs: Vec<RunView>,
    /// Continues the list; none at its end.
    pub next_cursor: Option<String>,
}

/// A page of a run's events, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventPage {
    /// Whose events.
    pub run_id: RunId,
    /// The events.
    pub events: Vec<Event>,
    /// The sequence number after which the next page begins.
    pub after: u64,
    /// Whether the run has ended and this page has its last event.
    pub ended: bool,
}

/// A revision of a profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Profile")]
pub struct ProfileView {
    /// Its name.
    pub name: String,
    /// What it produces.
    pub kind: ProfileKind,
    /// Counts from 1; every change of the configuration makes a new one.
    pub revision: u32,
    /// What it is for.
    pub description: String,
    /// Whether it came with the service and cannot be changed.
    pub builtin: bool,
    /// When this revision was made.
    pub created_at: Option<Timestamp>,
    /// When it was retired; it cannot be run any more then.
    pub retired_at: Option<Timestamp>,
    /// Its configuration.
    pub config: ProfileConfig,
}

impl From<&Profile> for ProfileView {
    fn from(profile: &Profile) -> Self {
        Self {
            name: profile.name.clone(),
            kind: profile.kind,
            revision: profile.revision,
            description: profile.description.clone(),
            builtin: profile.is_builtin(),
            created_at: profile.created_at,
            retired_at: profile.retired_at,
            config: profile.config.clone(),
        }
    }
}

/// Every profile, built-in ones first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProfileList {
    /// The newest revision of each.
    pub profiles: Vec<ProfileView>,
}

/// What the service can produce.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AdapterList {
    /// The adapters.
    pub adapters: Vec<AdapterView>,
}

/// An adapter.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Adapter")]
pub struct AdapterView {
    /// Its name.
    pub name: String,
    /// Its version; another one may give other bytes for the same records.
    pub version: String,
    /// The kinds of profile that it makes.
    pub variants: Vec<String>,
    /// The formats of its files.
    pub formats: Vec<String>,
}

impl From<&AdapterInfo> for AdapterView {
    fn from(adapter: &AdapterInfo) -> Self {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        Self {
            name: adapter.name.to_owned(),
            version: adapter.version.to_owned(),
            variants: texts(adapter.variants),
            formats: texts(adapter.formats),
        }
    }
}

/// The key that bundles are signed with.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SigningKeyView {
    /// The public key, PEM.
    pub public_key: String,
    /// Its fingerprint over its SPKI DER.
    pub fingerprint: String,
}
