//! Kinds of records and of profiles.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a record is. Ordered as canonical order orders it: by name.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An advisory as its publisher gave it.
    Advisory,
    /// A decision of the policy engine.
    Finding,
    /// A software bill of materials.
    Sbom,
    /// A VEX statement.
    Vex,
}

/// A name that is no kind of anything here.
#[derive(Debug, thiserror::Error)]
#[error("`{name}` is none of {known}")]
pub struct UnknownKind {
    name: String,
    known: &'static str,
}

impl Kind {
    /// Every kind, in canonical order.
    pub const ALL: [Self; 4] = [Self::Advisory, Self::Finding, Self::Sbom, Self::Vex];
    /// The kinds of raw evidence, in canonical order: everything but findings.
    pub const RAW: [Self; 3] = [Self::Advisory, Self::Sbom, Self::Vex];

    /// The kind's name, as records and paths spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Advisory => "advisory",
            Self::Finding => "finding",
            Self::Sbom => "sbom",
            Self::Vex => "vex",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == name)
            .ok_or_else(|| UnknownKind {
                name: name.chars().take(80).collect(),
                known: "advisory, finding, sbom, vex",
            })
    }
}

/// What a profile produces: `<adapter>:<variant>`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum ProfileKind {
    /// Raw evidence as JSON lines.
    #[serde(rename = "json:raw")]
    JsonRaw,
    /// Raw evidence and policy findings as JSON lines, with the policy snapshot.
    #[serde(rename = "json:policy")]
    JsonPolicy,
    /// A vulnerability database for the Trivy scanner.
    #[serde(rename = "trivy:db")]
    TrivyDb,
    /// An index of Java archives for the Trivy scanner.
    #[serde(rename = "trivy:java-db")]
    TrivyJavaDb,
    /// A tree of documents, complete.
    #[serde(rename = "mirror:full")]
    MirrorFull,
    /// What has changed in such a tree since another export.
    #[serde(rename = "mirror:delta")]
    MirrorDelta,
}

impl ProfileKind {
    /// Every kind that this version can produce.
    pub const ALL: [Self; 6] = [
        Self::JsonRaw,
        Self::JsonPolicy,
        Self::TrivyDb,
        Self::TrivyJavaDb,
        Self::MirrorFull,
        Self::MirrorDelta,
    ];

    /// The kind's name, `<adapter>:<variant>`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JsonRaw => "json:raw",
            Self::JsonPolicy => "json:policy",
            Self::TrivyDb => "trivy:db",
            Self::TrivyJavaDb => "trivy:java-db",
            Self::MirrorFull => "mirror:full",
            Self::MirrorDelta => "mirror:delta",
        }
    }

    /// The adapter's name and the variant's.
    #[must_use]
    pub fn adapter_and_variant(self) -> (&'static str, &'static str) {
        match self {
            Self::JsonRaw => ("json", "raw"),
            Self::JsonPolicy => ("json", "policy"),
            Self::TrivyDb => ("trivy", "db"),
            Self::TrivyJavaDb => ("trivy", "java-db"),
            Self::MirrorFull => ("mirror", "full"),
            Self::MirrorDelta => ("mirror", "delta"),
        }
    }

    /// The kinds of records that such a profile exports unless told otherwise. Of a mirror, findings
    /// only where a policy snapshot is asked for.
    #[must_use]
    pub fn kinds(self) -> &'static [Kind] {
        match self {
            Self::JsonRaw => &Kind::RAW,
            Self::JsonPolicy | Self::MirrorFull | Self::MirrorDelta => &Kind::ALL,
            Self::TrivyDb => &[Kind::Advisory, Kind::Vex],
            Self::TrivyJavaDb => &[Kind::Sbom],
        }
    }

    /// Whether such a run needs a policy snapshot.
    #[must_use]
    pub fn needs_policy(self) -> bool {
        matches!(self, Self::JsonPolicy)
    }

    /// Whether such a run exports findings where it is asked to.
    #[must_use]
    pub fn takes_policy(self) -> bool {
        self.needs_policy() || self.is_mirror()
    }

    /// Whether such a run makes a tree of documents, or what has changed in one.
    #[must_use]
    pub fn is_mirror(self) -> bool {
        matches!(self, Self::MirrorFull | Self::MirrorDelta)
    }

    /// Whether the parts of such a run are merged into files of their own, so that none of them is a
    /// payload file itself.
    #[must_use]
    pub fn is_assembled(self) -> bool {
        matches!(self, Self::TrivyDb | Self::TrivyJavaDb)
    }

    /// The version of the scanner's schema that is written; none where no scanner has a say.
    #[must_use]
    pub fn schema_version(self) -> Option<u32> {
        match self {
            Self::JsonRaw | Self::JsonPolicy | Self::MirrorFull | Self::MirrorDelta => None,
            Self::TrivyDb => Some(2),
            Self::TrivyJavaDb => Some(1),
        }
    }
}

impl fmt::Display for ProfileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ProfileKind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == name)
            .ok_or_else(|| UnknownKind {
                name: name.chars().take(80).collect(),
                known: "json:raw, json:policy, trivy:db, trivy:java-db, mirror:full, mirror:delta",
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_order_is_the_order_of_names() {
        let mut names: Vec<_> = Kind::ALL.iter().map(|k| k.as_str()).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            Kind::ALL.iter().map(|k| k.as_str()).collect::<Vec<_>>()
        );
        assert!(
            "Advisory".parse::<Kind>().is_err(),
            "another case is refused"
        );
    }

    #[test]
    fn profile_kinds_parse_back_and_are_listed_when_one_does_not() {
        for kind in ProfileKind::ALL {
            assert_eq!(kind.as_str().parse::<ProfileKind>().unwrap(), kind);
            let (adapter, variant) = kind.adapter_and_variant();
            assert_eq!(format!("{adapter}:{variant}"), kind.as_str());
            assert_eq!(
                serde_json::to_value(kind).unwrap(),
                serde_json::Value::from(kind.as_str())
            );
            let refused = "json".parse::<ProfileKind>().unwrap_err().to_string();
            assert!(refused.contains(kind.as_str()), "{refused}");
        }
    }

    #[test]
    fn what_a_scanner_reads_has_a_schema_and_is_assembled() {
        for kind in ProfileKind::ALL {
            assert_eq!(
                kind.is_assembled(),
                kind.schema_version().is_some(),
                "{kind}"
            );
            assert!(!kind.kinds().is_empty());
        }
        assert_eq!(ProfileKind::TrivyDb.schema_version(), Some(2));
        assert_eq!(ProfileKind::TrivyJavaDb.schema_version(), Some(1));
    }
}
