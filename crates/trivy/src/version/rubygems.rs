//! `aquasecurity/go-gem-version`: numbers, then letters and numbers.
//!
//! A hyphen begins a pre-release; letters come before numbers, and each letter is a segment of its own.

use std::cmp::Ordering;

use super::constraint::{Element, Op};
use super::identifier::Segment;
use super::plain;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Version {
    numbers: Vec<Segment>,
    rest: Vec<Segment>,
}

fn trimmed(segments: &[Segment]) -> &[Segment] {
    let end = segments.iter().rposition(|segment| !segment.is_zero());
    segments.get(..end.map_or(0, |at| at + 1)).unwrap_or(&[])
}

impl Version {
    fn canonical(&self) -> impl Iterator<Item = &Segment> {
        trimmed(&self.numbers).iter().chain(trimmed(&self.rest))
    }

    fn release(&self) -> Self {
        Self {
            numbers: self.numbers.clone(),
            rest: Vec::new(),
        }
    }

    fn bump(&self) -> Self {
        let mut numbers = self.numbers.clone();
        if numbers.len() > 1 {
            numbers.pop();
        }
        if let Some(Segment::Number(last)) = numbers.last_mut() {
            *last = last.saturating_add(1);
        }
        Self {
            numbers,
            rest: Vec::new(),
        }
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        const ZERO: Segment = Segment::Number(0);
        let (mut a, mut b) = (self.canonical(), other.canonical());
        loop {
            let order = match (a.next(), b.next()) {
                (None, None) => return Ordering::Equal,
                (a, b) => a.unwrap_or(&ZERO).cmp(b.unwrap_or(&ZERO)),
            };
            if order.is_ne() {
                return order;
            }
        }
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

/// Whether it is `[0-9]+(\.[0-9a-zA-Z]+)*(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?`.
fn is_valid(text: &str) -> bool {
    let (version, pre) = match text.split_once('-') {
        Some((version, pre)) => (version, Some(pre)),
        None => (text, None),
    };
    let mut parts = version.split('.');
    let first = parts.next().unwrap_or_default();
    !first.is_empty()
        && first.bytes().all(|byte| byte.is_ascii_digit())
        && parts.all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()))
        && pre.is_none_or(|pre| {
            pre.split('.').all(|part| {
                let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
                !part.is_empty() && part.bytes().all(allowed)
            })
        })
}

pub(super) fn parse(text: &str) -> Option<Version> {
    let text = text.trim_ascii();
    let text = if text.is_empty() { "0" } else { text };
    if !is_valid(text) {
        return None;
    }
    let text = text.replace('-', ".pre.");
    let mut version = Version {
        numbers: Vec::new(),
        rest: Vec::new(),
    };
    let mut rest = text.as_str();
    while let Some(first) = rest.bytes().next() {
        let end = if first.is_ascii_digit() {
            rest.bytes()
                .position(|byte| !byte.is_ascii_digit())
                .unwrap_or(rest.len())
        } else {
            1
        };
        let (segment, after) = rest.split_at_checked(end)?;
        rest = after;
        if !first.is_ascii_alphanumeric() {
            continue;
        }
        let segment = Segment::new(segment);
        if version.rest.is_empty() && matches!(segment, Segment::Number(_)) {
            version.numbers.push(segment);
        } else {
            version.rest.push(segment);
        }
    }
    Some(version)
}

pub(super) fn admits(element: &Element<'_>, version: Option<&Version>) -> Option<bool> {
    if !is_valid(element.version) {
        return None;
    }
    let bound = parse(element.version)?;
    let Some(version) = version else {
        return Some(true);
    };
    Some(match element.op {
        Op::Pessimistic => version >= &bound && version.release() < bound.bump(),
        op => plain(op, version.cmp(&bound))?,
    })
}
