//! A profile's configuration.
//!
//! Unknown members are refused, and every member has a default, so that `{}` is a valid
//! configuration and a misspelt member never goes unnoticed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Encryption, FieldError, Kind, ProfileKind, ProfileLimits, SealMode};

/// Which revisions of an upstream document leave the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Revisions {
    /// The newest one at the run's watermark.
    #[default]
    Newest,
    /// All that the ledger had at the run's watermark.
    All,
}

/// What a record that breaks an aggregation-only guardrail does to the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnViolation {
    /// The run fails, naming the record.
    #[default]
    Fail,
    /// The record is left out, listed and counted.
    Quarantine,
}

/// Compression of payload files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Compression {
    /// zstd level, 1 to 19.
    pub level: i32,
}

impl Default for Compression {
    fn default() -> Self {
        Self { level: 3 }
    }
}

/// Where a bundle's signatures go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignatureForm {
    /// As members of the bundle.
    #[default]
    InBundle,
}

/// The template of the attestation. The level that a run reaches is decided by the key that signs
/// it and stands in the provenance's builder id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Attestation {
    /// SLSA provenance v1 for build level 2.
    #[default]
    #[serde(rename = "slsa-l2")]
    SlsaL2,
    /// SLSA provenance v1 for build level 3.
    #[serde(rename = "slsa-l3")]
    SlsaL3,
}

/// Where a bundle is handed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum Target {
    /// The archive, to download.
    Http {},
}

impl Target {
    /// The target's type, as metrics and documents name it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Http {} => "http",
        }
    }
}

/// How long a run's bundle is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Days after completion, 1 to 3,650.
    pub days: u32,
    /// Of mirrors: days after completion for which the list of the tree is kept, and with it the
    /// possibility of a delta; at least `days`. None means 365, or `days` where that is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listing_days: Option<u32>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            days: 30,
            listing_days: None,
        }
    }
}

impl Retention {
    /// Days after completion for which the list of a mirror's tree is kept.
    #[must_use]
    pub fn listing_days(&self) -> u32 {
        self.listing_days.unwrap_or(365).max(self.days)
    }
}

/// By what a mirror's documents are found.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum MirrorIndex {
    /// CVE, GHSA and other identifiers, aliases included.
    Identifier,
    /// Package URLs.
    Purl,
    /// Vendor and stream of the source.
    Source,
    /// What a document is about.
    Subject,
}

impl MirrorIndex {
    /// Every index, by name.
    pub const ALL: [Self; 4] = [Self::Identifier, Self::Purl, Self::Source, Self::Subject];

    /// The index's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identifier => "identifier",
            Self::Purl => "purl",
            Self::Source => "source",
            Self::Subject => "subject",
        }
    }
}

/// A profile's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProfileConfig {
    /// The kinds that are exported; none means all that the profile's kind knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<Kind>>,
    /// The version of the scanner's schema, for kinds that a scanner reads; none means the one that
    /// is written. A run that is asked for another is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_version: Option<u32>,
    /// Of mirrors: which indexes the tree has; none means all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub indexes: Option<Vec<MirrorIndex>>,
    /// Which revisions leave the ledger.
    pub revisions: Revisions,
    /// A part ends after this many records.
    pub records_per_part: u64,
    /// A part ends after this many bytes of canonical evidence.
    pub bytes_per_part: u64,
    /// Compression of payload files.
    pub compression: Compression,
    /// What a broken guardrail does.
    pub on_violation: OnViolation,
    /// Whether payload files are sealed.
    pub encryption: Encryption,
    /// Where signatures go.
    pub signatures: SignatureForm,
    /// The attestation's template.
    pub attestation: Attestation,
    /// Where the bundle is handed over.
    pub targets: Vec<Target>,
    /// How long the bundle is kept.
    pub retention: Retention,
    /// What may be used in a day, besides what the tenant may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<ProfileLimits>,
}

impl Default for ProfileConfig {
    fn default() -> Self {
        Self {
            kinds: None,
            schema_version: None,
            indexes: None,
            revisions: Revisions::default(),
            records_per_part: 50_000,
            bytes_per_part: 128 << 20,
            compression: Compression::default(),
            on_violation: OnViolation::default(),
            encryption: Encryption::default(),
            signatures: SignatureForm::default(),
            attestation: Attestation::default(),
            targets: vec![Target::Http {}],
            retention: Retention::default(),
            limits: None,
        }
    }
}

/// Why a schema's version cannot be named for a profile of `kind`, whichever is written.
pub(crate) fn schema_version_error(kind: ProfileKind, version: Option<u32>) -> Option<String> {
    match (version?, kind.schema_version()) {
        (_, None) => Some(format!("{kind} has no schema version; leave it out")),
        (0, Some(_)) => Some("must be at least 1".to_owned()),
        (_, Some(_)) => None,
    }
}

impl ProfileConfig {
    /// What is wrong with this configuration for a profile of `kind`; empty when nothing is.
    #[must_use]
    pub fn errors(&self, kind: ProfileKind) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut refuse = |field: &str, message: String| {
            errors.push(FieldError {
                field: format!("config.{field}"),
                message,
            });
        };
        if let Some(kinds) = &self.kinds {
            if kinds.is_empty() {
                refuse(
                    "kinds",
                    "must not be empty; leave it out for all kinds".into(),
                );
            }
            for (i, wanted) in kinds.iter().enumerate() {
                if !kind.kinds().contains(wanted) {
                    refuse(
                        &format!("kinds[{i}]"),
                        format!("{kind} never contains {wanted}"),
                    );
                }
                if kinds[..i].contains(wanted) {
                    refuse(&format!("kinds[{i}]"), format!("{wanted} is named twice"));
                }
            }
        }
        if let Some(message) = schema_version_error(kind, self.schema_version) {
            refuse("schema_version", message);
        }
        match &self.encryption {
            Encryption::Sealed(SealMode::Age { recipients }) if recipients.is_empty() => {
                refuse("encryption.recipients", "must name at least one".into());
            }
            Encryption::Sealed(SealMode::Age { recipients }) => {
                for (i, recipient) in recipients.iter().enumerate() {
                    if recipients[..i].contains(recipient) {
                        // It may be an identity by mistake, and is not repeated.
                        let message = "is named twice".to_owned();
                        refuse(&format!("encryption.recipients[{i}]"), message);
                    }
                }
            }
            _ => {}
        }
        if let Some(indexes) = &self.indexes {
            if !kind.is_mirror() {
                refuse("indexes", format!("{kind} has no indexes; leave it out"));
            }
            for (i, index) in indexes.iter().enumerate() {
                if indexes[..i].contains(index) {
                    let name = index.as_str();
                    refuse(&format!("indexes[{i}]"), format!("{name} is named twice"));
                }
            }
        }
        if kind.is_mirror() && self.on_violation == OnViolation::Quarantine {
            // Its list of documents is fixed before any of them is read.
            refuse(
                "on_violation",
                format!("must be fail: {kind} is complete or it is not made"),
            );
        }
        match self.retention.listing_days {
            Some(_) if !kind.is_mirror() => refuse(
                "retention.listing_days",
                format!("{kind} has no list of a tree; leave it out"),
            ),
            Some(days) if !(self.retention.days..=3650).contains(&days) => refuse(
                "retention.listing_days",
                "must be at least retention.days and at most 3,650".into(),
            ),
            _ => {}
        }
        if !(1..=200_000).contains(&self.records_per_part) {
            refuse("records_per_part", "must be 1 to 200,000".into());
        }
        if !((1 << 16)..=(4 << 30)).contains(&self.bytes_per_part) {
            refuse("bytes_per_part", "must be 65,536 to 4,294,967,296".into());
        }
        if !(1..=19).contains(&self.compression.level) {
            refuse("compression.level", "must be 1 to 19".into());
        }
        if self.targets != [Target::Http {}] {
            refuse(
                "targets",
                "must be exactly [{\"type\":\"http\"}] in this version".into(),
            );
        }
        if !(1..=3650).contains(&self.retention.days) {
            refuse("retention.days", "must be 1 to 3,650".into());
        }
        errors.extend(self.limits.iter().flat_map(ProfileLimits::errors));
        errors
    }

    /// What a mirror's tree has of indexes, sorted.
    #[must_use]
    pub fn effective_indexes(&self) -> Vec<MirrorIndex> {
        let mut indexes = self
            .indexes
            .clone()
            .unwrap_or_else(|| MirrorIndex::ALL.to_vec());
        indexes.sort_unstable();
        indexes
    }

    /// Whether a mirror of this configuration and one of `other` are of the same tree: whatever decides
    /// what is in it is the same.
    #[must_use]
    pub fn is_same_mirror(&self, other: &Self) -> bool {
        let of = |config: &Self| {
            (
                config.effective_kinds(ProfileKind::MirrorFull),
                config.effective_indexes(),
                config.revisions,
            )
        };
        of(self) == of(other)
    }

    /// The kinds that a profile of `kind` with this configuration exports, in canonical order.
    #[must_use]
    pub fn effective_kinds(&self, kind: ProfileKind) -> Vec<Kind> {
        let mut kinds = self.kinds.clone().unwrap_or_else(|| kind.kinds().to_vec());
        kinds.sort_unstable();
        kinds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_configuration_is_the_default() {
        let config: ProfileConfig = serde_json::from_str("{}").unwrap();
        assert_eq!(config, ProfileConfig::default());
        assert!(config.errors(ProfileKind::JsonRaw).is_empty());
    }

    #[test]
    fn misspelt_members_are_refused_by_name() {
        for (text, name) in [
            (r#"{"record_per_part":1}"#, "record_per_part"),
            (r#"{"compression":{"lvl":1}}"#, "lvl"),
            (r#"{"targets":[{"type":"http","url":"x"}]}"#, "url"),
        ] {
            let error = serde_json::from_str::<ProfileConfig>(text)
                .unwrap_err()
                .to_string();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn only_a_scanner_has_a_schema_version() {
        let config = |version| ProfileConfig {
            schema_version: Some(version),
            ..ProfileConfig::default()
        };
        for kind in [ProfileKind::JsonRaw, ProfileKind::JsonPolicy] {
            let errors = config(2).errors(kind);
            assert_eq!(errors.len(), 1);
            assert_eq!(errors[0].field, "config.schema_version");
        }
        for kind in [ProfileKind::TrivyDb, ProfileKind::TrivyJavaDb] {
            assert_eq!(config(0).errors(kind)[0].field, "config.schema_version");
            // Whether this version writes it is asked when a run is.
            assert!(config(7).errors(kind).is_empty());
        }
    }

    #[test]
    fn values_out_of_range_name_their_field() {
        let config = ProfileConfig {
            kinds: Some(vec![Kind::Finding]),
            records_per_part: 0,
            bytes_per_part: 1,
            compression: Compression { level: 40 },
            targets: vec![],
            retention: Retention {
                days: 0,
                listing_days: None,
            },
            limits: Some(ProfileLimits {
                runs_per_day: Some(0),
                bytes_per_day: Some(1),
            }),
            ..ProfileConfig::default()
        };
        let fields: Vec<_> = config
            .errors(ProfileKind::JsonRaw)
            .into_iter()
            .map(|e| e.field)
            .collect();
        assert_eq!(
            fields,
            [
                "config.kinds[0]",
                "config.records_per_part",
                "config.bytes_per_part",
                "config.compression.level",
                "config.targets",
                "config.retention.days",
                "config.limits.runs_per_day"
            ]
        );
    }
}
