//! Rows: what one record gives to the databases.
//!
//! Rows carry everything that deciding between two of them needs, so that merging sorted rows never
//! looks anything up. Values are named and spelt as Trivy reads them (Go's `encoding/json` over
//! `aquasecurity/trivy-db`, `pkg/types`); members that are empty are left out, as Go's `omitempty` does.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Which feed a bucket's advisories come from (`data-source/<bucket>`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DataSource {
    /// Trivy's identifier of it (`ghsa`, `govulndb`, …): it selects the severity that is shown.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its name, as reports show it.
    #[serde(rename = "Name")]
    pub name: String,
    /// Where it is published.
    #[serde(rename = "URL")]
    pub url: String,
}

/// What one record says of one package and one vulnerability.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvisoryRow {
    /// Where ids must be unique: a language's prefix (`pip`), or an operating system's bucket (`debian 12`).
    pub ecosystem: String,
    /// The root bucket (`pip::GitHub Security Advisory pip`, `debian 12`).
    pub bucket: String,
    /// The package's key, normalised as Trivy looks it up.
    pub package: String,
    /// The vulnerability's id (`CVE-…` where there is one).
    pub id: String,
    /// The feed of the bucket.
    pub data_source: DataSource,
    /// The feed's rank within the ecosystem: of two feeds that speak of one package and id, the one with
    /// the smaller number is taken.
    pub precedence: u16,
    /// The ledger record's `_id`.
    pub record: String,
    /// What is said.
    pub value: AdvisoryValue,
}

/// An advisory, in one of the shapes that Trivy's readers know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdvisoryValue {
    /// Languages, and most operating systems.
    Plain(Advisory),
    /// Red Hat: products are CPEs, which the builder numbers.
    RedHat(Vec<RedHatEntry>),
}

/// An advisory (trivy-db `types.Advisory`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Advisory {
    /// Ids of the same flaw that are not the key: `GHSA-…`, `DSA-…`.
    #[serde(rename = "VendorIDs", skip_serializing_if = "Vec::is_empty")]
    pub vendor_ids: Vec<String>,
    /// Only inside of entries.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub arches: Vec<String>,
    /// 0 unknown, 1 not affected, 2 affected, 3 fixed, 4 under investigation, 5 will not fix, 6 fix
    /// deferred, 7 end of life.
    #[serde(skip_serializing_if = "is_zero")]
    pub status: u8,
    /// The package's own severity, 0 unknown to 4 critical; Debian's and Red Hat's.
    #[serde(skip_serializing_if = "is_zero")]
    pub severity: u8,
    /// Operating systems: the version that has the fix.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub fixed_version: String,
    /// Alpine: below this the package is not vulnerable.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub affected_version: String,
    /// Languages: each element an AND-list, elements OR-ed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vulnerable_versions: Vec<String>,
    /// Languages: what is not vulnerable.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patched_versions: Vec<String>,
    /// Rocky and Oracle: fixes by architecture.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<Advisory>,
}

/// A Red Hat advisory's fix or state for some products.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedHatEntry {
    /// The version that has the fix; empty where there is none.
    pub fixed_version: String,
    /// The products, as CPEs.
    pub cpes: BTreeSet<String>,
    /// Architectures; empty for all.
    pub arches: Vec<String>,
    /// As [`Advisory::status`].
    pub status: u8,
    /// The CVEs that the entry is about, with Red Hat's severity of each.
    pub cves: Vec<(String, u8)>,
}

/// Which products a Red Hat content set (repository) has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RepositoryRow {
    /// The content set: `rhel-8-for-x86_64-baseos-rpms`.
    pub content_set: String,
    /// One product in it.
    pub cpe: String,
}

/// What one record says of a vulnerability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetailRow {
    /// The vulnerability's id.
    pub id: String,
    /// The rank of who says it: texts and dates are taken from the smallest.
    pub precedence: u16,
    /// The ledger record's `_id`.
    pub record: String,
    /// What is said.
    pub value: Detail,
}

/// A vulnerability (trivy-db `types.Vulnerability`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Detail {
    /// One line.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// `UNKNOWN` to `CRITICAL`, for readers that know no source.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub severity: String,
    /// `CWE-79`, ….
    #[serde(rename = "CweIDs", skip_serializing_if = "BTreeSet::is_empty")]
    pub cwe_ids: BTreeSet<String>,
    /// By data source's id: 1 low to 4 critical.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub vendor_severity: BTreeMap<String, u8>,
    /// By data source's id.
    #[serde(rename = "CVSS", skip_serializing_if = "BTreeMap::is_empty")]
    pub cvss: BTreeMap<String, Cvss>,
    /// URLs.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub references: BTreeSet<String>,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_date: Option<String>,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified_date: Option<String>,
}

/// CVSS vectors of one source, with the base score of each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cvss {
    /// CVSS 2.0.
    #[serde(rename = "V2Vector", skip_serializing_if = "String::is_empty")]
    pub v2_vector: String,
    /// CVSS 3.0 or 3.1.
    #[serde(rename = "V3Vector", skip_serializing_if = "String::is_empty")]
    pub v3_vector: String,
    /// CVSS 4.0.
    #[serde(rename = "V40Vector", skip_serializing_if = "String::is_empty")]
    pub v40_vector: String,
    /// 0.0 to 10.0.
    #[serde(rename = "V2Score", skip_serializing_if = "Option::is_none")]
    pub v2_score: Option<f64>,
    /// 0.0 to 10.0.
    #[serde(rename = "V3Score", skip_serializing_if = "Option::is_none")]
    pub v3_score: Option<f64>,
    /// 0.0 to 10.0.
    #[serde(rename = "V40Score", skip_serializing_if = "Option::is_none")]
    pub v40_score: Option<f64>,
}

/// A jar, by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JavaRow {
    /// SHA-1 of the whole file.
    pub sha1: [u8; 20],
    /// Maven's group id.
    pub group: String,
    /// Maven's artifact id.
    pub artifact: String,
    /// Maven's version, verbatim.
    pub version: String,
    /// Whether Maven gives it a classifier (`sources`, `javadoc`): of two rows of one digest, the one
    /// without is taken.
    pub classified: bool,
    /// The ledger record's `_id`.
    pub record: String,
}

/// A statement that a product is not affected, or fixed, for an `OpenVEX` document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VexRow {
    /// The vulnerability.
    pub vulnerability: String,
    /// Its other names.
    pub aliases: Vec<String>,
    /// The product, as a purl.
    pub product: String,
    /// The product's parts that the statement is about, as purls; none for all of it.
    pub subcomponents: Vec<String>,
    /// `not_affected` or `fixed`.
    pub status: String,
    /// `OpenVEX`'s justification, where one is given.
    pub justification: String,
    /// Why, in words.
    pub impact_statement: String,
    /// RFC 3339, as the document says.
    pub timestamp: String,
    /// The ledger record's `_id`.
    pub record: String,
}

/// Something of a record that Trivy has no words for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UnmappedRow {
    /// Why.
    pub reason: Unmapped,
    /// The ledger record's `_id`.
    pub record: String,
    /// The package, range or version that it is about; at most 200 bytes.
    pub detail: String,
}

/// Why something could not be mapped. The names stand in summaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unmapped {
    /// The document was withdrawn by its publisher.
    Withdrawn,
    /// No scanner ecosystem goes by this name.
    UnknownEcosystem,
    /// The ecosystem's release is none that the scanner knows.
    UnknownRelease,
    /// Nothing says which versions are affected.
    NoVersions,
    /// Only commits are named.
    OnlyGit,
    /// A range ends before it begins.
    ReversedRange,
    /// The ecosystem's comparer does not parse this version.
    UnparsableVersion,
    /// A key is empty, has a NUL, or is longer than the database's format takes.
    BadKey,
    /// The scanner never reports packages of this family that have no fix.
    NotFixed,
    /// A component has no version.
    NoComponentVersion,
    /// A component has no Maven coordinates.
    NotMaven,
    /// A digest that is no SHA-1 in hex.
    BadDigest,
    /// A product that has no purl.
    NoPurl,
    /// The document's format says nothing to a scanner.
    Format,
    /// Something about the document is not of its format.
    Malformed,
    /// More than a documented limit of what one record may give.
    Limit,
}

impl Unmapped {
    /// Its name, as summaries and listings spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Withdrawn => "withdrawn",
            Self::UnknownEcosystem => "unknown_ecosystem",
            Self::UnknownRelease => "unknown_release",
            Self::NoVersions => "no_versions",
            Self::OnlyGit => "only_git",
            Self::ReversedRange => "reversed_range",
            Self::UnparsableVersion => "unparsable_version",
            Self::BadKey => "bad_key",
            Self::NotFixed => "not_fixed",
            Self::NoComponentVersion => "no_component_version",
            Self::NotMaven => "not_maven",
            Self::BadDigest => "bad_digest",
            Self::NoPurl => "no_purl",
            Self::Format => "format",
            Self::Malformed => "malformed",
            Self::Limit => "limit",
        }
    }
}

/// Everything that records gave, in the order in which they gave it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Of packages.
    pub advisories: Vec<AdvisoryRow>,
    /// Of vulnerabilities.
    pub details: Vec<DetailRow>,
    /// Of Red Hat's repositories.
    pub repositories: Vec<RepositoryRow>,
    /// Of products that are not affected.
    pub vex: Vec<VexRow>,
    /// Of jars.
    pub java: Vec<JavaRow>,
    /// What could not be mapped.
    pub unmapped: Vec<UnmappedRow>,
    /// The newest modification time that a mapped document states, RFC 3339 in UTC.
    pub modified: Option<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_zero(value: &u8) -> bool {
    *value == 0
}
