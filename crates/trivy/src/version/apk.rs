//! Alpine's versions (apk-tools, `version.c`): `1.2.3a_rc1-r4`.

use std::cmp::Ordering;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Version(Vec<Token>);

/// A token's kind orders where one version goes on and the other does something else: the smaller
/// kind is the greater version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Token {
    kind: Kind,
    value: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Digits after a dot: zeros before them make a fraction of it.
    DigitOrZero,
    Digit,
    Letter,
    Suffix,
    SuffixNumber,
    Revision,
    End,
}

const BEFORE: [&str; 4] = ["alpha", "beta", "pre", "rc"];
const AFTER: [&str; 5] = ["cvs", "svn", "git", "hg", "p"];

/// The number at the start, and what follows.
fn number(text: &str) -> Option<(i64, &str)> {
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    if digits.is_empty() {
        return None;
    }
    Some((digits.parse().unwrap_or(i64::MAX), rest))
}

/// The suffix at the start: below zero for those of pre-releases.
fn suffix(text: &str) -> Option<(i64, &str)> {
    let found = |names: &'static [&'static str]| {
        names
            .iter()
            .zip(0_i64..)
            .find_map(|(name, at)| text.strip_prefix(name).map(|rest| (at, rest)))
    };
    found(&BEFORE)
        .map(|(at, rest)| (at - 4, rest))
        .or_else(|| found(&AFTER))
}

pub(super) fn parse(text: &str) -> Option<Version> {
    let mut tokens = Vec::new();
    let (first, mut rest) = number(text)?;
    let mut kind = Kind::Digit;
    tokens.push(Token { kind, value: first });
    while let Some(next) = rest.bytes().next() {
        let in_numbers = kind <= Kind::Digit;
        let value;
        match next {
            b'.' if in_numbers => {
                rest = rest.get(1..)?;
                kind = Kind::DigitOrZero;
                if rest.starts_with('0') {
                    // Zeros count down, and the digits after them are a token of their own.
                    let after = rest.trim_start_matches('0');
                    value = -i64::try_from(rest.len() - after.len()).ok()?;
                    rest = after;
                    tokens.push(Token { kind, value });
                    kind = Kind::Digit;
                    if let Some((digits, after)) = number(rest) {
                        tokens.push(Token {
                            kind,
                            value: digits,
                        });
                        rest = after;
                    }
                    continue;
                }
                (value, rest) = number(rest)?;
            }
            b'a'..=b'z' if in_numbers => {
                value = i64::from(next);
                kind = Kind::Letter;
                rest = rest.get(1..)?;
            }
            b'_' if kind <= Kind::SuffixNumber => {
                kind = Kind::Suffix;
                (value, rest) = suffix(rest.get(1..)?)?;
            }
            b'0'..=b'9' if kind == Kind::Suffix => {
                kind = Kind::SuffixNumber;
                (value, rest) = number(rest)?;
            }
            b'-' if kind < Kind::Revision => {
                kind = Kind::Revision;
                (value, rest) = number(rest.strip_prefix("-r")?)?;
            }
            _ => return None,
        }
        tokens.push(Token { kind, value });
    }
    Some(Version(tokens))
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        const END: Token = Token {
            kind: Kind::End,
            value: 0,
        };
        let length = self.0.len().max(other.0.len());
        for at in 0..length {
            let a = self.0.get(at).unwrap_or(&END);
            let b = other.0.get(at).unwrap_or(&END);
            if a.kind == b.kind {
                match a.value.cmp(&b.value) {
                    Ordering::Equal => continue,
                    order => return order,
                }
            }
            let is_pre = |token: &Token| token.kind == Kind::Suffix && token.value < 0;
            return match (is_pre(a), is_pre(b)) {
                (true, _) => Ordering::Less,
                (_, true) => Ordering::Greater,
                _ => b.kind.cmp(&a.kind),
            };
        }
        Ordering::Equal
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
