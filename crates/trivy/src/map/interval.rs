//! Affected versions as intervals, and as the scanner's constraints.

use std::cmp::Ordering;
use std::collections::HashSet;

use crate::row::Unmapped;
use crate::version::{Scheme, Version};

use super::order;

/// How many versions of one package are listed one by one.
const MOST_VERSIONS: usize = 100_000;
/// How many intervals with a pre-release in them a pre-release is compared with, where the library
/// does not compare it with others.
const MOST_PRE_RELEASE_BOUNDS: usize = 64;

/// A version, as it is written in a constraint.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) text: String,
    pub(super) version: Version,
}

impl Point {
    pub(super) fn parse(scheme: Scheme, text: &str) -> Option<Self> {
        let (text, version) = scheme.bound(text).ok()?;
        Some(Self {
            text: text.into_owned(),
            version,
        })
    }
}

#[derive(Clone, Debug)]
pub(super) enum End {
    Open,
    /// Not affected any more.
    Fixed(Point),
    /// Still affected.
    Last(Point),
}

#[derive(Clone, Debug)]
pub(super) struct Interval {
    /// Nothing for the beginning.
    pub(super) from: Option<Point>,
    pub(super) end: End,
}

impl Interval {
    /// Whether it has any version.
    fn is_reversed(&self) -> bool {
        let Some(from) = &self.from else {
            return false;
        };
        match &self.end {
            End::Open => false,
            End::Fixed(fixed) => fixed.version <= from.version,
            End::Last(last) => last.version < from.version,
        }
    }

    /// As an element of `VulnerableVersions`.
    pub(super) fn constraint(&self, all: &str) -> String {
        match (&self.from, &self.end) {
            (None, End::Open) => all.to_owned(),
            (None, End::Fixed(fixed)) => format!("<{}", fixed.text),
            (None, End::Last(last)) => format!("<={}", last.text),
            (Some(from), End::Open) => format!(">={}", from.text),
            (Some(from), End::Fixed(fixed)) => format!(">={}, <{}", from.text, fixed.text),
            (Some(from), End::Last(last)) if from.version == last.version => {
                format!("={}", from.text)
            }
            (Some(from), End::Last(last)) => format!(">={}, <={}", from.text, last.text),
        }
    }
}

/// An event of a range. Events without a version are the beginning.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Introduced(Option<Point>),
    Fixed(Point),
    Last(Point),
    /// Of a version that the comparer does not know; the text, and whether it opens an interval.
    Unparsable(String, bool),
}

impl Event {
    fn opens(&self) -> bool {
        matches!(self, Self::Introduced(_) | Self::Unparsable(_, true))
    }

    fn version(&self) -> Option<&Version> {
        match self {
            Self::Introduced(point) => point.as_ref().map(|point| &point.version),
            Self::Fixed(point) | Self::Last(point) => Some(&point.version),
            Self::Unparsable(..) => None,
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Introduced(None) => "0",
            Self::Introduced(Some(point)) | Self::Fixed(point) | Self::Last(point) => &point.text,
            Self::Unparsable(text, _) => text,
        }
    }
}

/// What events say, and what of it could not be read.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) intervals: Vec<Interval>,
    pub(super) problems: Vec<(Unmapped, String)>,
}

/// Pairs the events of one range.
///
/// Events are taken in the order in which they are written where each beginning has its end, as most
/// databases write them. Otherwise they are sorted by version, since the schema does not ask for an
/// order. Where that makes no sense either, what ends before it begins is left out and told.
pub(super) fn pair(events: Vec<Event>) -> Read {
    let written = walk(&events);
    let alternates = events
        .iter()
        .enumerate()
        .all(|(at, event)| event.opens() == (at % 2 == 0));
    let has_unparsable = events.iter().any(|e| matches!(e, Event::Unparsable(..)));
    if has_unparsable || (alternates && written.problems.is_empty()) {
        return written;
    }
    let opening = events.iter().filter(|event| event.opens()).count();
    let closing = events.len() - opening;
    let mut sorted = order::sort(events, &|a, b| match (a.version(), b.version()) {
        (Some(a), Some(b)) => a.cmp(b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    });
    // What begins again while it lasts, begins once.
    let mut lasts = false;
    sorted.retain(|event| {
        let repeats = lasts && event.opens();
        lasts = event.opens();
        !repeats
    });
    let sorted = walk(&sorted);
    let is_open = |interval: &Interval| matches!(interval.end, End::Open);
    let loses_an_end = closing >= opening && sorted.intervals.iter().any(is_open);
    if sorted.problems.is_empty() && !loses_an_end {
        sorted
    } else {
        written
    }
}

/// Intervals from each beginning to the next end. An end that has no beginning is a problem, unless it
/// follows another end.
fn walk(events: &[Event]) -> Read {
    let mut read = Read::default();
    // The event that opened, while its interval is open.
    let mut open: Option<&Event> = None;
    let mut was_closed = false;
    for event in events {
        if event.opens() {
            if let Some(earlier) = open.replace(event) {
                close(&mut read, earlier, None);
            }
            was_closed = false;
        } else if let Some(earlier) = open.take() {
            close(&mut read, earlier, Some(event));
            was_closed = true;
        } else if !was_closed {
            read.problems
                .push((Unmapped::ReversedRange, event.text().to_owned()));
        }
    }
    if let Some(earlier) = open {
        close(&mut read, earlier, None);
    }
    read
}

fn close(read: &mut Read, opened: &Event, closed: Option<&Event>) {
    for event in [Some(opened), closed].into_iter().flatten() {
        if let Event::Unparsable(text, _) = event {
            read.problems
                .push((Unmapped::UnparsableVersion, text.clone()));
            return;
        }
    }
    let Event::Introduced(from) = opened else {
        return;
    };
    let interval = Interval {
        from: from.clone(),
        end: match closed {
            Some(Event::Fixed(point)) => End::Fixed(point.clone()),
            Some(Event::Last(point)) => End::Last(point.clone()),
            _ => End::Open,
        },
    };
    if interval.is_reversed() {
        let text = closed.map_or("", Event::text);
        let detail = format!("{} to {text}", opened.text());
        read.problems.push((Unmapped::ReversedRange, detail));
    } else {
        read.intervals.push(interval);
    }
}

/// Everything that is affected of one package.
#[derive(Debug, Default)]
pub(super) struct Affected {
    pub(super) intervals: Vec<Interval>,
    /// Versions that are listed one by one.
    pub(super) versions: Vec<String>,
}

/// `VulnerableVersions` and `PatchedVersions`, and what could not be read of the versions.
#[derive(Debug, Default)]
pub(super) struct Constraints {
    pub(super) vulnerable: Vec<String>,
    pub(super) patched: Vec<String>,
    pub(super) problems: Vec<(Unmapped, String)>,
}

impl Affected {
    /// In the scanner's words; `all` is what means every version.
    pub(super) fn constraints(&self, scheme: Scheme, all: &str) -> Constraints {
        let mut found = Constraints::default();
        let mut seen = HashSet::new();
        let cover = Cover::new(&self.intervals);
        for interval in &self.intervals {
            let text = interval.constraint(all);
            if seen.insert(text.clone()) {
                found.vulnerable.push(text);
            }
        }
        let mut patched = HashSet::new();
        for interval in &self.intervals {
            // What fixes one interval may be affected again by another.
            if let End::Fixed(fixed) = &interval.end
                && !cover.has(&fixed.version)
                && patched.insert(&fixed.text)
            {
                found.patched.push(fixed.text.clone());
            }
        }
        self.listed(scheme, &cover, &mut seen, &mut found);
        found
    }

    fn listed(
        &self,
        scheme: Scheme,
        cover: &Cover<'_>,
        seen: &mut HashSet<String>,
        found: &mut Constraints,
    ) {
        let pre_release: Vec<String> = found
            .vulnerable
            .iter()
            .filter(|text| text.contains('-'))
            .take(MOST_PRE_RELEASE_BOUNDS)
            .cloned()
            .collect();
        let mut unparsable = 0_usize;
        let mut first = "";
        for text in self.versions.iter().take(MOST_VERSIONS) {
            let Some(point) = Point::parse(scheme, text) else {
                if unparsable == 0 {
                    first = text;
                }
                unparsable += 1;
                continue;
            };
            let is_covered = if scheme == Scheme::Npm && point.text.contains('-') {
                // Its library compares a pre-release with bounds of the same release only.
                scheme.matches(&pre_release, &point.text).unwrap_or(false)
            } else {
                cover.has(&point.version)
            };
            let constraint = format!("={}", point.text);
            if !is_covered && seen.insert(constraint.clone()) {
                found.vulnerable.push(constraint);
            }
        }
        if unparsable > 0 {
            let detail = match unparsable {
                1 => first.to_owned(),
                more => format!("{first} and {} more versions", more - 1),
            };
            found.problems.push((Unmapped::UnparsableVersion, detail));
        }
        if let Some(more) = self.versions.len().checked_sub(MOST_VERSIONS)
            && more > 0
        {
            let detail = format!("{more} versions beyond {MOST_VERSIONS}");
            found.problems.push((Unmapped::Limit, detail));
        }
    }
}

/// Intervals by their beginnings, each with the furthest end of all up to it.
struct Cover<'a>(Vec<(Option<&'a Version>, &'a End)>);

impl<'a> Cover<'a> {
    fn new(intervals: &'a [Interval]) -> Self {
        let from = |interval: &'a Interval| interval.from.as_ref().map(|point| &point.version);
        let sorted = order::sort(intervals.iter().collect(), &|a, b| from(a).cmp(&from(b)));
        let mut furthest: Option<&End> = None;
        let cover = sorted.into_iter().map(|interval| {
            let end = match furthest {
                Some(held) if reach(held, &interval.end).is_ge() => held,
                _ => &interval.end,
            };
            furthest = Some(end);
            (from(interval), end)
        });
        Self(cover.collect())
    }

    fn has(&self, version: &Version) -> bool {
        let after = self.0.partition_point(|(from, _)| *from <= Some(version));
        let Some((_, end)) = after.checked_sub(1).and_then(|at| self.0.get(at)) else {
            return false;
        };
        match end {
            End::Open => true,
            End::Fixed(fixed) => version < &fixed.version,
            End::Last(last) => version <= &last.version,
        }
    }
}

/// Which end is further; of two at one version, the one that has it.
fn reach(a: &End, b: &End) -> Ordering {
    fn key(end: &End) -> (bool, Option<&Version>, bool) {
        match end {
            End::Open => (true, None, false),
            End::Fixed(point) => (false, Some(&point.version), false),
            End::Last(point) => (false, Some(&point.version), true),
        }
    }
    key(a).cmp(&key(b))
}
