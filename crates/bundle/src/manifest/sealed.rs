//! What a manifest says of a sealed bundle, and what it leaves to the sealed document.
//!
//! Nothing in a sealed bundle that can be read by everybody tells what is in it: what was selected,
//! sizes and digests of contents, ids of records and a tree's digests leave `export.json` for
//! `payload/content.json`, which is sealed like the rest. That document holds the whole manifest, so
//! whoever can open it verifies what everybody verifies of a bundle that is not sealed.

use std::collections::BTreeMap;

use export_canonical::jcs::{JcsError, is_jcs, to_jcs};
use export_model::{Selectors, Sha256Digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    CompressionEntry, Counts, DistributionEntry, FileEntry, MAX_MANIFEST_BYTES, MEDIA_TYPE_JSON,
    Manifest, ManifestError, ProfileSection, RunSection,
};
use crate::payload::CONTENT;

/// The value of `schema` in the sealed document.
pub const CONTENT_SCHEMA: &str = "export-center/content/v1";

/// That a bundle's payload is sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedSection {
    /// The payload file with what everybody may not know.
    pub content: String,
    /// How: `age` or `aes-gcm`.
    pub mode: String,
}

/// The manifest of a sealed bundle, as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Outer {
    schema: String,
    run: RunSection,
    profile: ProfileSection,
    sealed: SealedSection,
    counts: Counts,
    files: Vec<OuterFile>,
    distributions: Vec<DistributionEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OuterFile {
    path: String,
    size: u64,
    sha256: Sha256Digest,
    media_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compression: Option<CompressionEntry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    records: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quarantined: Option<u64>,
}

const UNKNOWN: Sha256Digest = Sha256Digest([0; 32]);

impl From<&Manifest> for Outer {
    fn from(manifest: &Manifest) -> Self {
        let file = |file: &FileEntry| OuterFile {
            path: file.path.clone(),
            size: file.size,
            sha256: file.sha256,
            media_type: file.media_type.clone(),
            compression: file.compression,
            records: file.records,
            quarantined: file.quarantined,
        };
        Self {
            schema: manifest.schema.clone(),
            run: manifest.run.clone(),
            profile: manifest.profile.clone(),
            sealed: manifest.sealed.clone().unwrap_or(SealedSection {
                content: String::new(),
                mode: String::new(),
            }),
            counts: manifest.counts.clone(),
            files: manifest.files.iter().map(file).collect(),
            distributions: manifest.distributions.clone(),
        }
    }
}

impl From<Outer> for Manifest {
    fn from(outer: Outer) -> Self {
        let file = |file: OuterFile| FileEntry {
            path: file.path,
            size: file.size,
            sha256: file.sha256,
            content_size: 0,
            content_sha256: UNKNOWN,
            media_type: file.media_type,
            compression: file.compression,
            records: file.records,
            range: None,
            quarantined: file.quarantined,
        };
        Self {
            schema: outer.schema,
            run: outer.run,
            profile: outer.profile,
            selectors: Selectors::default(),
            counts: outer.counts,
            content_digest: UNKNOWN,
            tree_digest: None,
            base: None,
            result_tree_digest: None,
            files: outer.files.into_iter().map(file).collect(),
            distributions: outer.distributions,
            sealed: Some(outer.sealed),
        }
    }
}

impl Manifest {
    /// The suffix of sealed files in a mode; none where the mode is none that is known.
    fn suffix_of(mode: &str) -> Option<&'static str> {
        match mode {
            "age" => Some(".age"),
            "aes-gcm" => Some(".enc"),
            _ => None,
        }
    }

    /// What everybody may know of this manifest, where its files are sealed: it lists the sealed
    /// document too, of which `path`, size and digest are given.
    #[must_use]
    pub fn sealed(&self, mode: &str, content: (String, u64, Sha256Digest)) -> Self {
        let (path, size, sha256) = content;
        let mut sealed = self.clone();
        sealed.files.push(FileEntry {
            path: path.clone(),
            size,
            sha256,
            content_size: 0,
            content_sha256: UNKNOWN,
            media_type: MEDIA_TYPE_JSON.to_owned(),
            compression: None,
            records: None,
            range: None,
            quarantined: None,
        });
        sealed.files.sort_by(|a, b| a.path.cmp(&b.path));
        sealed.sealed = Some(SealedSection {
            content: path,
            mode: mode.to_owned(),
        });
        Self::from(Outer::from(&sealed))
    }

    /// What is wrong with what a sealed manifest says of that.
    pub(super) fn badly_sealed(&self) -> Option<String> {
        let sealed = self.sealed.as_ref()?;
        let Some(suffix) = Self::suffix_of(&sealed.mode) else {
            let mode = crate::paths::shown(&sealed.mode);
            return Some(format!("it is sealed by `{mode}`, which is not known"));
        };
        if sealed.content != format!("{CONTENT}{suffix}") || self.file(&sealed.content).is_none() {
            return Some(format!("it is sealed, but lists no {CONTENT}{suffix}"));
        }
        let open = self.files.iter().find(|file| !file.path.ends_with(suffix));
        open.map(|file| format!("it is sealed, but `{}` is not", file.path))
    }
}

/// The sealed document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContentDocument {
    /// What went into the export: what the provenance of a bundle that is not sealed has as
    /// `resolvedDependencies`.
    pub dependencies: Vec<Value>,
    /// The whole manifest, of all files but this one; sizes and digests are of the sealed files.
    pub manifest: Manifest,
    /// What was asked for: what that provenance has as `externalParameters`.
    pub parameters: BTreeMap<String, Value>,
    /// [`CONTENT_SCHEMA`].
    pub schema: String,
}

impl ContentDocument {
    /// The document's bytes: RFC 8785, without a line end.
    ///
    /// # Errors
    /// Where a number is beyond 2^53 − 1.
    pub fn to_bytes(&self) -> Result<Vec<u8>, JcsError> {
        to_jcs(self)
    }

    /// Reads the document, of the bundle that has the manifest `outer`: it must be about the same
    /// run and the same stored files.
    ///
    /// # Errors
    /// The first rule that it breaks, in words.
    pub fn parse(bytes: &[u8], outer: &Manifest) -> Result<Self, String> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(format!("it has more than {MAX_MANIFEST_BYTES} bytes"));
        }
        is_jcs(bytes).map_err(|error| error.to_string())?;
        let document: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if document.schema != CONTENT_SCHEMA {
            let schema = crate::paths::shown(&document.schema);
            return Err(format!(
                "it has the schema `{schema}`; known is {CONTENT_SCHEMA}"
            ));
        }
        let manifest = &document.manifest;
        manifest
            .check_files()
            .map_err(|error: ManifestError| error.to_string())?;
        if let Some(what) = manifest.inconsistency() {
            return Err(what);
        }
        let Some(sealed) = &outer.sealed else {
            return Err("the bundle is not sealed".to_owned());
        };
        let (_, own) = outer
            .file(&sealed.content)
            .ok_or_else(|| "export.json does not list it".to_owned())?;
        let told = (sealed.content.clone(), own.size, own.sha256);
        if manifest.sealed(&sealed.mode, told) == *outer {
            Ok(document)
        } else {
            Err("it is about another bundle than export.json".to_owned())
        }
    }
}
