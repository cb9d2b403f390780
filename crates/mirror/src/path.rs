//! Where a document lies in the tree.
//!
//! A path is a function of the document's kind and `_id` alone, so that a listing needs no
//! registry of names and two mirrors agree. Its last component is readable, and it is unique
//! because of the digest in it: sixteen bytes of SHA-256 over `_id`. It is in lower case, of a few
//! ASCII characters, at most 100 bytes a component and no name that Windows keeps for devices, so
//! it names the same file on every file system.

use std::fmt;

use export_model::{Kind, Sha256Digest};

/// The policy snapshot, where a tree has findings.
pub const POLICY_SNAPSHOT: &str = "data/policy/policy_snapshot.json";

/// Longest readable part, in bytes.
const MOST_SLUG: usize = 60;
/// Digits of the digest in a name.
const DIGITS: usize = 32;
const EXTENSION: &[u8] = b".json";
/// Longest path: the longest folder, two digits, the longest slug, the digits, the extension.
const MOST_BYTES: usize = 128;
const HEX: &[u8; 16] = b"0123456789abcdef";

/// The path of a document, without allocating.
#[derive(Clone, Copy)]
pub struct DocumentPath {
    bytes: [u8; MOST_BYTES],
    length: usize,
    order: u16,
}

impl DocumentPath {
    /// The path of the document `id` of `kind`:
    /// `data/raw/<kind>/<2 digits>/<slug>-<32 digits>.json`, for findings
    /// `data/policy/finding/<2 digits>/…`.
    #[must_use]
    pub fn of(kind: Kind, id: &str) -> Self {
        let mut path = Self {
            bytes: [0; MOST_BYTES],
            length: 0,
            order: 0,
        };
        let digits = digits(id);
        path.push(folder(kind).as_bytes());
        path.push(digits.get(..2).unwrap_or_default());
        path.push(b"/");
        path.push_slug(id);
        path.push(b"-");
        path.push(&digits);
        path.push(EXTENSION);
        let folder = match kind {
            Kind::Finding => 0,
            Kind::Advisory => 1,
            Kind::Sbom => 2,
            Kind::Vex => 3,
        };
        let [bucket, ..] = digits.as_chunks::<2>().0 else {
            return path;
        };
        path.order = bucket
            .iter()
            .fold(folder, |order, digit| order << 4 | value(*digit));
        path
    }

    /// How paths compare as bytes, unless it is equal: by their folders.
    #[must_use]
    pub fn order(&self) -> u16 {
        self.order
    }

    /// Its bytes, which are ASCII.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// It as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    fn push(&mut self, bytes: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.length..self.length + bytes.len()) {
            room.copy_from_slice(bytes);
            self.length += bytes.len();
        }
    }

    fn push_slug(&mut self, id: &str) {
        let start = self.length;
        let mut length = 0;
        let mut last = 0;
        for &byte in id.as_bytes() {
            let byte = plain(byte);
            // Neither does a name begin with a dash or a dot, nor do dashes follow each other.
            if (length == 0 && matches!(byte, b'-' | b'.')) || (byte == b'-' && last == b'-') {
                continue;
            }
            if let Some(at) = self.bytes.get_mut(start + length) {
                *at = byte;
            }
            last = byte;
            length += 1;
            if length == MOST_SLUG {
                break;
            }
        }
        let slug = self.bytes.get_mut(start..start + length);
        let slug = slug.unwrap_or_default();
        while let Some(b'-' | b'.') = slug.get(..length).and_then(<[u8]>::last) {
            length -= 1;
        }
        if length == 0 {
            self.push(b"document");
            return;
        }
        if let Some(dot) = slug.iter().position(|byte| *byte == b'.')
            && dot < length
            && is_device(slug.get(..dot).unwrap_or_default())
            && let Some(byte) = slug.get_mut(dot)
        {
            *byte = b'-';
        }
        self.length += length;
    }
}

impl fmt::Display for DocumentPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for DocumentPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// [`DocumentPath::of`] as a text of its own.
#[must_use]
pub fn document(kind: Kind, id: &str) -> String {
    DocumentPath::of(kind, id).as_str().to_owned()
}

/// Appends [`DocumentPath::of`] to `out`.
pub fn write_document(out: &mut Vec<u8>, kind: Kind, id: &str) {
    out.extend_from_slice(DocumentPath::of(kind, id).as_bytes());
}

/// The kind of document that `path` can be the path of; none where it is of no document's shape.
/// Whether it is that of one document takes the document's `_id`.
#[must_use]
pub fn kind_of(path: &str) -> Option<Kind> {
    let (kind, rest) = Kind::ALL
        .into_iter()
        .find_map(|kind| Some((kind, path.strip_prefix(folder(kind))?)))?;
    let (bucket, name) = rest.split_once('/')?;
    let stem = name.as_bytes().strip_suffix(EXTENSION)?;
    let (slug, digits) = stem.split_at_checked(stem.len().checked_sub(DIGITS)?)?;
    let slug = slug.strip_suffix(b"-")?;
    let fits = digits.iter().all(|digit| HEX.contains(digit))
        && digits.starts_with(bucket.as_bytes())
        && bucket.len() == 2
        && (1..=MOST_SLUG).contains(&slug.len())
        && slug
            .iter()
            .all(|byte| *byte == b'-' || plain(*byte) == *byte);
    fits.then_some(kind)
}

/// The path of a kind's counts.
#[must_use]
pub fn manifest(kind: Kind) -> String {
    format!("manifests/{kind}.json")
}

fn folder(kind: Kind) -> &'static str {
    match kind {
        Kind::Advisory => "data/raw/advisory/",
        Kind::Finding => "data/policy/finding/",
        Kind::Sbom => "data/raw/sbom/",
        Kind::Vex => "data/raw/vex/",
    }
}

fn digits(id: &str) -> [u8; DIGITS] {
    let digest = Sha256Digest::of(id.as_bytes());
    let mut digits = [0; DIGITS];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(digest.0) {
        if let [high, low] = pair {
            *high = hex_digit(byte >> 4);
            *low = hex_digit(byte & 15);
        }
    }
    digits
}

/// What a hexadecimal digit stands for.
fn value(digit: u8) -> u16 {
    u16::from(if digit > b'9' {
        digit - b'a' + 10
    } else {
        digit - b'0'
    })
}

fn hex_digit(nibble: u8) -> u8 {
    HEX.get(usize::from(nibble)).copied().unwrap_or(b'0')
}

/// A byte of an `_id` as a name shows it.
fn plain(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'+' => byte,
        b'A'..=b'Z' => byte.to_ascii_lowercase(),
        _ => b'-',
    }
}

/// Whether Windows takes a file of this name, with whatever extension, for a device.
fn is_device(stem: &[u8]) -> bool {
    match stem {
        b"con" | b"prn" | b"aux" | b"nul" => true,
        [b'c', b'o', b'm', digit] | [b'l', b'p', b't', digit] => digit.is_ascii_digit(),
        _ => false,
    }
}

#[cfg(test)]
#[path = "path_tests.rs"]
mod tests;
