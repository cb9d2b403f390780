//! Severities: words to numbers, and back.

use crate::row::{Cvss, Detail};

use super::cvss;

/// 1 low to 4 critical; 0 for words that say nothing.
pub(super) fn of_word(word: &str) -> u8 {
    match word.trim_ascii().to_ascii_lowercase().as_str() {
        "negligible" | "unimportant" | "low" | "minor" => 1,
        "medium" | "moderate" => 2,
        "high" | "important" | "major" => 3,
        "critical" => 4,
        _ => 0,
    }
}

/// Debian's urgency, as Trivy's builder reads it.
pub(super) fn of_urgency(urgency: &str) -> u8 {
    match urgency.trim_end_matches('*') {
        "end-of-life" => 1,
        urgency => of_word(urgency),
    }
}

fn word(severity: u8) -> &'static str {
    match severity {
        1 => "LOW",
        2 => "MEDIUM",
        3 => "HIGH",
        4 => "CRITICAL",
        _ => "",
    }
}

/// Writes down what is known under the source's id: the stated severity, else that of the score.
pub(super) fn set(detail: &mut Detail, source: &str, stated: u8, scores: Cvss) {
    let severity = if stated > 0 {
        stated
    } else {
        cvss::severity(&scores)
    };
    if scores != Cvss::default() {
        detail.cvss.insert(source.to_owned(), scores);
    }
    if severity > 0 {
        detail.vendor_severity.insert(source.to_owned(), severity);
        word(severity).clone_into(&mut detail.severity);
    }
}
