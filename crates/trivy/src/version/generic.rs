//! `aquasecurity/go-version`: Go, Rust, .NET, PHP, Erlang, Dart, Swift, Conan, Kubernetes, Julia.
//!
//! Any number of numbers, then a pre-release with or without a hyphen, then build metadata that
//! counts for nothing. Numbers at the end that are zero count for nothing either.

use std::cmp::Ordering;

use super::constraint::{Element, Op};
use super::identifier::{Identifier, compare_pre, dotted};
use super::plain;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Version {
    numbers: Vec<u64>,
    pre: Vec<Identifier>,
}

impl Version {
    fn significant(&self) -> &[u64] {
        let end = self.numbers.iter().rposition(|n| *n != 0);
        self.numbers
            .get(..end.map_or(0, |at| at + 1))
            .unwrap_or(&[])
    }

    /// The least version that `~>` excludes.
    fn pessimistic(&self) -> Self {
        let mut numbers = self.numbers.clone();
        let mut pre = Vec::new();
        match numbers.as_mut_slice() {
            // One number keeps its pre-release, as it does in the library.
            [only] => {
                *only = only.saturating_add(1);
                pre.clone_from(&self.pre);
            }
            [.., last_but_one, last] => {
                *last = 0;
                *last_but_one = last_but_one.saturating_add(1);
            }
            [] => {}
        }
        Self { numbers, pre }
    }

    fn tilde(&self) -> Self {
        if let [major, minor] = self.numbers.as_slice() {
            return Self {
                numbers: vec![*major, minor.saturating_add(1)],
                pre: self.pre.clone(),
            };
        }
        self.pessimistic()
    }

    fn caret(&self) -> Self {
        let mut numbers = self.numbers.clone();
        let at = numbers
            .iter()
            .position(|n| *n != 0)
            .unwrap_or(numbers.len().saturating_sub(1));
        for (index, number) in numbers.iter_mut().enumerate().skip(at) {
            *number = if index == at {
                number.saturating_add(1)
            } else {
                0
            };
        }
        Self {
            numbers,
            pre: Vec::new(),
        }
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.significant()
            .cmp(other.significant())
            .then_with(|| compare_pre(&self.pre, &other.pre))
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

fn in_identifier(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'~')
}

pub(super) fn parse(text: &str) -> Option<Version> {
    let text = text.strip_prefix('v').unwrap_or(text);
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
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit() && byte != b'.')
        .unwrap_or(text.len());
    let (numbers, pre) = text.split_at_checked(end)?;
    let numbers = numbers
        .split('.')
        .map(|number| number.parse().ok())
        .collect::<Option<Vec<u64>>>()?;
    let pre = match pre.strip_prefix('-') {
        Some("") => "-",
        Some(pre) => pre,
        None => pre,
    };
    let pre = if pre.is_empty() {
        Vec::new()
    } else {
        dotted(pre, in_identifier)?
    };
    Some(Version { numbers, pre })
}

pub(super) fn admits(element: &Element<'_>, version: Option<&Version>) -> Option<bool> {
    let bound = parse(element.version)?;
    let Some(version) = version else {
        return Some(true);
    };
    Some(match element.op {
        Op::Pessimistic => version >= &bound && version < &bound.pessimistic(),
        Op::Tilde => version >= &bound && version < &bound.tilde(),
        Op::Caret => version >= &bound && version < &bound.caret(),
        op => plain(op, version.cmp(&bound))?,
    })
}
