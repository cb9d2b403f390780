//! Schedules: runs that are submitted again and again, and when.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{FieldError, RunId, RunOptions, ScheduleId, Selectors, Tenant, Timestamp};

/// Longest text of a recurrence, in bytes.
const LONGEST: usize = 128;
/// Longest rate, in days.
const MOST_DAYS: u64 = 366;

/// When something happens again and again. Written `cron(0 3 * * *)` or `rate(6 hours)`.
///
/// A cron expression has five fields (minute, hour, day of month, month, day of week), in UTC, as
/// Vixie cron reads them: where both days are given, either will do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Recurrence {
    /// At the times that five fields say, with one blank between them.
    Cron(String),
    /// Every so often.
    Rate {
        /// The time between two, a whole number of minutes in seconds.
        seconds: u64,
    },
}

/// Why a text is no recurrence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecurrenceError {
    /// It has neither form.
    #[error("must be `cron(minute hour day month weekday)` in UTC or `rate(6 hours)`")]
    Form,
    /// The fields of a cron expression are wrong.
    #[error("is not a cron expression of five fields: {0}")]
    Cron(String),
    /// No time will ever match.
    #[error("names a time that never comes")]
    Never,
    /// The rate is too short, too long, or not in minutes, hours or days.
    #[error("must be a rate of 1 minute to {MOST_DAYS} days, such as `rate(90 minutes)`")]
    Rate,
}

impl Recurrence {
    /// The first time after (exclusive) `after`. For a rate, that is one period later. None when
    /// there is none, which no recurrence that was parsed gives before the year 5000.
    #[must_use]
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Rate { seconds } => {
                let millis = i64::try_from(seconds.checked_mul(1_000)?).ok()?;
                after.0.checked_add(millis).map(Timestamp)
            }
            Self::Cron(fields) => {
                let cron = parse_cron(fields).ok()?;
                next_of(&cron, after)
            }
        }
    }

    /// The first time after `now` of a series that has one at `due`: what comes next when every
    /// time up to `now` is served by one start.
    #[must_use]
    pub fn following(&self, due: Timestamp, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Rate { seconds } => {
                let period = seconds.checked_mul(1_000).filter(|period| *period > 0)?;
                let missed = now.millis_since(due) / period;
                let ahead = missed.checked_add(1)?.checked_mul(period)?;
                due.0.checked_add(i64::try_from(ahead).ok()?).map(Timestamp)
            }
            Self::Cron(_) => self.next(due.max(now)),
        }
    }
}

fn parse_cron(fields: &str) -> Result<Cron, RecurrenceError> {
    CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build()
        .parse(fields)
        .map_err(|error| RecurrenceError::Cron(error.to_string()))
}

fn next_of(cron: &Cron, after: Timestamp) -> Option<Timestamp> {
    let after = DateTime::<Utc>::from_timestamp_millis(after.0)?;
    let next = cron.find_next_occurrence(&after, false).ok()?;
    Some(Timestamp(next.timestamp_millis()))
}

/// A cron expression in its one spelling.
fn cron(fields: &str) -> Result<Recurrence, RecurrenceError> {
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'*' | b',' | b'-' | b'/' | b'#');
    if fields.len() != 5 {
        let found = format!("it has {} fields", fields.len());
        return Err(RecurrenceError::Cron(found));
    }
    if !fields.iter().all(|field| field.bytes().all(plain)) {
        let found = "expected digits, names, `*`, `,`, `-`, `/` and `#`";
        return Err(RecurrenceError::Cron(found.to_owned()));
    }
    let fields = fields.join(" ");
    // What does not happen in the 3,000 years after this never does: the calendar repeats itself
    // every 400.
    match next_of(&parse_cron(&fields)?, Timestamp(946_684_800_000)) {
        Some(_) => Ok(Recurrence::Cron(fields)),
        None => Err(RecurrenceError::Never),
    }
}

fn rate(text: &str) -> Result<Recurrence, RecurrenceError> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [number, unit] = words.as_slice() else {
        return Err(RecurrenceError::Rate);
    };
    let unit: u64 = match *unit {
        "minute" | "minutes" => 60,
        "hour" | "hours" => 3_600,
        "day" | "days" => 86_400,
        _ => return Err(RecurrenceError::Rate),
    };
    let digits = number.bytes().all(|b| b.is_ascii_digit());
    let number: u64 = number.parse().map_err(|_| RecurrenceError::Rate)?;
    match number.checked_mul(unit) {
        Some(seconds) if digits && (60..=MOST_DAYS * 86_400).contains(&seconds) => {
            Ok(Recurrence::Rate { seconds })
        }
        _ => Err(RecurrenceError::Rate),
    }
}

impl FromStr for Recurrence {
    type Err = RecurrenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let inside = |word: &str| {
            text.trim()
                .strip_prefix(word)
                .and_then(|rest| rest.strip_prefix('('))
                .and_then(|rest| rest.strip_suffix(')'))
        };
        if text.len() > LONGEST {
            return Err(RecurrenceError::Form);
        }
        match (inside("cron"), inside("rate")) {
            (Some(fields), _) => cron(fields),
            (_, Some(text)) => rate(text),
            _ => Err(RecurrenceError::Form),
        }
    }
}

impl fmt::Display for Recurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, unit) = match self {
            Self::Cron(fields) => return write!(f, "cron({fields})"),
            Self::Rate { seconds } if seconds % 86_400 == 0 => (seconds / 86_400, "day"),
            Self::Rate { seconds } if seconds % 3_600 == 0 => (seconds / 3_600, "hour"),
            Self::Rate { seconds } => (seconds / 60, "minute"),
        };
        write!(
            f,
            "rate({count} {unit}{})",
            if count == 1 { "" } else { "s" }
        )
    }
}

impl Serialize for Recurrence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Recurrence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A schedule: a request for a run, and when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Who owns it.
    pub tenant: Tenant,
    /// Its id.
    pub id: ScheduleId,
    /// What it is called, in its owner's words.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// The profile that is run, in its newest revision at that time.
    pub profile: String,
    /// Which records.
    pub selectors: Selectors,
    /// What else.
    pub options: RunOptions,
    /// When.
    pub when: Recurrence,
    /// Whether it is in force.
    pub enabled: bool,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is due next.
    pub next_at: Timestamp,
    /// The run that it submitted last.
    pub last_run: Option<RunId>,
    /// Why it could not submit a run the last time; none when it could.
    pub last_error: Option<String>,
    /// The row's version, 0 before it is stored.
    #[serde(default)]
    pub rev: u64,
}

impl Schedule {
    /// Most bytes of a name.
    pub const LONGEST_NAME: usize = 100;
    /// Most bytes of a description.
    pub const LONGEST_DESCRIPTION: usize = 1_000;

    /// What is wrong with its texts; empty when nothing is.
    #[must_use]
    pub fn errors(name: &str, description: &str) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut refuse = |field: &str, message: &str| {
            errors.push(FieldError {
                field: field.to_owned(),
                message: message.to_owned(),
            });
        };
        let plain = !name.trim().is_empty() && !name.chars().any(char::is_control);
        if !plain || name.len() > Self::LONGEST_NAME {
            refuse("name", "must be 1 to 100 bytes of plain text");
        }
        if description.len() > Self::LONGEST_DESCRIPTION {
            refuse("description", "must have at most 1,000 bytes");
        }
        errors
    }
}

#[cfg(test)]
mod tests;
