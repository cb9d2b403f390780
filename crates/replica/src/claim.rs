//! What a bundle says it is, as far as that decides whether it may be applied.
//!
//! Kept apart from the manifest: in a sealed bundle the digests of the tree are not there but in a
//! member of the payload, because they would tell something of what is inside.

use export_bundle::manifest::Manifest;
use export_model::{
    MirrorBase, ProfileConfig, ProfileKind, RunId, Selectors, Sha256Digest, Tenant,
};

use crate::error::Error;

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
    /// The profile's configuration.
    pub config: ProfileConfig,
    /// What was selected.
    pub selectors: Selectors,
    /// The state of the ledger.
    pub watermark: u64,
    /// Digest of the listing that comes of applying it.
    pub tree_digest: Sha256Digest,
    /// The state that it changes; none of a full export.
    pub base: Option<MirrorBase>,
}

impl Claim {
    /// The claim of a manifest that has been verified.
    ///
    /// # Errors
    /// When it is of something else than a mirror, or lacks what a mirror's manifest has.
    pub fn of(manifest: &Manifest) -> Result<Self, Error> {
        let kind = manifest.profile.kind;
        if !kind.is_mirror() {
            return Err(Error::NotAMirror { kind });
        }
        let section = manifest.mirror().ok_or(Error::Claim {
            what: "does not say which tree it makes",
        })?;
        Ok(Self {
            export_id: manifest.run.id.clone(),
            tenant: manifest.run.tenant.clone(),
            profile: manifest.profile.name.clone(),
            kind,
            config: manifest.profile.config.clone(),
            selectors: manifest.selectors.clone(),
            watermark: manifest.run.as_of.watermark,
            tree_digest: section.tree_digest,
            base: section.base,
        })
    }
}
