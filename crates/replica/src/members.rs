//! What each member of a mirror's payload is.

use export_bundle::paths::content_path;
use export_model::Kind;

/// A member, by its path without what compression and sealing append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Member {
    /// A layer of documents of a kind.
    Documents(Kind),
    /// A layer of indexes, which are made anew instead.
    Indexes,
    /// The layer of manifests.
    Manifests,
    /// The policy snapshot.
    Snapshot,
    /// The listing of the tree.
    Listing,
    /// What changed.
    Delta,
    /// The digests of both trees of a delta.
    Digests,
    /// What is of no use in a tree: how the export was made, and what it left out.
    Other,
}

impl Member {
    /// The member at `path`; none where no mirror has one.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let below = content_path(path).strip_prefix("payload/")?;
        match below {
            "tree.jsonl" => return Some(Self::Listing),
            "delta.jsonl" => return Some(Self::Delta),
            "delta.json" => return Some(Self::Digests),
            "policy_snapshot.json" => return Some(Self::Snapshot),
            "inputs.jsonl" | "quarantine.jsonl" | "content.json" => return Some(Self::Other),
            _ => {}
        }
        let (name, number) = below
            .strip_prefix("layers/")?
            .strip_suffix(".tar")?
            .rsplit_once('-')?;
        if number.len() < 5 || !number.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        match name {
            "indexes" => Some(Self::Indexes),
            "manifests" => Some(Self::Manifests),
            kind => kind.parse().ok().map(Self::Documents),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_told_by_their_names_however_they_are_wrapped() {
        for (path, member) in [
            (
                "payload/layers/advisory-00000.tar.zst",
                Some(Member::Documents(Kind::Advisory)),
            ),
            (
                "payload/layers/vex-00012.tar.zst.age",
                Some(Member::Documents(Kind::Vex)),
            ),
            (
                "payload/layers/indexes-00000.tar.zst",
                Some(Member::Indexes),
            ),
            (
                "payload/layers/manifests-00000.tar.zst",
                Some(Member::Manifests),
            ),
            ("payload/tree.jsonl.zst.enc", Some(Member::Listing)),
            ("payload/delta.json", Some(Member::Digests)),
            ("payload/delta.jsonl.zst", Some(Member::Delta)),
            ("payload/inputs.jsonl.zst", Some(Member::Other)),
            ("payload/layers/advisory.tar.zst", None),
            ("payload/layers/other-00000.tar.zst", None),
            ("payload/layers/vex-0000x.tar.zst", None),
            ("payload/db.tar.gz", None),
        ] {
            assert_eq!(Member::of(path), member, "{path}");
        }
    }
}
