//! Where in a mirror's folder everything is.

use std::path::{Path, PathBuf};

/// The format of the folder.
pub(crate) const FORMAT: &str = "export-center/mirror/v1";

/// The link that readers follow; swapping it is the one commit point.
pub(crate) const CURRENT: &str = "current";
/// The folder of trees.
pub(crate) const VERSIONS: &str = "versions";
/// The folder of what the mirror knows of itself.
pub(crate) const META: &str = ".mirror";
/// The listing of a version, beside its documents.
pub(crate) const LISTING: &str = "tree.jsonl.zst";
/// What was applied, beside its documents.
pub(crate) const ENTRY: &str = "entry.json";
/// The public key that signed an entry's documents, beside them.
pub(crate) const KEY: &str = "key.pem";
/// The policy snapshot in a tree.
pub(crate) const SNAPSHOT: &str = "data/policy/policy_snapshot.json";

/// Paths below a mirror's folder.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    root: PathBuf,
}

impl Place {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn current(&self) -> PathBuf {
        self.root.join(CURRENT)
    }

    pub(crate) fn versions(&self) -> PathBuf {
        self.root.join(VERSIONS)
    }

    /// The tree of a version.
    pub(crate) fn version(&self, version: u64) -> PathBuf {
        self.versions().join(number(version))
    }

    pub(crate) fn meta(&self) -> PathBuf {
        self.root.join(META)
    }

    /// What the mirror says of itself to people.
    pub(crate) fn description(&self) -> PathBuf {
        self.meta().join("mirror.json")
    }

    /// The pinned key.
    pub(crate) fn key(&self) -> PathBuf {
        self.meta().join(KEY)
    }

    pub(crate) fn chain(&self) -> PathBuf {
        self.meta().join("chain")
    }

    /// What made a version.
    pub(crate) fn entry(&self, version: u64) -> PathBuf {
        self.chain().join(number(version))
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.meta().join("lock")
    }

    /// What is being built; nothing in it is ever relied on.
    pub(crate) fn staging(&self) -> PathBuf {
        self.meta().join("staging")
    }

    /// The next `current`, before it takes that name.
    pub(crate) fn next(&self) -> PathBuf {
        self.staging().join("next")
    }
}

/// A version as folders are named.
pub(crate) fn number(version: u64) -> String {
    format!("{version:08}")
}

/// The version that a folder's name says, where it is one of ours.
pub(crate) fn parse_number(name: &str) -> Option<u64> {
    let version = name.parse().ok()?;
    (number(version) == name).then_some(version)
}

/// Where `current` points for a version; the same wherever the link lies.
pub(crate) fn target(version: u64) -> String {
    format!("{VERSIONS}/{}", number(version))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn numbers_have_one_spelling() {
        assert_eq!(number(3), "00000003");
        for version in [0, 3, 99_999_999, 100_000_000] {
            assert_eq!(parse_number(&number(version)), Some(version));
        }
        for other in ["3", "", "0000000x", "+0000003", "000000003", "old-00000003"] {
            assert_eq!(parse_number(other), None, "{other}");
        }
        assert_eq!(target(12), "versions/00000012");
    }
}
