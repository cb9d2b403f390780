//! The events of OSV's ranges.

use crate::map::interval::{End, Event, Interval, Point, Read, pair};
use crate::row::Unmapped;
use crate::version::Scheme;

use super::document::{Affected, Range};

/// The least version that there is, by semantic versioning.
const LEAST: &str = "0.0.0-0";

/// Everything that the ranges say, in the scheme's order. Ranges of commits say nothing.
pub(super) fn intervals(affected: &Affected, scheme: Scheme) -> Read {
    let mut read = Read::default();
    for range in affected.ranges.iter() {
        if range.kind.eq_ignore_ascii_case("GIT") {
            continue;
        }
        let mut of_range = pair(events(range, scheme));
        read.intervals.append(&mut of_range.intervals);
        read.problems.append(&mut of_range.problems);
    }
    let known = affected
        .database_specific
        .last_known_affected_version_range
        .trim_ascii();
    if !known.is_empty() {
        end_at(known, scheme, &mut read);
    }
    read
}

fn events(range: &Range, scheme: Scheme) -> Vec<Event> {
    let point = |text: &str, opens: bool, make: fn(Point) -> Event| {
        Point::parse(scheme, text).map_or_else(|| Event::Unparsable(text.to_owned(), opens), make)
    };
    let mut events = Vec::with_capacity(range.events.len());
    for event in range.events.iter() {
        // An event has one member; some documents put all of an interval into one.
        if !event.introduced.is_empty() {
            events.push(match event.introduced.trim_ascii() {
                "0" => Event::Introduced(None),
                text => point(text, true, |point| Event::Introduced(Some(point))),
            });
        }
        if !event.fixed.is_empty() {
            events.push(point(&event.fixed, false, Event::Fixed));
        }
        if !event.last_affected.is_empty() {
            events.push(point(&event.last_affected, false, Event::Last));
        }
    }
    if scheme == Scheme::Generic {
        shorten(&mut events);
    }
    events
}

/// "From the least version" is said shorter where an end is said too.
fn shorten(events: &mut [Event]) {
    let closes: Vec<bool> = events
        .iter()
        .map(|event| matches!(event, Event::Fixed(_) | Event::Last(_)))
        .collect();
    for (at, event) in events.iter_mut().enumerate() {
        if let Event::Introduced(Some(point)) = event
            && point.text == LEAST
            && closes.get(at + 1) == Some(&true)
        {
            *event = Event::Introduced(None);
        }
    }
}

/// GitHub's `last_known_affected_version_range`, `<= 1.2` or `< 1.2`: the end of what is open.
fn end_at(known: &str, scheme: Scheme, read: &mut Read) {
    let (text, is_last) = if let Some(text) = known.strip_prefix("<=") {
        (text, true)
    } else if let Some(text) = known.strip_prefix('<') {
        (text, false)
    } else {
        (known, true)
    };
    let is_open = |interval: &Interval| matches!(interval.end, End::Open);
    if !read.intervals.iter().any(is_open) {
        return;
    }
    let Some(point) = Point::parse(scheme, text) else {
        read.problems
            .push((Unmapped::UnparsableVersion, known.to_owned()));
        return;
    };
    let mut reversed = 0;
    read.intervals.retain_mut(|interval| {
        if !is_open(interval) {
            return true;
        }
        let begins = interval.from.as_ref().map(|from| &from.version);
        let is_reversed = begins
            .is_some_and(|from| from > &point.version || (from == &point.version && !is_last));
        reversed += usize::from(is_reversed);
        interval.end = if is_last {
            End::Last(point.clone())
        } else {
            End::Fixed(point.clone())
        };
        !is_reversed
    });
    for _ in 0..reversed {
        read.problems
            .push((Unmapped::ReversedRange, known.to_owned()));
    }
}
