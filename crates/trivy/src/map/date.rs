//! Times, as Go reads them: RFC 3339 and nothing else. One that is not loses the whole vulnerability.

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// RFC 3339 in UTC; a date alone is its midnight. Nothing for what is no time, or before 1970: feeds
/// write `0001-01-01T00:00:00Z` for "unknown".
pub(super) fn normalised(text: &str) -> Option<String> {
    parse(text)?.format(&Rfc3339).ok()
}

fn parse(text: &str) -> Option<OffsetDateTime> {
    let text = text.trim_ascii();
    let is_date = text.len() == 10;
    let midnight;
    let text = if is_date {
        midnight = format!("{text}T00:00:00Z");
        &midnight
    } else {
        text
    };
    let parsed = OffsetDateTime::parse(text, &Rfc3339)
        // ISO 8601 without an offset, as SBOM tools write it: taken for UTC.
        .or_else(|_| OffsetDateTime::parse(&format!("{text}Z"), &Rfc3339))
        .ok()?
        .checked_to_offset(UtcOffset::UTC)?;
    (1970..=9999).contains(&parsed.year()).then_some(parsed)
}

/// Keeps the later of two times.
pub(super) fn keep_newest(newest: &mut Option<String>, candidate: &str) {
    let Some(candidate) = parse(candidate) else {
        return;
    };
    let is_newer = newest
        .as_deref()
        .and_then(parse)
        .is_none_or(|held| candidate > held);
    if is_newer && let Ok(text) = candidate.format(&Rfc3339) {
        *newest = Some(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, expected) in [
            ("2023-06-13T13:10:24Z", Some("2023-06-13T13:10:24Z")),
            ("2023-06-13", Some("2023-06-13T00:00:00Z")),
            (
                "2023-06-13T13:10:24.5+02:00",
                Some("2023-06-13T11:10:24.5Z"),
            ),
            ("2023-06-13T13:10:24", Some("2023-06-13T13:10:24Z")),
            ("0001-01-01T00:00:00Z", None),
            ("2023-13-13", None),
            ("yesterday", None),
            ("", None),
            ("9999-12-31T23:59:59-10:00", None),
        ] {
            assert_eq!(normalised(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn newest() {
        let mut newest = None;
        for text in [
            "0001-01-01T00:00:00Z",
            "2020-01-01T00:00:00Z",
            "2020-01-01T00:00:00.5Z",
            "2019-01-01",
        ] {
            keep_newest(&mut newest, text);
        }
        assert_eq!(newest.as_deref(), Some("2020-01-01T00:00:00.5Z"));
    }
}
