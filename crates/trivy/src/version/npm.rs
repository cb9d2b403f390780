//! `aquasecurity/go-npm-version`: semantic versions, of exactly three numbers.
//!
//! A version that is a pre-release satisfies only bounds that are pre-releases of the same release.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::constraint::{Element, Op};
use super::identifier::{Identifier, compare_pre, dotted};
use super::plain;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) numbers: [u64; 3],
    pub(super) pre: Vec<Identifier>,
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers
            .cmp(&other.numbers)
            .then_with(|| compare_pre(&self.pre, &other.pre))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A bound: numbers that are missing, `x` or `*` are any.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub(super) numbers: [Option<u64>; 3],
    pub(super) pre: Vec<Identifier>,
}

impl Bound {
    /// How the version compares with the bound, any being equal to everything.
    pub(super) fn order(&self, numbers: [u64; 3], rest: impl FnOnce() -> Ordering) -> Ordering {
        for (number, bound) in numbers.iter().zip(self.numbers) {
            match bound {
                None => return Ordering::Equal,
                Some(bound) => match number.cmp(&bound) {
                    Ordering::Equal => {}
                    order => return order,
                },
            }
        }
        rest()
    }

    /// The least numbers that `~` excludes.
    pub(super) fn tilde(&self) -> [u64; 3] {
        match self.numbers {
            [None, ..] => [u64::MAX, 0, 0],
            [Some(major), None, _] => [major.saturating_add(1), 0, 0],
            [Some(major), Some(minor), _] => [major, minor.saturating_add(1), 0],
        }
    }

    /// The least numbers that `^` excludes.
    pub(super) fn caret(&self) -> [u64; 3] {
        match self.numbers {
            [None, ..] => [u64::MAX, 0, 0],
            [Some(0), Some(0), Some(patch)] => [0, 0, patch.saturating_add(1)],
            [Some(0), Some(minor), _] => [0, minor.saturating_add(1), 0],
            [Some(major), ..] => [major.saturating_add(1), 0, 0],
        }
    }
}

pub(super) fn in_identifier(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

/// Numbers, what follows the hyphen, and whether there is a hyphen.
fn split(text: &str) -> Option<(&str, Option<&str>)> {
    let (text, build) = match text.split_once('+') {
        Some((text, build)) => (text, Some(build)),
        None => (text, None),
    };
    if let Some(build) = build
        && !build
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(in_identifier))
    {
        return None;
    }
    Some(match text.split_once('-') {
        Some((numbers, pre)) => (numbers, Some(pre)),
        None => (text, None),
    })
}

/// Three numbers, without zeros before them.
pub(super) fn parse(text: &str) -> Option<Version> {
    let (numbers, pre) = split(text)?;
    let mut three = [0; 3];
    let mut parts = numbers.split('.');
    for number in &mut three {
        let part = parts.next()?;
        *number = strict(part)?;
    }
    if parts.next().is_some() {
        return None;
    }
    let pre = match pre {
        Some(pre) => {
            let leading_zero = |part: &str| {
                part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit())
            };
            if pre.split('.').any(leading_zero) {
                return None;
            }
            dotted(pre, in_identifier)?
        }
        None => Vec::new(),
    };
    Some(Version {
        numbers: three,
        pre,
    })
}

fn strict(part: &str) -> Option<u64> {
    let leading_zero = part.len() > 1 && part.starts_with('0');
    (!leading_zero && part.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| part.parse().ok())
        .flatten()
}

pub(super) fn parse_bound(text: &str) -> Option<Bound> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (numbers, pre) = split(text)?;
    let mut three = [None; 3];
    let mut parts = numbers.split('.');
    for (index, number) in three.iter_mut().enumerate() {
        *number = match parts.next() {
            None if index > 0 => None,
            Some("x" | "X" | "*") => None,
            Some(part) if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) => {
                Some(part.parse().ok()?)
            }
            _ => return None,
        };
    }
    if parts.next().is_some() {
        return None;
    }
    let pre = match pre {
        Some(pre) => dotted(pre, in_identifier)?,
        None => Vec::new(),
    };
    Some(Bound {
        numbers: three,
        pre,
    })
}

/// Three numbers, however many are written: `1.2` would mean any `1.2.x`.
pub(super) fn bound(text: &str) -> Option<Cow<'_, str>> {
    if parse(text).is_some() {
        return Some(Cow::Borrowed(text));
    }
    let bare = text.strip_prefix(['v', '=']).unwrap_or(text);
    let end = bare.find(['-', '+']).unwrap_or(bare.len());
    let (numbers, rest) = bare.split_at_checked(end)?;
    let mut three = Vec::with_capacity(3);
    for part in numbers.split('.') {
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        three.push(part.parse::<u64>().ok()?.to_string());
    }
    if three.len() > 3 {
        return None;
    }
    three.resize(3, "0".to_owned());
    Some(Cow::Owned(format!("{}{rest}", three.join("."))))
}

pub(super) fn admits(element: &Element<'_>, version: Option<&Version>) -> Option<bool> {
    let bound = parse_bound(element.version)?;
    let Some(version) = version else {
        return Some(true);
    };
    let bound_is_pre = !bound.pre.is_empty();
    let version_is_pre = !version.pre.is_empty();
    let bound_is_any = bound.numbers.contains(&None);
    if version_is_pre && !bound_is_pre || bound_is_pre && bound_is_any {
        return Some(false);
    }
    let order = bound.order(version.numbers, || compare_pre(&version.pre, &bound.pre));
    let release = bound.numbers.map(|number| number.unwrap_or(0));
    let both = version_is_pre && bound_is_pre;
    let release_version = |numbers| Version {
        numbers,
        pre: Vec::new(),
    };
    Some(match element.op {
        Op::Equal => order.is_eq(),
        Op::Tilde if both => order.is_ge() && version < &release_version(release),
        Op::Tilde => order.is_ge() && version < &release_version(bound.tilde()),
        Op::Caret if both => order.is_ge() && version < &release_version(release),
        Op::Caret => order.is_ge() && version < &release_version(bound.caret()),
        op => (!both || version.numbers == release) && plain(op, order)?,
    })
}
