//! `aquasecurity/go-pep440-version`: Python's versions, and specifiers with pre-releases included.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write as _;

use super::constraint::{Element, Op};
use super::identifier::Segment;
use super::plain;

/// A letter-and-number part; its place among versions that do not have it is the key's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pre {
    /// A development release of the release itself comes before all pre-releases.
    Before,
    Alpha(u64),
    Beta(u64),
    Candidate(u64),
    /// No pre-release comes after all of them.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Dev {
    Of(u64),
    None,
}

/// See the module. The order of members is the order of comparison.
#[derive(Clone, Debug)]
pub(super) struct Version {
    epoch: u64,
    release: Vec<u64>,
    pre: Pre,
    post: Option<u64>,
    dev: Dev,
    local: Vec<Segment>,
    local_text: String,
}

impl Version {
    fn release(&self) -> &[u64] {
        let end = self.release.iter().rposition(|n| *n != 0);
        self.release
            .get(..end.map_or(0, |at| at + 1))
            .unwrap_or(&[])
    }

    fn key(&self) -> (u64, &[u64], Pre, Option<u64>, Dev, &[Segment]) {
        (
            self.epoch,
            self.release(),
            self.pre,
            self.post,
            self.dev,
            &self.local,
        )
    }

    fn public(&self) -> Self {
        Self {
            local: Vec::new(),
            local_text: String::new(),
            ..self.clone()
        }
    }

    fn is_same_base(&self, other: &Self) -> bool {
        self.epoch == other.epoch && self.release() == other.release()
    }

    fn text(&self) -> String {
        let mut text = String::new();
        if self.epoch != 0 {
            let _ = write!(text, "{}!", self.epoch);
        }
        for (at, number) in self.release.iter().enumerate() {
            let dot = if at == 0 { "" } else { "." };
            let _ = write!(text, "{dot}{number}");
        }
        let _ = match self.pre {
            Pre::Alpha(n) => write!(text, "a{n}"),
            Pre::Beta(n) => write!(text, "b{n}"),
            Pre::Candidate(n) => write!(text, "rc{n}"),
            Pre::Before | Pre::None => Ok(()),
        };
        if let Some(n) = self.post {
            let _ = write!(text, ".post{n}");
        }
        if let Dev::Of(n) = self.dev {
            let _ = write!(text, ".dev{n}");
        }
        if !self.local_text.is_empty() {
            let _ = write!(text, "+{}", self.local_text);
        }
        text
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
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

/// What is left to read of a version in lower case.
struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    fn digits(&mut self) -> Option<&'a str> {
        let end = self
            .0
            .bytes()
            .position(|byte| !byte.is_ascii_digit())
            .unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        (!digits.is_empty()).then_some(digits)
    }

    /// `[-_.]?NAME[-_.]?[0-9]*`: which of the names, and the number or zero.
    fn lettered<T: Copy>(&mut self, names: &[(&str, T)]) -> Result<Option<(T, u64)>, TooLarge> {
        let start = self.0.strip_prefix(['-', '_', '.']).unwrap_or(self.0);
        let Some((name, which)) = names.iter().find(|(name, _)| start.starts_with(name)) else {
            return Ok(None);
        };
        let rest = start.get(name.len()..).unwrap_or_default();
        let mut after = Reader(rest.strip_prefix(['-', '_', '.']).unwrap_or(rest));
        let number = match after.digits() {
            Some(digits) => {
                self.0 = after.0;
                digits.parse().map_err(|_| TooLarge)?
            }
            // A separator that no number follows belongs to what comes next.
            None => {
                self.0 = rest;
                0
            }
        };
        Ok(Some((*which, number)))
    }
}

/// A number of more than 64 bits.
struct TooLarge;

#[derive(Clone, Copy)]
enum Letter {
    Alpha,
    Beta,
    Candidate,
}

/// Longer names before their beginnings.
const PRE: &[(&str, Letter)] = &[
    ("alpha", Letter::Alpha),
    ("beta", Letter::Beta),
    ("preview", Letter::Candidate),
    ("pre", Letter::Candidate),
    ("rc", Letter::Candidate),
    ("a", Letter::Alpha),
    ("b", Letter::Beta),
    ("c", Letter::Candidate),
];
const POST: &[(&str, ())] = &[("post", ()), ("rev", ()), ("r", ())];

pub(super) fn parse(text: &str) -> Option<Version> {
    read(text).ok().flatten()
}

fn read(text: &str) -> Result<Option<Version>, TooLarge> {
    let text = text.trim_ascii().to_ascii_lowercase();
    let mut reader = Reader(text.strip_prefix('v').unwrap_or(&text));
    let mut epoch = 0;
    if let Some((before, after)) = reader.0.split_once('!') {
        if before.is_empty() || !before.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(None);
        }
        epoch = before.parse().map_err(|_| TooLarge)?;
        reader.0 = after;
    }
    let mut release = Vec::new();
    let Some(first) = reader.digits() else {
        return Ok(None);
    };
    release.push(first.parse().map_err(|_| TooLarge)?);
    while let Some(rest) = reader.0.strip_prefix('.') {
        let mut next = Reader(rest);
        let Some(digits) = next.digits() else {
            break;
        };
        release.push(digits.parse().map_err(|_| TooLarge)?);
        reader = next;
    }
    let pre = match reader.lettered(PRE)? {
        Some((Letter::Alpha, n)) => Pre::Alpha(n),
        Some((Letter::Beta, n)) => Pre::Beta(n),
        Some((Letter::Candidate, n)) => Pre::Candidate(n),
        None => Pre::None,
    };
    let mut post = None;
    let implicit = reader.0.strip_prefix('-').map(Reader);
    if let Some(mut implicit) = implicit
        && let Some(digits) = implicit.digits()
    {
        post = Some(digits.parse().map_err(|_| TooLarge)?);
        reader = implicit;
    } else if let Some(((), n)) = reader.lettered(POST)? {
        post = Some(n);
    }
    let dev = match reader.lettered(&[("dev", ())])? {
        Some(((), n)) => Dev::Of(n),
        None => Dev::None,
    };
    let local_text = match reader.0.strip_prefix('+') {
        Some(local) => local,
        None if reader.0.is_empty() => "",
        None => return Ok(None),
    };
    let is_local = |text: &str| {
        text.split(['-', '_', '.'])
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()))
    };
    if reader.0.starts_with('+') && !is_local(local_text) {
        return Ok(None);
    }
    let local = if local_text.is_empty() {
        Vec::new()
    } else {
        local_text.split('.').map(Segment::new).collect()
    };
    let pre = match (pre, post, dev) {
        (Pre::None, None, Dev::Of(_)) => Pre::Before,
        (pre, ..) => pre,
    };
    Ok(Some(Version {
        epoch,
        release,
        pre,
        post,
        dev,
        local,
        local_text: local_text.to_owned(),
    }))
}

/// The canonical text, without a local version, with which bounds are refused. Numbers stay as they are
/// written.
pub(super) fn bound(text: &str) -> Option<Cow<'_, str>> {
    let version = parse(text)?;
    if text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return Some(Cow::Borrowed(text));
    }
    Some(Cow::Owned(version.public().text()))
}

/// Names whose beginnings are names too. The library finds the shorter one in a constraint, and takes
/// what is left for another constraint: `<1.0alpha2` means "before 1.0a0, and 2".
const MISREAD: [&str; 3] = ["alpha", "beta", "preview"];

pub(super) fn admits(element: &Element<'_>, version: Option<&Version>) -> Option<bool> {
    let text = element.version;
    // Whether a constraint is valid is asked of its text as it stands, and the letters there are small.
    if text.bytes().any(|byte| byte.is_ascii_uppercase())
        || MISREAD.iter().any(|name| text.contains(name))
    {
        return None;
    }
    let (text, wildcard) = match text.strip_suffix(".*") {
        Some(text) => (text, true),
        None => (text, false),
    };
    let bound = parse(text)?;
    let has_local = !bound.local.is_empty();
    let valid = match element.op {
        Op::Equal | Op::NotEqual => !wildcard || (bound.dev == Dev::None && !has_local),
        Op::Compatible => !wildcard && bound.release.len() >= 2 && !has_local,
        Op::Arbitrary => true,
        _ => !wildcard && !has_local,
    };
    if !valid {
        return None;
    }
    let Some(version) = version else {
        return Some(true);
    };
    let equal = || {
        if wildcard {
            begins_with(version, &bound)
        } else if has_local {
            version == &bound
        } else {
            version.public() == bound
        }
    };
    Some(match element.op {
        Op::Equal => equal(),
        Op::NotEqual => !equal(),
        Op::Arbitrary => version.text().eq_ignore_ascii_case(element.version),
        Op::LessOrEqual | Op::GreaterOrEqual => plain(element.op, version.public().cmp(&bound))?,
        Op::Less => version < &bound,
        Op::Greater => {
            let of_the_bound = version.is_same_base(&bound)
                && (version.post.is_some() && bound.post.is_none() || !version.local.is_empty());
            version > &bound && !of_the_bound
        }
        Op::Compatible => {
            let mut prefix = bound.public();
            prefix.post = None;
            prefix.dev = Dev::None;
            if matches!(prefix.pre, Pre::None | Pre::Before) {
                prefix.release.pop();
            }
            prefix.pre = Pre::None;
            version.public() >= bound && begins_with(version, &prefix)
        }
        Op::Pessimistic | Op::Tilde | Op::Caret => return None,
    })
}

/// Whether `bound.*` admits the version: shorter releases are filled with zeros.
fn begins_with(version: &Version, bound: &Version) -> bool {
    let release = version.release.iter().chain(std::iter::repeat(&0));
    version.epoch == bound.epoch
        && bound.release.iter().zip(release).all(|(a, b)| a == b)
        && (matches!(bound.pre, Pre::None | Pre::Before) || version.pre == bound.pre)
        && (bound.post.is_none() || version.post == bound.post)
}
