//! What a verification found.

use std::collections::BTreeMap;

use export_model::{ErrorCode, Kind, ProfileKind, RunId, Sha256Digest, Tenant};
use export_signing::Fingerprint;
use serde::Serialize;

use crate::manifest::Manifest;
use crate::paths::shown;

/// The most problems that a report lists.
const MAX_PROBLEMS: usize = 100;

/// Whether a bundle is what it claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Signed by a trusted key, and everything in it is what was signed.
    Verified,
    /// Nothing is wrong in itself, but there was no key to say who vouches for it.
    NotVerified,
    /// Something is wrong.
    Failed,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Of which class.
    pub code: ErrorCode,
    /// In which file; none when it is the whole.
    pub path: Option<String>,
    /// What exactly.
    pub detail: String,
}

/// What a bundle says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The run that made it.
    pub run_id: RunId,
    /// Whose run it is; whose evidence, too, unless there is `by_tenant`.
    pub tenant: Tenant,
    /// The profile's name.
    pub profile: String,
    /// The profile's revision.
    pub profile_revision: u32,
    /// What the profile produces.
    pub profile_kind: ProfileKind,
    /// The ledger's state that was exported.
    pub watermark: u64,
    /// Records in it.
    pub records: u64,
    /// The same by kind.
    pub by_kind: BTreeMap<Kind, u64>,
    /// The same by the tenant that owns them, in bundles across tenants.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_tenant: BTreeMap<Tenant, u64>,
    /// Records that were left out, by code.
    pub quarantined: BTreeMap<String, u64>,
    /// The content digest; none of a sealed bundle that was not opened.
    pub content_digest: Option<Sha256Digest>,
    /// How it is sealed, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed: Option<String>,
    /// Payload files.
    pub files: u64,
    /// Their stored bytes together.
    pub bytes: u64,
    /// Their bytes before compression together.
    pub content_bytes: u64,
    /// Who built it, as its provenance says.
    pub builder_id: Option<String>,
}

impl Summary {
    pub(crate) fn new(manifest: &Manifest, builder_id: Option<String>) -> Self {
        Self {
            run_id: manifest.run.id.clone(),
            tenant: manifest.run.tenant.clone(),
            profile: manifest.profile.name.clone(),
            profile_revision: manifest.run.profile_revision,
            profile_kind: manifest.profile.kind,
            watermark: manifest.run.as_of.watermark,
            records: manifest.counts.records,
            by_kind: manifest.counts.by_kind.clone(),
            by_tenant: manifest.counts.by_tenant.clone(),
            quarantined: manifest.counts.quarantined.clone(),
            content_digest: manifest.sealed.is_none().then_some(manifest.content_digest),
            sealed: manifest.sealed.as_ref().map(|sealed| sealed.mode.clone()),
            files: manifest.files.len() as u64,
            bytes: manifest.stored_bytes(),
            content_bytes: manifest.content_bytes(),
            builder_id,
        }
    }
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The verdict.
    pub verdict: Verdict,
    /// The gravest class of what is wrong, `NoKey` without a key; none when verified.
    pub code: Option<ErrorCode>,
    /// The trusted key that signed, or else the key that the bundle names.
    pub key: Option<Fingerprint>,
    /// What the bundle says of itself, where its manifest can be read. Only to be relied on when
    /// the verdict is [`Verdict::Verified`].
    pub summary: Option<Summary>,
    /// What is wrong, in the order in which it was found.
    pub problems: Vec<Problem>,
    /// How many more there are than are listed.
    pub problems_omitted: u64,
    /// Whether contents were looked into.
    pub deep: bool,
    /// Whether it is sealed and every file of it was opened.
    pub opened: bool,
    /// What of the contents was not checked because it would not fit in memory, and why.
    pub unchecked: Vec<String>,
}

/// Problems as they are found.
#[derive(Debug, Default)]
pub(super) struct Problems {
    pub(super) list: Vec<Problem>,
    pub(super) omitted: u64,
    pub(super) gravest: Option<ErrorCode>,
}

impl Problems {
    pub(super) fn add(&mut self, code: ErrorCode, path: Option<&str>, detail: impl Into<String>) {
        self.push(Problem {
            code,
            path: path.map(shown),
            detail: detail.into(),
        });
    }

    pub(super) fn push(&mut self, problem: Problem) {
        if self
            .gravest
            .is_none_or(|worst| gravity(problem.code) < gravity(worst))
        {
            self.gravest = Some(problem.code);
        }
        if self.list.len() < MAX_PROBLEMS {
            self.list.push(problem);
        } else {
            self.omitted += 1;
        }
    }

    pub(super) fn names(&self, path: &str) -> bool {
        self.list
            .iter()
            .any(|problem| problem.path.as_deref() == Some(path))
    }
}

/// Smaller is graver.
fn gravity(code: ErrorCode) -> usize {
    [
        ErrorCode::NotABundle,
        ErrorCode::WrongKey,
        ErrorCode::BadSignature,
        ErrorCode::Altered,
        ErrorCode::Incomplete,
        ErrorCode::WrongIdentity,
    ]
    .iter()
    .position(|known| *known == code)
    .unwrap_or(0)
}
