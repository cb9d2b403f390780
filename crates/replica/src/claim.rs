//! What a bundle says it is, as far as that decides whether it may be applied.
//!
//! Kept apart from the manifest: in a sealed bundle the digests of the tree are not there but in a
//! member of the payload, because they would tell something of what is inside.

use export_bundle::manifest::Manifest;
use export_model::{ProfileKind, RunId, Selectors, Sha256Digest, Tenant};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The state that a delta was made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// The export that holds it.
    pub export_id: RunId,
    /// Digest of that export's manifest.
    pub manifest_sha256: Sha256Digest,
    /// Digest of its listing.
    pub tree_digest: Sha256Digest,
    /// The state of the ledger.
    pub watermark: u64,
}

/// What a bundle says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The export.
    pub export_id: RunId,
    /// Whose.
    pub tenant: Tenant,
    /// The profile's name.
    pub profile: String,
    /// `mirror:full` or `mirror:delta`.
    pub kind: ProfileKind,
    /// What was selected.
    pub selectors: Selectors,
    /// The state of the ledger.
    pub watermark: u64,
    /// Digest of the listing that comes of applying it.
    pub tree_digest: Sha256Digest,
    /// The state that it changes; none of a full export.
    pub base: Option<Base>,
}

impl Claim {
    /// The claim of a manifest that has been verified.
    ///
    /// # Errors
    /// When it is of something else than a mirror, or lacks what a mirror's manifest has.
    pub fn of(manifest: &Manifest) -> Result<Self, Error> {
        let kind = manifest.profile.kind;
        if !matches!(kind, ProfileKind::MirrorFull | ProfileKind::MirrorDelta) {
            return Err(Error::NotAMirror { kind });
        }
        let section = manifest.mirror.as_ref().ok_or(Error::Claim {
            what: "does not say which tree it makes",
        })?;
        let base = section.base.as_ref().map(|base| Base {
            export_id: base.export_id.clone(),
            manifest_sha256: base.manifest_sha256,
            tree_digest: base.tree_digest,
            watermark: base.watermark,
        });
        if base.is_some() != (kind == ProfileKind::MirrorDelta) {
            return Err(Error::Claim {
                what: "contradicts itself: a delta names its base, and a full export has none",
            });
        }
        Ok(Self {
            export_id: manifest.run.id.clone(),
            tenant: manifest.run.tenant.clone(),
            profile: manifest.profile.name.clone(),
            kind,
            selectors: manifest.selectors.clone(),
            watermark: manifest.run.as_of.watermark,
            tree_digest: section.tree_digest,
            base,
        })
    }
}

/// The name that the profiles of one mirror have in common. The built-in profiles are named as their
/// kinds, and belong together.
pub(crate) fn line_name(profile: &str) -> &str {
    let built_in = [ProfileKind::MirrorFull, ProfileKind::MirrorDelta]
        .iter()
        .any(|kind| kind.as_str() == profile);
    if built_in { "mirror" } else { profile }
}
