//! Points in time, as the documents spell them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
///
/// Parsed from any RFC 3339 text; displayed in UTC with `Z`, with milliseconds only where there
/// are some.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// Why a text is not a point in time.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not an RFC 3339 time such as 2026-11-01T00:00:00Z")]
pub struct TimestampError {
    text: String,
}

impl Timestamp {
    /// Milliseconds of a day.
    pub const DAY_MILLIS: i64 = 86_400_000;

    /// The same time without its milliseconds, as authored documents give it.
    #[must_use]
    pub fn whole_seconds(self) -> Self {
        Self(self.0 - self.0.rem_euclid(1000))
    }

    /// This time plus `milliseconds`, at most the largest time there is.
    #[must_use]
    pub fn plus_millis(self, milliseconds: i64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    /// The day in UTC that this time lies in, such as `2026-11-26`.
    #[must_use]
    pub fn utc_day(self) -> String {
        self.to_string().chars().take(10).collect()
    }

    /// The first moment of the next day in UTC.
    #[must_use]
    pub fn next_utc_day(self) -> Self {
        let start = self.0 - self.0.rem_euclid(Self::DAY_MILLIS);
        Self(start.saturating_add(Self::DAY_MILLIS))
    }

    /// Milliseconds from `earlier` to this time; 0 when `earlier` is later.
    #[must_use]
    pub fn millis_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .ok()
            .and_then(|time| time.format(&Rfc3339).ok());
        match text {
            Some(text) => f.write_str(&text),
            // Only reachable for years beyond 9999, which no parser here lets in.
            None => write!(f, "{}ms", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || TimestampError {
            text: text.chars().take(80).collect(),
        };
        let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| refused())?;
        i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000_000))
            .map(Self)
            .map_err(|_| refused())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offset_becomes_utc() {
        let time: Timestamp = "2026-11-01T02:00:00+02:00".parse().unwrap();
        assert_eq!(time.to_string(), "2026-11-01T00:00:00Z");
        let fine: Timestamp = "2026-11-01T00:00:00.123456Z".parse().unwrap();
        assert_eq!(fine.to_string(), "2026-11-01T00:00:00.123Z");
        assert_eq!(fine.whole_seconds().to_string(), "2026-11-01T00:00:00Z");
        let old: Timestamp = "0001-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(old.to_string(), "0001-01-01T00:00:00Z");
    }

    #[test]
    fn days_are_those_of_utc() {
        let late: Timestamp = "2026-11-26T23:59:59.999Z".parse().unwrap();
        assert_eq!(late.utc_day(), "2026-11-26");
        assert_eq!(late.next_utc_day().to_string(), "2026-11-27T00:00:00Z");
        assert_eq!(late.next_utc_day().utc_day(), "2026-11-27");
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in ["", "yesterday", "2026-11-01", "2026-13-01T00:00:00Z"] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }
}
