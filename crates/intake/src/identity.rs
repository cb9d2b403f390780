//! Texts that identify things: what may be one, and how one is made of free text.
//!
//! Ids end up in database keys, file names, hashes with NUL as separator and messages. They are
//! free text otherwise: publishers name their documents as they like.

use export_model::Sha256Digest;

/// Longest id that a record may have, in bytes.
pub(crate) const MOST_BYTES: usize = 1024;
/// Longest id that is made here of a document's own words, in bytes. Shorter than [`MOST_BYTES`],
/// because `_id` puts kind, source and hash around it.
const MOST_MADE: usize = 512;
/// Longest publisher's name that is made here, in bytes.
const MOST_SLUG: usize = 64;

/// What keeps `text` from being an id, if anything.
pub(crate) fn fault(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        Some("is empty")
    } else if text.len() > MOST_BYTES {
        Some("is longer than 1,024 bytes")
    } else if text.chars().any(char::is_control) {
        Some("contains a control character")
    } else {
        None
    }
}

/// `text` as an id: control characters become `_`, surrounding white space goes, and what is too
/// long ends in the digest of the whole instead. `None` where nothing is left.
pub(crate) fn id_of(text: &str) -> Option<String> {
    let plain: String = text
        .trim()
        .chars()
        .map(|c| if c.is_control() { '_' } else { c })
        .collect();
    if plain.len() <= MOST_MADE {
        return (!plain.is_empty()).then_some(plain);
    }
    let digest = Sha256Digest::of(text.as_bytes()).hex();
    let digest = digest.get(..16).unwrap_or_default();
    let kept = plain.floor_char_boundary(MOST_MADE - digest.len() - 1);
    let start = plain.get(..kept).unwrap_or_default();
    Some(format!("{start}~{digest}"))
}

/// `name` in lower-case letters and digits (of any script) with single hyphens between: a
/// publisher's name as a source. `None` where nothing is left.
pub(crate) fn slug(name: &str) -> Option<String> {
    let mut out = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() || c == '.' && !out.is_empty() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
        if out.len() >= MOST_SLUG {
            break;
        }
    }
    let trimmed = out.trim_end_matches(['-', '.']);
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_bounded_printable_and_stay_distinct() {
        assert_eq!(id_of(" a\u{0}b\nc ").as_deref(), Some("a_b_c"));
        assert_eq!(id_of(" \n"), None);
        let long = "é".repeat(600);
        let made = id_of(&long).unwrap();
        assert!(made.len() <= 512 && made.starts_with("éé"), "{made}");
        assert_ne!(id_of(&format!("{long}x")).unwrap(), made);
        assert_eq!(fault(&made), None);
        assert!(fault("").is_some() && fault("a\u{7f}").is_some());
        assert!(fault(&"a".repeat(1025)).is_some());
    }

    #[test]
    fn slugs_are_plain() {
        assert_eq!(
            slug("Rancher Security team").as_deref(),
            Some("rancher-security-team")
        );
        assert_eq!(
            slug("  Acme, Inc. (EU)/x ").as_deref(),
            Some("acme-inc.-eu-x")
        );
        assert_eq!(slug("../.."), None);
        assert!(slug(&"a".repeat(500)).unwrap().len() <= MOST_SLUG);
    }
}
