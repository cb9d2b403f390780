//! What constraints are made of: operators and versions.

use super::Scheme;

/// An operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// `~>`.
    Pessimistic,
    /// `~`.
    Tilde,
    /// `^`.
    Caret,
    /// `~=`.
    Compatible,
    /// `===`.
    Arbitrary,
}

/// An operator and the version it is about; no version for an element that admits any.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) op: Op,
    pub(super) version: &'a str,
}

/// Longer ones before their beginnings.
const OPERATORS: &[(&str, Op)] = &[
    ("===", Op::Arbitrary),
    ("==", Op::Equal),
    ("=>", Op::GreaterOrEqual),
    ("=<", Op::LessOrEqual),
    ("=", Op::Equal),
    ("!=", Op::NotEqual),
    ("<=", Op::LessOrEqual),
    ("<", Op::Less),
    (">=", Op::GreaterOrEqual),
    (">", Op::Greater),
    ("~>", Op::Pessimistic),
    ("~=", Op::Compatible),
    ("~", Op::Tilde),
    ("^", Op::Caret),
];

/// Whether the scheme's library has the operator, spelt so.
fn has(scheme: Scheme, spelt: &str, op: Op) -> bool {
    match op {
        Op::Arbitrary | Op::Compatible => scheme == Scheme::Pep440,
        Op::NotEqual => scheme != Scheme::Npm,
        Op::Pessimistic => matches!(scheme, Scheme::Generic | Scheme::RubyGems),
        Op::Tilde | Op::Caret => {
            matches!(scheme, Scheme::Generic | Scheme::Npm | Scheme::Bitnami)
        }
        _ => scheme != Scheme::Pep440 || !matches!(spelt, "=>" | "=<"),
    }
}

/// The elements of one alternative, all of which must hold. Nothing where it is not valid.
pub(super) fn elements(scheme: Scheme, text: &str) -> Option<Vec<Element<'_>>> {
    let any = match scheme {
        Scheme::Pep440 => text.trim() == "*",
        Scheme::Npm | Scheme::Bitnami => text.trim().is_empty(),
        _ => false,
    };
    if any {
        return Some(vec![Element {
            op: Op::GreaterOrEqual,
            version: if scheme == Scheme::Pep440 {
                "0.0.0"
            } else {
                "*"
            },
        }]);
    }
    let mut found = Vec::new();
    let mut rest = text.trim_ascii_start();
    while !rest.is_empty() {
        let (op, after) = match OPERATORS.iter().find(|(spelt, _)| rest.starts_with(spelt)) {
            Some((spelt, op)) if has(scheme, spelt, *op) => (*op, rest.get(spelt.len()..)?),
            Some(_) => return None,
            None => (Op::Equal, rest),
        };
        let after = after.trim_ascii_start();
        let end = end_of_version(scheme, after);
        let (version, after) = after.split_at_checked(end)?;
        if version.is_empty() {
            return None;
        }
        found.push(Element { op, version });
        let after = after.trim_ascii_start();
        rest = after.strip_prefix(',').unwrap_or(after).trim_ascii_start();
    }
    (!found.is_empty()).then_some(found)
}

/// Where the version at the start of `text` ends: at blanks, a comma or the next operator.
fn end_of_version(scheme: Scheme, text: &str) -> usize {
    text.bytes()
        .enumerate()
        .position(|(at, byte)| match byte {
            b',' | b'=' | b'<' | b'>' | b'^' => true,
            b'!' => scheme != Scheme::Pep440 || text.as_bytes().get(at + 1) == Some(&b'='),
            b'~' => !matches!(scheme, Scheme::Maven | Scheme::Generic),
            _ => byte.is_ascii_whitespace(),
        })
        .unwrap_or(text.len())
}
