//! `masahiro331/go-mvn-version`: Maven's order, as that library has it.
//!
//! A version is a list of numbers, words and lists; a hyphen, or a change between digits and letters,
//! begins a list in the list. Only the operators are modelled, not Maven's brackets: the scanner
//! ignores one style where both stand in an advisory, so only one is ever written.

use std::cmp::Ordering;

use super::constraint::Element;
use super::plain;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Version {
    items: Vec<Item>,
}

#[derive(Clone, Debug)]
enum Item {
    Number(i64),
    Word(String),
    List(Vec<Item>),
}

const QUALIFIERS: [&str; 7] = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];
/// The place of the empty qualifier, which is the release.
const RELEASE: usize = 5;

impl Item {
    fn number(digits: &str) -> Self {
        Self::Number(digits.parse().unwrap_or(i64::MAX))
    }

    fn word(text: &str, before_digits: bool) -> Self {
        let text = match text {
            "a" if before_digits => "alpha",
            "b" if before_digits => "beta",
            "m" if before_digits => "milestone",
            "ga" | "final" | "release" => "",
            "cr" => "rc",
            _ => text,
        };
        Self::Word(text.to_owned())
    }

    fn parsed(is_digits: bool, text: &str) -> Self {
        if is_digits {
            Self::number(text)
        } else {
            Self::word(text, false)
        }
    }

    fn is_null(&self) -> bool {
        match self {
            Self::Number(number) => *number == 0,
            Self::Word(word) => word.is_empty(),
            Self::List(items) => items.is_empty(),
        }
    }

    /// How it compares with nothing.
    fn against_nothing(&self) -> Ordering {
        match self {
            Self::Number(number) => number.cmp(&0),
            Self::Word(word) => rank(word).cmp(&(RELEASE, "")),
            Self::List(items) => items
                .iter()
                .map(Self::against_nothing)
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal),
        }
    }
}

/// Known qualifiers in their order, then all others by their letters.
fn rank(word: &str) -> (usize, &str) {
    match QUALIFIERS.iter().position(|known| *known == word) {
        Some(at) => (at, ""),
        None => (QUALIFIERS.len(), word),
    }
}

fn compare(a: &Item, b: &Item) -> Ordering {
    match (a, b) {
        (Item::Number(a), Item::Number(b)) => a.cmp(b),
        (Item::Number(_), _) | (Item::List(_), Item::Word(_)) => Ordering::Greater,
        (Item::Word(a), Item::Word(b)) => rank(a).cmp(&rank(b)),
        (Item::Word(_), _) | (Item::List(_), Item::Number(_)) => Ordering::Less,
        (Item::List(a), Item::List(b)) => compare_lists(a, b),
    }
}

fn compare_lists(a: &[Item], b: &[Item]) -> Ordering {
    for at in 0..a.len().max(b.len()) {
        let order = match (a.get(at), b.get(at)) {
            (Some(a), Some(b)) => compare(a, b),
            (Some(a), None) => a.against_nothing(),
            (None, Some(b)) => b.against_nothing().reverse(),
            (None, None) => Ordering::Equal,
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        compare_lists(&self.items, &other.items)
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

/// Removes what is null from the end, up to lists that are not.
fn normalised(mut items: Vec<Item>) -> Vec<Item> {
    let mut at = items.len();
    while at > 0 {
        at -= 1;
        match items.get(at) {
            Some(item) if item.is_null() => items.truncate(at),
            Some(Item::List(_)) => {}
            _ => break,
        }
    }
    items
}

/// The characters that the library takes in a constraint; anything is a version to it, but only these
/// can be written about.
fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'~' | b'_' | b'.' | b'+')
}

pub(super) fn parse(text: &str) -> Option<Version> {
    if text.is_empty() || !text.bytes().all(is_allowed) {
        return None;
    }
    let text = text.to_ascii_lowercase();
    let mut lists: Vec<Vec<Item>> = Vec::new();
    let mut list = Vec::new();
    let mut is_digits = false;
    let mut start = 0;
    for (at, byte) in text.bytes().enumerate() {
        let piece = text.get(start..at)?;
        match byte {
            b'.' | b'-' => {
                list.push(if piece.is_empty() {
                    Item::Number(0)
                } else {
                    Item::parsed(is_digits, piece)
                });
                start = at + 1;
                if byte == b'-' {
                    lists.push(std::mem::take(&mut list));
                }
            }
            b'0'..=b'9' => {
                if !is_digits && !piece.is_empty() {
                    list.push(Item::word(piece, true));
                    start = at;
                    lists.push(std::mem::take(&mut list));
                }
                is_digits = true;
            }
            _ => {
                if is_digits && !piece.is_empty() {
                    list.push(Item::number(piece));
                    start = at;
                    lists.push(std::mem::take(&mut list));
                }
                is_digits = false;
            }
        }
    }
    let piece = text.get(start..)?;
    if !piece.is_empty() {
        list.push(Item::parsed(is_digits, piece));
        lists.push(list);
    } else if lists.is_empty() {
        lists.push(list);
    }
    let mut items = normalised(lists.pop().unwrap_or_default());
    while let Some(outer) = lists.pop() {
        let mut outer = normalised(outer);
        outer.push(Item::List(items));
        items = outer;
    }
    Some(Version { items })
}

pub(super) fn admits(element: &Element<'_>, version: Option<&Version>) -> Option<bool> {
    let bound = parse(element.version)?;
    match version {
        Some(version) => plain(element.op, version.cmp(&bound)),
        None => plain(element.op, Ordering::Equal).map(|_| true),
    }
}
