//! The lexical rules of JSON (RFC 8259) that every reader in this crate shares.
//!
//! Strings are searched eight bytes at a time in plain `u64` arithmetic ("SWAR"), which is what
//! makes the check of a record cheap without `unsafe` and without a particular processor.

/// `0x01` in each byte of a word.
const ONES: u64 = 0x0101_0101_0101_0101;
/// The highest bit of each byte of a word.
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The byte at `at`, or NUL behind the end. NUL fits no rule of JSON, so callers need no second
/// case for the end of the text.
#[inline(always)]
pub(crate) fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(0)
}

/// Marks (in the highest bit of its byte) the first byte of `word` that ends a run of plain string
/// text: `"`, `\` or a control character. Marks above the lowest one may be wrong.
///
/// `"` is 0x22 and the controls are below 0x20: with bit 1 flipped, all of them are below 0x21
/// and nothing else is, so one subtraction finds both.
#[inline(always)]
const fn special(word: u64) -> u64 {
    let quote_or_control = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
    let backslash = (word ^ (ONES * 0x5c)).wrapping_sub(ONES);
    (quote_or_control | backslash) & !word & HIGHS
}

/// The position of the first `"`, `\` or control character at or after `at`; the length of the
/// text where there is none.
#[inline(always)]
pub(crate) fn plain_end(text: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let marks = special(u64::from_le_bytes(*chunk));
        if marks != 0 {
            return at + (marks.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    tail_end(text, at)
}

/// [`plain_end`] for the last bytes of a text.
#[cold]
fn tail_end(text: &[u8], at: usize) -> usize {
    let ends = |&b: &u8| b == b'"' || b == b'\\' || b < 0x20;
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(ends).unwrap_or(rest.len())
}

/// The length of the escape that starts with the `\` at `at`, if it is spelt canonically: `\"`,
/// `\\`, the five short forms, and `\u00xx` in lower case for the other control characters.
#[inline]
pub(crate) fn canonical_escape(text: &[u8], at: usize) -> Option<usize> {
    match byte(text, at + 1) {
        b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => match text.get(at + 2..at + 6)? {
            [b'0', b'0', b'0', b'0'..=b'7' | b'b' | b'e' | b'f']
            | [b'0', b'0', b'1', b'0'..=b'9' | b'a'..=b'f'] => Some(6),
            _ => None,
        },
        _ => None,
    }
}

/// The end of the number that starts at `at`, or the position of the byte that breaks the grammar
/// of RFC 8259, section 6. What follows the number is the caller's to judge.
#[inline]
pub(crate) fn number_end(text: &[u8], mut at: usize) -> Result<usize, usize> {
    if byte(text, at) == b'-' {
        at += 1;
    }
    match byte(text, at) {
        b'0' => {
            at += 1;
            if byte(text, at).is_ascii_digit() {
                return Err(at);
            }
        }
        _ => at = digits(text, at)?,
    }
    if byte(text, at) == b'.' {
        at = digits(text, at + 1)?;
    }
    if matches!(byte(text, at), b'e' | b'E') {
        at += 1;
        if matches!(byte(text, at), b'+' | b'-') {
            at += 1;
        }
        at = digits(text, at)?;
    }
    Ok(at)
}

/// The end of the digits at `at`; at least one is needed.
#[inline]
fn digits(text: &[u8], mut at: usize) -> Result<usize, usize> {
    let start = at;
    while byte(text, at).is_ascii_digit() {
        at += 1;
    }
    if at == start { Err(at) } else { Ok(at) }
}

/// The literal (`true`, `false`, `null`) that starts at `at`, by its first byte.
#[inline]
pub(crate) fn literal_end(text: &[u8], at: usize) -> Option<usize> {
    let word: &[u8] = match byte(text, at) {
        b't' => b"true",
        b'f' => b"false",
        b'n' => b"null",
        _ => return None,
    };
    text.get(at..)?.starts_with(word).then_some(at + word.len())
}

/// Why an escape could not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadEscape {
    /// Not an escape of RFC 8259, section 7.
    Unknown,
    /// A surrogate without its other half.
    LoneSurrogate,
}

/// The character that the escape with its `\` at `at` stands for, and the length of the escape
/// (12 for a surrogate pair).
pub(crate) fn decode_escape(text: &[u8], at: usize) -> Result<(char, usize), BadEscape> {
    let short = match byte(text, at + 1) {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return decode_unicode(text, at),
        _ => return Err(BadEscape::Unknown),
    };
    Ok((short, 2))
}

fn decode_unicode(text: &[u8], at: usize) -> Result<(char, usize), BadEscape> {
    let first = hex4(text, at + 2).ok_or(BadEscape::Unknown)?;
    if let Some(c) = char::from_u32(first) {
        return Ok((c, 6));
    }
    if first >= 0xdc00 || byte(text, at + 6) != b'\\' || byte(text, at + 7) != b'u' {
        return Err(BadEscape::LoneSurrogate);
    }
    let second = hex4(text, at + 8).ok_or(BadEscape::LoneSurrogate)?;
    if !(0xdc00..0xe000).contains(&second) {
        return Err(BadEscape::LoneSurrogate);
    }
    let c = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    char::from_u32(c)
        .map(|c| (c, 12))
        .ok_or(BadEscape::LoneSurrogate)
}

fn hex4(text: &[u8], at: usize) -> Option<u32> {
    text.get(at..at + 4)?.iter().try_fold(0, |sum, &b| {
        char::from(b).to_digit(16).map(|digit| sum * 16 + digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_ends_at_quote_backslash_and_control_wherever_they_stand() {
        for length in 0..40 {
            for at in 0..length {
                for b in 0..=255u8 {
                    let mut text = vec![b'x'; length];
                    text[at] = b;
                    let ends = b == b'"' || b == b'\\' || b < 0x20;
                    let expected = if ends { at } else { length };
                    assert_eq!(
                        plain_end(&text, 0),
                        expected,
                        "byte {b} at {at} of {length}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_later_special_byte_does_not_hide_an_earlier_one() {
        for b in 0..=255u8 {
            for special in [0u8, 0x1f, b'"', b'\\'] {
                let text = [b, special, b, special, b, b, b, special];
                let first_ends = b == b'"' || b == b'\\' || b < 0x20;
                assert_eq!(
                    plain_end(&text, 0),
                    usize::from(!first_ends),
                    "{b} {special}"
                );
            }
        }
    }

    #[test]
    fn numbers_follow_the_grammar() {
        for good in [
            "0",
            "-0",
            "7",
            "10",
            "1.10",
            "1e400",
            "1E+5",
            "-1.5e-7",
            "12345678901234567890",
            "0.0",
        ] {
            assert_eq!(number_end(good.as_bytes(), 0), Ok(good.len()), "{good}");
        }
        for (bad, at) in [
            ("", 0),
            ("-", 1),
            ("01", 1),
            ("-01", 2),
            ("1.", 2),
            ("1.e5", 2),
            ("1e", 2),
            ("1e+", 3),
            (".5", 0),
            ("+1", 0),
        ] {
            assert_eq!(number_end(bad.as_bytes(), 0), Err(at), "{bad}");
        }
    }

    #[test]
    fn exactly_one_spelling_of_each_escape_is_canonical() {
        for code in 0..0x20u8 {
            let short = match code {
                0x08 => Some('b'),
                0x09 => Some('t'),
                0x0a => Some('n'),
                0x0c => Some('f'),
                0x0d => Some('r'),
                _ => None,
            };
            let long = format!("\\u{code:04x}");
            let expected = if short.is_some() { None } else { Some(6) };
            assert_eq!(canonical_escape(long.as_bytes(), 0), expected, "{long}");
            if let Some(letter) = short {
                assert_eq!(
                    canonical_escape(format!("\\{letter}").as_bytes(), 0),
                    Some(2)
                );
            }
            let upper = format!("\\u{code:04X}");
            if upper != long {
                assert_eq!(canonical_escape(upper.as_bytes(), 0), None, "{upper}");
            }
        }
        for not_minimal in [
            "\\/", "\\u0020", "\\u0022", "\\u005c", "\\u007f", "\\u00e9", "\\x", "\\",
        ] {
            assert_eq!(
                canonical_escape(not_minimal.as_bytes(), 0),
                None,
                "{not_minimal}"
            );
        }
    }

    #[test]
    fn surrogates_need_both_halves() {
        assert_eq!(decode_escape(b"\\ud83d\\ude00", 0), Ok(('\u{1f600}', 12)));
        assert_eq!(decode_escape(b"\\uDBFF\\uDFFF", 0), Ok(('\u{10ffff}', 12)));
        assert_eq!(decode_escape(b"\\u00E9", 0), Ok(('\u{e9}', 6)));
        for lone in [
            "\\ud800",
            "\\ud800x",
            "\\udc00\\ud800",
            "\\ud800\\u0041",
            "\\ud800\\ud800",
            "\\ud800\\u12",
        ] {
            assert_eq!(
                decode_escape(lone.as_bytes(), 0),
                Err(BadEscape::LoneSurrogate),
                "{lone}"
            );
        }
        for unknown in ["\\x", "\\", "\\u12", "\\u12g4", "\\u+123"] {
            assert_eq!(
                decode_escape(unknown.as_bytes(), 0),
                Err(BadEscape::Unknown),
                "{unknown}"
            );
        }
    }
}
