//! The order of member names.
//!
//! Names are compared as they stand in canonical text, without their quotes. There each character
//! has exactly one spelling, so equal bytes are equal names; and as long as no escape occurs the
//! order of the bytes is the order of the code points (a property of UTF-8).

use std::cmp::Ordering;

use super::members::unescape;

/// Which order the members of an object follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyOrder {
    /// By code point: evidence.
    CodePoint,
    /// By UTF-16 code unit: RFC 8785, section 3.2.3. Differs where U+E000 to U+FFFF meet
    /// characters beyond the Basic Multilingual Plane.
    Utf16,
}

impl KeyOrder {
    /// Compares two names in canonical spelling.
    pub(super) fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            Self::CodePoint if a.contains(&b'\\') || b.contains(&b'\\') => by_code_point(a, b),
            Self::CodePoint => a.cmp(b),
            Self::Utf16 => by_utf16(a, b),
        }
    }
}

/// The order of names of which at least one has an escape.
#[cold]
pub(super) fn by_code_point(a: &[u8], b: &[u8]) -> Ordering {
    // Every canonical escape stands for one ASCII character, so nothing has to be allocated.
    Decoded(a).cmp(Decoded(b))
}

fn by_utf16(a: &[u8], b: &[u8]) -> Ordering {
    let plain = |name: &[u8]| name.is_ascii() && !name.contains(&b'\\');
    if plain(a) && plain(b) {
        return a.cmp(b);
    }
    match (unescape(a), unescape(b)) {
        (Some(a), Some(b)) => a.encode_utf16().cmp(b.encode_utf16()),
        // Names that reach this point have been validated; any fixed order will do.
        _ => a.cmp(b),
    }
}

/// The bytes of a name with its canonical escapes decoded.
struct Decoded<'a>(&'a [u8]);

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (decoded, length) = match self.0 {
            [b'\\', escape, rest @ ..] => match escape {
                b'b' => (0x08, 2),
                b't' => (0x09, 2),
                b'n' => (0x0a, 2),
                b'f' => (0x0c, 2),
                b'r' => (0x0d, 2),
                b'u' => (control(rest), 6),
                other => (*other, 2),
            },
            [plain, ..] => (*plain, 1),
            [] => return None,
        };
        self.0 = self.0.get(length..).unwrap_or_default();
        Some(decoded)
    }
}

/// The control character of the digits after `\u`, which are `00` and two more.
fn control(digits: &[u8]) -> u8 {
    let digit = |at: usize| {
        digits
            .get(at)
            .and_then(|&b| char::from(b).to_digit(16))
            .unwrap_or(0) as u8
    };
    digit(2) << 4 | digit(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_count_as_what_they_stand_for() {
        let ascending: [&[u8]; 16] = [
            b"", b"\\u0000", b"\\u0001", b"\\b", b"\\t", b"\\n", b"\\u000b", b"\\f", b"\\r",
            b"\\u001f", b" ", b"!", b"\\\"", b"#", b"[", b"\\\\",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                for order in [KeyOrder::CodePoint, KeyOrder::Utf16] {
                    assert_eq!(order.compare(a, b), i.cmp(&j), "{a:?} {b:?}");
                }
            }
        }
        assert_eq!(KeyOrder::CodePoint.compare(b"\\\\", b"]"), Ordering::Less);
        assert_eq!(
            KeyOrder::CodePoint.compare(b"a\\n", b"a"),
            Ordering::Greater
        );
        assert_eq!(
            KeyOrder::CodePoint.compare(b"a\\nb", b"a\\nc"),
            Ordering::Less
        );
    }

    #[test]
    fn the_two_orders_differ_beyond_the_basic_plane() {
        let (private, smiley) = ("\u{fb33}".as_bytes(), "\u{1f600}".as_bytes());
        assert_eq!(KeyOrder::CodePoint.compare(private, smiley), Ordering::Less);
        assert_eq!(KeyOrder::Utf16.compare(private, smiley), Ordering::Greater);
        assert_eq!(
            KeyOrder::Utf16.compare("\u{20ac}".as_bytes(), smiley),
            Ordering::Less
        );
    }
}
