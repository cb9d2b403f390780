//! What a manifest says of a mirror's tree.

use export_mirror::delta::DeltaFile;
use export_model::{MirrorBase, ProfileKind, Sha256Digest};

use super::Manifest;
use crate::payload::{DELTA, DELTA_CHANGES, TREE};

/// The tree that a mirror's bundle leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorSection {
    /// The digest of the tree: the one that is carried, or the one that a delta gives.
    pub tree_digest: Sha256Digest,
    /// Of a delta: what it is applied to.
    pub base: Option<MirrorBase>,
}

impl Manifest {
    /// The tree that the bundle leads to; none where it is no mirror, or does not say.
    #[must_use]
    pub fn mirror(&self) -> Option<MirrorSection> {
        match (self.profile.kind, &self.base) {
            (ProfileKind::MirrorFull, None) => Some(MirrorSection {
                tree_digest: self.tree_digest?,
                base: None,
            }),
            (ProfileKind::MirrorDelta, Some(base)) => Some(MirrorSection {
                tree_digest: self.result_tree_digest?,
                base: Some(base.clone()),
            }),
            _ => None,
        }
    }

    /// What is missing of what a mirror has to say and to carry, or is there and should not be.
    pub(super) fn not_a_mirror(&self) -> Option<String> {
        let kind = self.profile.kind;
        let said = [
            self.tree_digest.is_some(),
            self.base.is_some(),
            self.result_tree_digest.is_some(),
        ];
        let expected = match kind {
            ProfileKind::MirrorFull => [true, false, false],
            ProfileKind::MirrorDelta => [false, true, true],
            _ => [false; 3],
        };
        if said != expected {
            return Some(format!(
                "`tree_digest`, `base` and `result_tree_digest` are not those of an export of {kind}"
            ));
        }
        let section = self.mirror()?;
        match section.base {
            None => {
                let listed = self.file(TREE).map(|(_, file)| file.content_sha256);
                (listed != Some(section.tree_digest))
                    .then(|| format!("`tree_digest` is not that of {TREE}"))
            }
            Some(base) => {
                let delta = DeltaFile {
                    base_tree_digest: base.tree_digest,
                    result_tree_digest: section.tree_digest,
                };
                let expected = Sha256Digest::of(&delta.to_bytes());
                let listed = self.file(DELTA).map(|(_, file)| file.content_sha256);
                if listed != Some(expected) {
                    return Some(format!("{DELTA} has other digests than export.json"));
                }
                self.file(DELTA_CHANGES)
                    .is_none()
                    .then(|| format!("an export of {kind} has no {DELTA_CHANGES}"))
            }
        }
    }
}
