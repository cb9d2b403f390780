//! `export.json`: what a bundle holds and which run made it.
//!
//! The manifest is what the signature is over, and through the digests in it the signature covers
//! every payload file. It is written as RFC 8785 (JCS), so that there is one spelling of it.

use std::collections::{BTreeMap, BTreeSet};

use export_canonical::jcs::{JcsError, NotJcs, is_jcs, to_jcs};
use export_model::Timestamp;
use export_model::{
    Kind, MirrorBase, ProfileConfig, ProfileKind, RunId, Selectors, Sha256Digest, Tenant,
};
use serde::{Deserialize, Serialize, Serializer};

use crate::paths::{PathError, SEALED_SUFFIXES, check_payload_path, content_path, shown};
use crate::payload::layer_of;

mod file;
mod mirror;
mod sealed;

pub use file::{Algorithm, CompressionEntry, FileEntry, RecordRange, content_digest};
pub use mirror::MirrorSection;
pub use sealed::{CONTENT_SCHEMA, ContentDocument, SealedSection};

/// The value of `schema`.
pub const SCHEMA: &str = "export-center/manifest/v1";

/// The most bytes of a manifest that are read.
pub const MAX_MANIFEST_BYTES: usize = 64 << 20;

/// Media type of JSON lines.
pub const MEDIA_TYPE_JSON_LINES: &str = "application/x-ndjson";
/// Media type of a layer of documents.
pub const MEDIA_TYPE_TAR: &str = "application/x-tar";
/// Media type of a JSON document.
pub const MEDIA_TYPE_JSON: &str = "application/json";

/// The manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: String,
    /// The run that made the bundle.
    pub run: RunSection,
    /// The profile that it ran.
    pub profile: ProfileSection,
    /// What it was asked to select.
    pub selectors: Selectors,
    /// How much it holds.
    pub counts: Counts,
    /// [`content_digest`] over `files`.
    pub content_digest: Sha256Digest,
    /// Of a complete mirror: SHA-256 of the list of its tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree_digest: Option<Sha256Digest>,
    /// Of a delta: what it is applied to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<MirrorBase>,
    /// Of a delta: the digest of the tree that it gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_tree_digest: Option<Sha256Digest>,
    /// Every payload file, by path.
    pub files: Vec<FileEntry>,
    /// Where the bundle is handed over, as configured.
    pub distributions: Vec<DistributionEntry>,
    /// That its files are sealed. Then nothing is known here of what is in them: `selectors` are
    /// empty, sizes and digests of contents are zero, and there are no ranges.
    #[serde(skip)]
    pub sealed: Option<SealedSection>,
}

/// The run that made a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSection {
    /// The run's id.
    pub id: RunId,
    /// Whose run it is; whose evidence, too, unless the selectors name tenants.
    pub tenant: Tenant,
    /// The profile's name within its tenant.
    pub profile_id: String,
    /// The profile's revision.
    pub profile_revision: u32,
    /// Who asked for the run.
    pub requested_by: String,
    /// When; written in whole seconds.
    #[serde(serialize_with = "whole_seconds")]
    pub submitted_at: Timestamp,
    /// The ledger's state that was exported.
    pub as_of: AsOfSection,
}

/// A state of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AsOfSection {
    /// The sequence number of the newest record that could be seen.
    pub watermark: u64,
}

/// The profile that a run ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileSection {
    /// Its name.
    pub name: String,
    /// What it produces, `<adapter>:<variant>`.
    pub kind: ProfileKind,
    /// The adapter's variant, the part of `kind` after the colon.
    pub variant: String,
    /// Its configuration.
    pub config: ProfileConfig,
}

/// How much a bundle holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Records in payload files, findings included, quarantined ones not; where the payload was
    /// assembled of records, how many it was assembled of.
    pub records: u64,
    /// The same by kind; a kind without records may be left out.
    pub by_kind: BTreeMap<Kind, u64>,
    /// Records by the tenant that owns them. In bundles across tenants every owner is named, also one
    /// without records; in others there is no such member.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_tenant: BTreeMap<Tenant, u64>,
    /// Records that broke a guardrail and were left out, by `ERR_AOC_*` code.
    pub quarantined: BTreeMap<String, u64>,
}

/// Where a bundle is handed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistributionEntry {
    /// The target's type, such as `http`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where, in the words of its type.
    pub location: String,
}

/// Why bytes are no manifest. Whoever made the bundle is at fault, or it was altered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// More bytes than are read.
    #[error("export.json has {bytes} bytes; at most {MAX_MANIFEST_BYTES} are read")]
    TooLarge {
        /// How many there are.
        bytes: u64,
    },
    /// Not JSON, or not in the one form that is signed.
    #[error("export.json is not canonical: {0}")]
    NotCanonical(#[from] NotJcs),
    /// JSON of another shape.
    #[error("export.json is not a manifest: {0}")]
    Shape(#[source] serde_json::Error),
    /// A schema that this version does not know.
    #[error("export.json has the schema `{found}`; known is {SCHEMA}")]
    Schema {
        /// The schema in the file.
        found: String,
    },
    /// A file that may not be in a bundle.
    #[error("export.json lists a file that may not be: {0}")]
    Path(#[from] PathError),
    /// Files out of order, or twice.
    #[error("export.json lists `{path}` out of order or twice")]
    Order {
        /// The file.
        path: String,
    },
    /// What is said of a file contradicts itself.
    #[error("export.json contradicts itself about `{path}`: {what}")]
    Contradiction {
        /// The file.
        path: String,
        /// How.
        what: &'static str,
    },
}

impl Manifest {
    /// The document's bytes: RFC 8785, without a line end.
    ///
    /// # Errors
    /// Where a number is beyond 2^53 − 1.
    pub fn to_bytes(&self) -> Result<Vec<u8>, JcsError> {
        if self.sealed.is_some() {
            return to_jcs(&sealed::Outer::from(self));
        }
        to_jcs(self)
    }

    /// Reads a manifest: at most [`MAX_MANIFEST_BYTES`], canonical, without unknown members, with
    /// files sorted by path, each once, and all of them safe to write below a folder.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLarge {
                bytes: bytes.len() as u64,
            });
        }
        is_jcs(bytes)?;
        // The schema is looked at first, so that a newer document is called newer, not broken.
        #[derive(Deserialize)]
        struct Schema {
            schema: String,
            sealed: Option<serde::de::IgnoredAny>,
        }
        let Schema { schema, sealed } =
            serde_json::from_slice(bytes).map_err(ManifestError::Shape)?;
        if schema != SCHEMA {
            return Err(ManifestError::Schema {
                found: shown(&schema),
            });
        }
        let manifest = match sealed {
            None => serde_json::from_slice::<Self>(bytes),
            Some(_) => serde_json::from_slice::<sealed::Outer>(bytes).map(Self::from),
        }
        .map_err(ManifestError::Shape)?;
        manifest.check_files()?;
        Ok(manifest)
    }

    fn check_files(&self) -> Result<(), ManifestError> {
        let mut previous = "";
        let mut contents = BTreeSet::new();
        // Names that only differ in case fall together on some systems.
        let mut folded = BTreeSet::new();
        for file in &self.files {
            check_payload_path(&file.path)?;
            let sorted = previous < file.path.as_str();
            let unique = contents.insert(content_path(&file.path))
                && folded.insert(file.path.to_ascii_lowercase());
            if !sorted || !unique {
                return Err(ManifestError::Order {
                    path: file.path.clone(),
                });
            }
            previous = &file.path;
            if let Some(what) = file.contradiction(self.sealed.is_some()) {
                return Err(ManifestError::Contradiction {
                    path: file.path.clone(),
                    what,
                });
            }
        }
        Ok(())
    }

    /// What in the manifest does not add up: the content digest, or the counts.
    #[must_use]
    pub fn inconsistency(&self) -> Option<String> {
        if self.sealed.is_some() {
            return self.badly_sealed();
        }
        let digest = content_digest(&self.files);
        if digest != self.content_digest {
            return Some(format!(
                "content_digest is {}, but the files make {digest}",
                self.content_digest
            ));
        }
        if let Some(what) = self.not_a_mirror() {
            return Some(what);
        }
        let mut by_kind: BTreeMap<Kind, u64> = BTreeMap::new();
        let mut quarantined = 0_u64;
        if self.profile.kind.is_assembled() {
            if let Some(what) = self.not_assembled() {
                return Some(what);
            }
            by_kind.clone_from(&self.counts.by_kind);
        } else if let Some(what) = self.misplaced() {
            return Some(what);
        }
        for file in &self.files {
            if let Some(kind) = file.record_kind() {
                let sum = by_kind.entry(kind).or_default();
                *sum = sum.saturating_add(file.records.unwrap_or(0));
                quarantined = quarantined.saturating_add(file.quarantined.unwrap_or(0));
            }
        }
        for kind in Kind::ALL {
            let stated = self.counts.by_kind.get(&kind).copied().unwrap_or(0);
            let listed = by_kind.get(&kind).copied().unwrap_or(0);
            if stated != listed {
                return Some(format!(
                    "counts.by_kind has {stated} records of kind {kind}, but the files {listed}"
                ));
            }
        }
        let sum = |counts: &mut dyn Iterator<Item = &u64>| {
            counts.fold(0_u64, |sum, count| sum.saturating_add(*count))
        };
        if self.counts.records != sum(&mut by_kind.values()) {
            return Some("counts.records is not the sum of counts.by_kind".to_owned());
        }
        // A part of which nothing is left has no file, so the sum over files may be smaller.
        if quarantined > sum(&mut self.counts.quarantined.values()) {
            return Some("counts.quarantined is less than the files say".to_owned());
        }
        None
    }

    /// The tenants whose evidence it holds, where that is not its own tenant's alone; none
    /// otherwise.
    #[must_use]
    pub fn owners(&self) -> Option<BTreeSet<&str>> {
        let named = self.selectors.tenants.as_ref()?;
        let owners: BTreeSet<_> = named.iter().map(String::as_str).collect();
        let own_alone = owners
            .iter()
            .all(|owner| *owner == self.run.tenant.as_str());
        (!own_alone).then_some(owners)
    }

    /// Whose records a file of records holds.
    #[must_use]
    pub fn owner_of<'a>(&'a self, file: &'a FileEntry) -> &'a str {
        file.record_owner().unwrap_or(self.run.tenant.as_str())
    }

    /// What an assembled payload lacks, or has and should not. How many records went into it, of which
    /// kind and whose, only its list of inputs can tell.
    fn not_assembled(&self) -> Option<String> {
        let kind = self.profile.kind;
        if let Some((layer, media_type)) = layer_of(kind)
            && self
                .file(layer)
                .is_none_or(|(_, file)| file.media_type != media_type)
        {
            return Some(format!(
                "an export of {kind} has no {layer} of {media_type}"
            ));
        }
        if let Some(file) = self.files.iter().find(|file| file.record_kind().is_some()) {
            return Some(format!(
                "`{}` does not belong in an export of {kind}",
                file.path
            ));
        }
        let stated = self.counts.by_tenant.keys().map(Tenant::as_str);
        let sum = self.counts.by_tenant.values();
        let sum = sum.fold(0_u64, |sum, records| sum.saturating_add(*records));
        let fits = match self.owners() {
            None => self.counts.by_tenant.is_empty(),
            Some(owners) => owners.into_iter().eq(stated) && sum == self.counts.records,
        };
        (!fits).then(|| "counts.by_tenant does not fit the selectors and counts.records".to_owned())
    }

    /// What is wrong with the places of files of records, or with the records of each tenant.
    fn misplaced(&self) -> Option<String> {
        let owners = self.owners();
        let mut by_tenant: BTreeMap<&str, u64> =
            owners.iter().flatten().map(|owner| (*owner, 0)).collect();
        for file in &self.files {
            let Some(kind) = file.record_kind() else {
                continue;
            };
            let path = content_path(&file.path);
            if file.is_layer() != self.profile.kind.is_mirror() {
                let kind = self.profile.kind;
                return Some(format!("`{path}` does not belong in an export of {kind}"));
            }
            match (&owners, file.record_owner()) {
                (None, None) if path.split('/').count() == 3 => {}
                (Some(_), Some(owner)) => match by_tenant.get_mut(owner) {
                    Some(records) => {
                        *records = records.saturating_add(file.records.unwrap_or(0));
                    }
                    None => return Some(format!("`{path}` is of a tenant that nobody selected")),
                },
                _ => {
                    return Some(format!(
                        "`{path}` is not where records of kind {kind} belong in it"
                    ));
                }
            }
        }
        let stated: BTreeMap<&str, u64> = self
            .counts
            .by_tenant
            .iter()
            .map(|(tenant, records)| (tenant.as_str(), *records))
            .collect();
        (stated != by_tenant).then(|| "counts.by_tenant is not what the files say".to_owned())
    }

    /// The file with this path, or with the path that it has once it is sealed.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<(usize, &FileEntry)> {
        let sealed = |suffix: &&str| self.listed(&format!("{path}{suffix}"));
        self.listed(path)
            .or_else(|| SEALED_SUFFIXES.iter().find_map(sealed))
    }

    /// The file that is stored under exactly this path.
    #[must_use]
    pub fn listed(&self, path: &str) -> Option<(usize, &FileEntry)> {
        let order = |file: &FileEntry| file.path.as_str().cmp(path);
        let index = self.files.binary_search_by(order).ok()?;
        Some((index, self.files.get(index)?))
    }

    /// Stored bytes of all payload files together.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.files
            .iter()
            .fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// Bytes of all payload files before compression together.
    #[must_use]
    pub fn content_bytes(&self) -> u64 {
        self.files
            .iter()
            .fold(0, |sum, file| sum.saturating_add(file.content_size))
    }
}

fn whole_seconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    time.whole_seconds().serialize(serializer)
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
