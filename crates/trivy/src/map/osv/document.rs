//! The members of an OSV entry that mapping reads (OSV schema 1.7; GitHub's and other databases'
//! specifics).

use serde::Deserialize;

use crate::map::lenient::{List, Named, Object, Text, Texts};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Document {
    pub(super) id: Text,
    pub(super) modified: Text,
    pub(super) published: Text,
    pub(super) withdrawn: Text,
    pub(super) aliases: List<Text>,
    pub(super) upstream: List<Text>,
    pub(super) related: List<Text>,
    pub(super) summary: Text,
    pub(super) details: Text,
    pub(super) severity: List<Object<Severity>>,
    pub(super) affected: List<Object<Affected>>,
    pub(super) references: List<Object<Reference>>,
    pub(super) database_specific: Object<Specific>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Severity {
    #[serde(rename = "type")]
    pub(super) kind: Text,
    pub(super) score: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reference {
    pub(super) url: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Affected {
    pub(super) package: Object<Package>,
    pub(super) ranges: List<Object<Range>>,
    pub(super) versions: List<Text>,
    pub(super) severity: List<Object<Severity>>,
    pub(super) ecosystem_specific: Object<Specific>,
    pub(super) database_specific: Object<Specific>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Package {
    pub(super) ecosystem: Text,
    pub(super) name: Text,
    pub(super) purl: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Range {
    #[serde(rename = "type")]
    pub(super) kind: Text,
    pub(super) events: List<Object<Event>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    pub(super) introduced: Text,
    pub(super) fixed: Text,
    pub(super) last_affected: Text,
}

/// What databases add: GitHub's severity and CWEs, RustSec's vector, Debian's urgency, SUSE's binaries.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Specific {
    pub(super) severity: Text,
    pub(super) urgency: Text,
    pub(super) cvss: Text,
    pub(super) url: Text,
    pub(super) cwe_ids: List<Text>,
    pub(super) cwes: List<Named>,
    pub(super) last_known_affected_version_range: Text,
    pub(super) binaries: List<Texts>,
}
