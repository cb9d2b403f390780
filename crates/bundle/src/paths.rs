//! Names inside a bundle: the five documents, payload paths, and the order of members.
//!
//! A payload path becomes a file name on whatever system a bundle is unpacked on. So it holds
//! printable ASCII only, without what Windows or a shell gives a meaning, and can neither be
//! absolute nor lead out of the folder.

use std::cmp::Ordering;

use crate::payload::CONTENT;

/// The manifest.
pub const MANIFEST: &str = "export.json";
/// The manifest's signature, base64 of ASN.1 DER.
pub const MANIFEST_SIGNATURE: &str = "export.json.sig";
/// The manifest's signature as a Sigstore bundle.
pub const MANIFEST_BUNDLE: &str = "export.json.sigstore.json";
/// The provenance statement.
pub const PROVENANCE: &str = "provenance.json";
/// The provenance in a signed DSSE envelope, as a Sigstore bundle.
pub const PROVENANCE_BUNDLE: &str = "provenance.json.sigstore.json";

/// The documents that every bundle begins with, in archive order.
pub const DOCUMENTS: [&str; 5] = [
    MANIFEST,
    MANIFEST_SIGNATURE,
    MANIFEST_BUNDLE,
    PROVENANCE,
    PROVENANCE_BUNDLE,
];

/// The folder of everything that is not a document.
pub const PAYLOAD: &str = "payload";

/// The most bytes of a path.
pub const MAX_PATH_BYTES: usize = 1024;
/// The most bytes between two slashes, which is what file systems allow.
pub const MAX_COMPONENT_BYTES: usize = 255;

/// Why a text is not the path of a payload file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It is outside the payload folder, absolute, or the folder itself.
    #[error("`{path}` is not a file below payload/")]
    Outside {
        /// The path, cut where it is long.
        path: String,
    },
    /// A component is empty, `.`, `..`, too long, or ends with a dot.
    #[error("`{path}` has a component that is empty, too long, or ends with a dot")]
    Component {
        /// The path, cut where it is long.
        path: String,
    },
    /// It has a character that is not safe in a file name everywhere.
    #[error("`{path}` has a character that is not safe in every file system")]
    Character {
        /// The path, cut where it is long.
        path: String,
    },
    /// It is longer than [`MAX_PATH_BYTES`].
    #[error("`{path}…` has {bytes} bytes; a path has at most {MAX_PATH_BYTES}")]
    TooLong {
        /// Its beginning.
        path: String,
        /// Its length.
        bytes: usize,
    },
}

/// A text from a file, as messages show it: printable, and not longer than needed.
pub(crate) fn shown(text: &str) -> String {
    text.chars()
        .take(200)
        .flat_map(char::escape_debug)
        .collect()
}

/// Says whether `path` may be the path of a payload file.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_payload_path(path: &str) -> Result<(), PathError> {
    let at = || shown(path);
    if path.len() > MAX_PATH_BYTES {
        return Err(PathError::TooLong {
            path: at(),
            bytes: path.len(),
        });
    }
    let below = path
        .strip_prefix(PAYLOAD)
        .and_then(|rest| rest.strip_prefix('/'))
        .ok_or_else(|| PathError::Outside { path: at() })?;
    for component in below.split('/') {
        if component.is_empty() || component.ends_with('.') || component.len() > MAX_COMPONENT_BYTES
        {
            return Err(PathError::Component { path: at() });
        }
    }
    let safe = |b: u8| b.is_ascii_graphic() && !br#"\:*?"<>|"#.contains(&b);
    if !below.bytes().all(safe) {
        return Err(PathError::Character { path: at() });
    }
    Ok(())
}

/// What sealing appends to the name of a file.
pub const SEALED_SUFFIXES: [&str; 2] = [".age", ".enc"];

/// The path of a file before it was sealed.
#[must_use]
pub fn unsealed_path(path: &str) -> &str {
    let strip = |suffix: &&str| path.strip_suffix(suffix);
    SEALED_SUFFIXES.iter().find_map(strip).unwrap_or(path)
}

/// The path of a file's content: without what compression and sealing append to its name.
#[must_use]
pub fn content_path(path: &str) -> &str {
    let mut rest = path;
    while let Some(shorter) = [".zst", ".gz", ".age", ".enc"]
        .iter()
        .find_map(|suffix| rest.strip_suffix(suffix))
    {
        rest = shorter;
    }
    rest
}

/// The order of members in an archive: the documents as in [`DOCUMENTS`], in sealed bundles the
/// document that tells what is in the others, then everything else by path.
#[must_use]
pub fn member_order(a: &str, b: &str) -> Ordering {
    fn rank(path: &str) -> usize {
        DOCUMENTS
            .iter()
            .position(|document| *document == path)
            .unwrap_or(DOCUMENTS.len() + usize::from(unsealed_path(path) != CONTENT))
    }
    rank(a).cmp(&rank(b)).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_below_payload_are_let_in() {
        let longest = format!("payload/{}", "a".repeat(MAX_COMPONENT_BYTES));
        for good in [
            "payload/a",
            "payload/advisory/part-00000.jsonl.zst",
            "payload/x+y=1@2,3~4/.hidden",
            longest.as_str(),
        ] {
            assert_eq!(check_payload_path(good), Ok(()), "{good}");
        }
        let too_long = format!("payload/{}", "a/".repeat(600));
        let wide = format!("payload/{}", "a".repeat(MAX_COMPONENT_BYTES + 1));
        for bad in [
            "",
            "payload",
            "payload/",
            "/payload/a",
            "../payload/a",
            "payload/../a",
            "payload/./a",
            "payload/a/",
            "payload//a",
            "payload/a.",
            "payload/a b",
            "payload/a\\b",
            "payload/c:d",
            "payload/a\0",
            "payload/\u{e9}",
            "payloads/a",
            "export.json",
            &too_long,
            &wide,
        ] {
            assert!(check_payload_path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn content_paths_lose_every_wrapping() {
        assert_eq!(content_path("payload/a.jsonl.zst"), "payload/a.jsonl");
        assert_eq!(content_path("payload/a.jsonl.zst.age"), "payload/a.jsonl");
        assert_eq!(content_path("payload/db.tar.gz"), "payload/db.tar");
        assert_eq!(content_path("payload/a.json"), "payload/a.json");
    }

    #[test]
    fn documents_come_first_and_in_their_order() {
        let mut names = vec![
            "payload/a",
            "a",
            "provenance.json",
            "export.json.sig",
            "export.json",
        ];
        names.sort_by(|a, b| member_order(a, b));
        assert_eq!(
            names,
            [
                "export.json",
                "export.json.sig",
                "provenance.json",
                "a",
                "payload/a"
            ]
        );
    }
}
