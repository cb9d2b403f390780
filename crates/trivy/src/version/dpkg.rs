//! Debian's versions (deb-version(7)): epoch, upstream version, revision.

use std::cmp::Ordering;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Version {
    epoch: u64,
    upstream: String,
    revision: String,
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| compare(self.upstream.as_bytes(), other.upstream.as_bytes()))
            .then_with(|| compare(self.revision.as_bytes(), other.revision.as_bytes()))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

pub(super) fn parse(text: &str) -> Option<Version> {
    let text = text.trim_ascii();
    let (epoch, rest) = match text.split_once(':') {
        Some((epoch, rest)) if epoch.bytes().all(|byte| byte.is_ascii_digit()) => {
            (epoch.parse().ok()?, rest)
        }
        Some(_) => return None,
        None => (0, text),
    };
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    let in_revision = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'.' | b'~' | b'_');
    let in_upstream = |b: u8| in_revision(b) || matches!(b, b'-' | b':');
    let valid = upstream.starts_with(|c: char| c.is_ascii_digit())
        && upstream.bytes().all(in_upstream)
        && revision.bytes().all(in_revision);
    valid.then(|| Version {
        epoch,
        upstream: upstream.to_owned(),
        revision: revision.to_owned(),
    })
}

/// A tilde comes before the end, the end before letters, letters before all else.
fn weight(byte: Option<&u8>) -> u16 {
    match byte {
        Some(b'~') => 0,
        None => 1,
        Some(byte) if byte.is_ascii_digit() => 1,
        Some(byte) if byte.is_ascii_alphabetic() => u16::from(*byte) + 2,
        Some(byte) => u16::from(*byte) + 256,
    }
}

fn compare(mut a: &[u8], mut b: &[u8]) -> Ordering {
    let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| !byte.is_ascii_digit());
    while !a.is_empty() || !b.is_empty() {
        while is_word(a.first()) || is_word(b.first()) {
            let order = weight(a.first()).cmp(&weight(b.first()));
            if order.is_ne() {
                return order;
            }
            a = a.get(1..).unwrap_or_default();
            b = b.get(1..).unwrap_or_default();
        }
        let (left, after_left) = digits(a);
        let (right, after_right) = digits(b);
        let order = left.len().cmp(&right.len()).then_with(|| left.cmp(right));
        if order.is_ne() {
            return order;
        }
        a = after_left;
        b = after_right;
    }
    Ordering::Equal
}

/// The digits at the start, without zeros before them, and the rest.
fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit());
    let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
    let start = digits.iter().position(|byte| *byte != b'0');
    (
        digits.get(start.unwrap_or(digits.len())..).unwrap_or(&[]),
        rest,
    )
}
