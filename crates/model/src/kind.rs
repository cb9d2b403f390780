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
}

impl ProfileKind {
    /// Every kind that this version can produce.
    pub const ALL: [Self; 2] = [Self::JsonRaw, Self::JsonPolicy];

    /// The kind's name, `<adapter>:<variant>`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JsonRaw => "json:raw",
            Self::JsonPolicy => "json:policy",
        }
    }

    /// The adapter's name and the variant's.
    #[must_use]
    pub fn adapter_and_variant(self) -> (&'static str, &'static str) {
        match self {
            Self::JsonRaw => ("json", "raw"),
            Self::JsonPolicy => ("json", "policy"),
        }
    }

    /// The kinds of records that such a profile exports unless told otherwise.
    #[must_use]
    pub fn kinds(self) -> &'static [Kind] {
        match self {
            Self::JsonRaw => &Kind::RAW,
            Self::JsonPolicy => &Kind::ALL,
        }
    }

    /// Whether such a run needs a policy snapshot.
    #[must_use]
    pub fn needs_policy(self) -> bool {
        matches!(self, Self::JsonPolicy)
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
                known: "json:raw, json:policy",
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
}
