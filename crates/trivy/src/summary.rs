//! `payload/summary.json`: what is in a database, and what is not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::TrivyError;

/// Feeds that a summary may name. They are kept in memory.
const MAX_FEEDS: usize = 65_536;

/// Of `trivy:db`. All numbers are of what was written, unless they say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseSummary {
    /// The version of the database's schema.
    pub schema_version: u32,
    /// The layer's files.
    pub members: Vec<Member>,
    /// By ecosystem: a language's prefix (`pip`), or an operating system's bucket (`debian 12`).
    pub ecosystems: BTreeMap<String, EcosystemSummary>,
    /// By root bucket.
    pub feeds: BTreeMap<String, FeedSummary>,
    /// Of vulnerabilities.
    pub vulnerabilities: VulnerabilitySummary,
    /// Lines of `unmapped.jsonl`, by reason.
    pub unmapped: BTreeMap<String, u64>,
    /// Statements in `vex/openvex.json`.
    pub vex_statements: u64,
}

/// A file in a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// SHA-256, in hex.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

/// What a scanner finds in an ecosystem.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EcosystemSummary {
    /// Pairs of a package and an id.
    pub advisories: u64,
    /// Packages with an advisory.
    pub packages: u64,
    /// What the scanner shows for them: one an advisory, or one a CVE of Red Hat's advisories.
    pub severities: Severities,
}

/// Counts by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say all there is")]
pub struct Severities {
    pub critical: u64,
    pub high: u64,
    pub medium: u64,
    pub low: u64,
    pub unknown: u64,
}

impl Severities {
    pub(crate) fn add(&mut self, severity: u8, count: u64) {
        *match severity {
            4 => &mut self.critical,
            3 => &mut self.high,
            2 => &mut self.medium,
            1 => &mut self.low,
            _ => &mut self.unknown,
        } += count;
    }
}

/// What became of a feed's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedSummary {
    /// Advisories.
    pub advisories: u64,
    /// Rows that were left out because a row of the same feed names another fix.
    pub conflicting: u64,
    /// Rows that were left out because a feed of a smaller rank has the same package and id.
    pub superseded: u64,
}

/// Of vulnerabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VulnerabilitySummary {
    /// With a description.
    pub written: u64,
    /// Described, but no advisory is about them; left out.
    pub unused: u64,
    /// An advisory is about them, but nothing describes them.
    pub without_details: u64,
}

impl DatabaseSummary {
    pub(crate) fn ecosystem(&mut self, name: &str) -> &mut EcosystemSummary {
        self.ecosystems.entry(name.to_owned()).or_default()
    }

    pub(crate) fn feed(&mut self, bucket: &str) -> Result<&mut FeedSummary, TrivyError> {
        if !self.feeds.contains_key(bucket) && self.feeds.len() >= MAX_FEEDS {
            return Err(TrivyError::TooMany {
                what: "feeds",
                max: MAX_FEEDS,
            });
        }
        Ok(self.feeds.entry(bucket.to_owned()).or_default())
    }
}

/// Of `trivy:java-db`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JavaSummary {
    /// The version of the index's schema.
    pub schema_version: u32,
    /// The layer's files.
    pub members: Vec<Member>,
    /// Pairs of a group and an artifact.
    pub artifacts: u64,
    /// Digests.
    pub jars: u64,
    /// Coordinates that were left out because other ones have the same digest.
    pub superseded: u64,
    /// Lines of `unmapped.jsonl`, by reason.
    pub unmapped: BTreeMap<String, u64>,
}
