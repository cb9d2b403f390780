//! `bitnami/go-version`: semantic versions whose last part is a revision, that comes after the version
//! without one.

use std::cmp::Ordering;

use super::constraint::{Element, Op};
use super::identifier::Identifier;
use super::{npm, plain};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    numbers: [u64; 3],
    /// None comes first, as an empty list does.
    revision: Vec<Identifier>,
}

pub(super) fn parse(text: &str) -> Option<Version> {
    let npm::Version { numbers, pre } = npm::parse(text)?;
    Some(Version {
        numbers,
        revision: pre,
    })
}

pub(super) fn admits(element: &Element<'_>, version: Option<&Version>) -> Option<bool> {
    let bound = npm::parse_bound(element.version)?;
    let Some(version) = version else {
        return Some(true);
    };
    let order = bound.order(version.numbers, || version.revision.cmp(&bound.pre));
    let below = |numbers: [u64; 3]| version.numbers < numbers;
    Some(match element.op {
        // The library fills what is missing with zeros for this operator only.
        Op::Less => {
            let least = bound.numbers.map(|number| number.unwrap_or(0));
            let numbers = version.numbers.cmp(&least);
            numbers.then_with(|| version.revision.cmp(&bound.pre)) == Ordering::Less
        }
        Op::Tilde => order.is_ge() && below(bound.tilde()),
        Op::Caret => order.is_ge() && below(bound.caret()),
        op => plain(op, order)?,
    })
}
