//! Ranges and conditions of a download (RFC 9110 §13 and §14).

use axum::http::header::{IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE};
use axum::http::{HeaderMap, Method};

/// What of a representation is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Selected {
    /// All of it.
    Whole,
    /// The bytes from (inclusive) to (exclusive).
    Part(u64, u64),
    /// A range of which nothing exists.
    Unsatisfiable,
    /// The client has it already.
    NotModified,
    /// The client wanted another one than there is.
    PreconditionFailed,
}

/// What the headers of a request select of a representation with this strong `etag` and `size`.
/// Ranges are of GET alone (§14.2); a HEAD tells of the whole.
pub(super) fn select(method: &Method, headers: &HeaderMap, etag: &str, size: u64) -> Selected {
    if headers.contains_key(IF_MATCH) && !matches(headers, &IF_MATCH, etag, true) {
        return Selected::PreconditionFailed;
    }
    if headers.contains_key(IF_NONE_MATCH) && matches(headers, &IF_NONE_MATCH, etag, false) {
        return Selected::NotModified;
    }
    if method != Method::GET {
        return Selected::Whole;
    }
    let mut ranges = headers.get_all(RANGE).iter();
    let (Some(range), None) = (ranges.next(), ranges.next()) else {
        return Selected::Whole;
    };
    // §13.1.5: only this very representation, told by a strong validator, may be continued. We give
    // no Last-Modified, so a date is never one of ours.
    let mut conditions = headers.get_all(IF_RANGE).iter();
    match (conditions.next(), conditions.next()) {
        (None, _) => {}
        (Some(condition), None) if condition.as_bytes() == etag.as_bytes() => {}
        _ => return Selected::Whole,
    }
    range
        .to_str()
        .ok()
        .and_then(|range| single(range, size))
        .unwrap_or(Selected::Whole)
}

/// One range of bytes. Other units, several ranges and what is no range at all are ignored, as
/// §14.2 allows: the whole representation is then what the client gets.
fn single(range: &str, size: u64) -> Option<Selected> {
    let (unit, set) = range.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = set.trim().split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    if first.is_empty() {
        let suffix = number(last)?;
        return Some(if suffix == 0 || size == 0 {
            Selected::Unsatisfiable
        } else {
            Selected::Part(size.saturating_sub(suffix), size)
        });
    }
    let first = number(first)?;
    let end = if last.is_empty() {
        size
    } else {
        let last = number(last)?;
        if last < first {
            return None;
        }
        last.saturating_add(1).min(size)
    };
    Some(if first >= size {
        Selected::Unsatisfiable
    } else {
        Selected::Part(first, end)
    })
}

/// Digits only; more than any size is the greatest there is.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

/// Whether one of the listed tags is `etag`. `strong` refuses weak ones (§8.8.3.2).
fn matches(headers: &HeaderMap, name: &axum::http::HeaderName, etag: &str, strong: bool) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| match tag.strip_prefix("W/") {
            Some(weak) => !strong && weak == etag,
            None => tag == "*" || tag == etag,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETAG: &str = "\"sha256-aa\"";

    fn selected(fields: &[(axum::http::HeaderName, &str)]) -> Selected {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name.clone(), value.parse().unwrap());
        }
        select(&Method::GET, &headers, ETAG, 1_000)
    }

    #[test]
    fn ranges_as_the_standard_has_them() {
        use Selected::{Part, Unsatisfiable, Whole};
        for (range, expected) in [
            ("bytes=0-0", Part(0, 1)),
            ("bytes=0-999", Part(0, 1_000)),
            ("bytes=10-", Part(10, 1_000)),
            ("bytes=990-5000", Part(990, 1_000)),
            ("bytes=-1", Part(999, 1_000)),
            ("bytes=-5000", Part(0, 1_000)),
            ("Bytes = 1-2", Part(1, 3)),
            ("bytes=0-99999999999999999999999", Part(0, 1_000)),
            ("bytes=1000-", Unsatisfiable),
            ("bytes=99999999999999999999999-", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
            ("bytes=5-4", Whole),
            ("bytes=", Whole),
            ("bytes=-", Whole),
            ("bytes=a-b", Whole),
            ("bytes=+1-2", Whole),
            ("bytes=0-1,3-4", Whole),
            ("bytes=0-5,2-8,", Whole),
            ("lines=0-1", Whole),
            ("0-1", Whole),
        ] {
            assert_eq!(selected(&[(RANGE, range)]), expected, "{range}");
        }
        let twice = [(RANGE, "bytes=0-1"), (RANGE, "bytes=2-3")];
        assert_eq!(selected(&twice), Whole);
    }

    #[test]
    fn only_this_very_representation_is_continued() {
        let range = (RANGE, "bytes=5-");
        let tagged = |tag| selected(&[range.clone(), (IF_RANGE, tag)]);
        assert_eq!(tagged(ETAG), Selected::Part(5, 1_000));
        for other in [
            "W/\"sha256-aa\"",
            "\"sha256-bb\"",
            "Thu, 26 Nov 2026 10:00:00 GMT",
            "*",
        ] {
            assert_eq!(tagged(other), Selected::Whole, "{other}");
        }
    }

    #[test]
    fn conditions_come_before_ranges() {
        let range = (RANGE, "bytes=5-");
        let with = |name, tag| selected(&[range.clone(), (name, tag)]);
        assert_eq!(
            with(IF_NONE_MATCH, "\"x\", W/\"sha256-aa\""),
            Selected::NotModified
        );
        assert_eq!(with(IF_NONE_MATCH, "\"x\""), Selected::Part(5, 1_000));
        assert_eq!(with(IF_MATCH, "\"x\""), Selected::PreconditionFailed);
        assert_eq!(
            with(IF_MATCH, "W/\"sha256-aa\""),
            Selected::PreconditionFailed
        );
        assert_eq!(
            with(IF_MATCH, "\"x\", \"sha256-aa\""),
            Selected::Part(5, 1_000)
        );
        assert_eq!(with(IF_MATCH, "*"), Selected::Part(5, 1_000));
    }
}
