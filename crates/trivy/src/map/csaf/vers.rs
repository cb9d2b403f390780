//! Version range specifiers: `vers:npm/>=1.0|<2.0`.

use crate::map::interval::{Affected, Event, Point, pair};
use crate::row::Unmapped;
use crate::version::Scheme;

/// The longest range that is read, in bytes: documents refer to one range many times.
const LONGEST: usize = 64 * 1024;

/// What the range says; why it says nothing, where it does not. What is greater than a version is
/// taken to begin with it, since advisories do not say otherwise.
pub(super) fn read(range: &str, scheme: Scheme) -> Result<Affected, (Unmapped, String)> {
    if range.len() > LONGEST {
        return Err((Unmapped::Limit, range.to_owned()));
    }
    let constraints = range
        .strip_prefix("vers:")
        .and_then(|rest| rest.split_once('/'))
        .map(|(_, constraints)| constraints)
        .ok_or_else(|| (Unmapped::NoVersions, range.to_owned()))?;
    let mut affected = Affected::default();
    let mut events = Vec::new();
    for constraint in constraints.split('|') {
        let constraint = constraint.trim_ascii();
        let start = constraint
            .bytes()
            .position(|byte| !matches!(byte, b'<' | b'>' | b'=' | b'!'))
            .unwrap_or(constraint.len());
        let (operator, text) = constraint.split_at_checked(start).unwrap_or(("", ""));
        if text == "*" {
            events.push(Event::Introduced(None));
            continue;
        }
        let point = Point::parse(scheme, text)
            .ok_or_else(|| (Unmapped::UnparsableVersion, range.to_owned()))?;
        match operator {
            ">" | ">=" => events.push(Event::Introduced(Some(point))),
            "<" | "<=" => {
                if !matches!(events.last(), Some(Event::Introduced(_))) {
                    events.push(Event::Introduced(None));
                }
                events.push(if operator == "<" {
                    Event::Fixed(point)
                } else {
                    Event::Last(point)
                });
            }
            "" | "=" => affected.versions.push(point.text),
            _ => return Err((Unmapped::NoVersions, range.to_owned())),
        }
    }
    let mut read = pair(events);
    if let Some(problem) = read.problems.pop() {
        return Err(problem);
    }
    affected.intervals = read.intervals;
    Ok(affected)
}
