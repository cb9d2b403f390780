//! The chain: what was applied, one entry a version, each beside the documents that were signed.
//!
//! An entry says nothing that has to be believed: what decides is in the signed documents beside it,
//! and an entry that contradicts them is called damaged.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use export_bundle::manifest::Manifest;
use export_bundle::paths::DOCUMENTS;
use export_bundle::verify::{SignedDocuments, Trust, judge_signed};
use export_model::{Kind, MirrorBase, ProfileKind, RunId, Sha256Digest, Tenant, Timestamp};
use export_signing::{Fingerprint, PublicKey};
use serde::{Deserialize, Serialize};

use crate::error::{Error, reading};
use crate::place::{CURRENT, ENTRY, KEY, Place, VERSIONS, parse_number};

/// The value of an entry's `schema`.
const SCHEMA: &str = "export-center/mirror-entry/v1";
/// The most bytes of an entry that are read.
const MAX_ENTRY_BYTES: u64 = 1 << 20;
/// The most bytes of a document that are read; a manifest's limit is the largest.
const MAX_DOCUMENT_BYTES: u64 = export_bundle::manifest::MAX_MANIFEST_BYTES as u64;

/// A file that is derived from the documents, as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Derived {
    /// Its digest.
    pub sha256: Sha256Digest,
    /// Its size.
    pub size: u64,
}

/// How much a version holds, and how it differs from the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeCounts {
    /// Documents.
    pub documents: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Documents by kind; a kind without any is left out.
    pub by_kind: BTreeMap<Kind, u64>,
    /// Documents that a delta added.
    pub added: u64,
    /// Documents that a delta changed.
    pub changed: u64,
    /// Documents that a delta removed.
    pub removed: u64,
}

/// What was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Always the same.
    pub schema: String,
    /// The version that it made; the first is 1.
    pub version: u64,
    /// When, as the one who applied it said.
    pub applied_at: Timestamp,
    /// The export.
    pub export_id: RunId,
    /// Whose.
    pub tenant: Tenant,
    /// The profile's name.
    pub profile: String,
    /// Full or delta.
    pub kind: ProfileKind,
    /// The state of the ledger.
    pub watermark: u64,
    /// Digest of the manifest.
    pub manifest_sha256: Sha256Digest,
    /// Digest of the listing.
    pub tree_digest: Sha256Digest,
    /// The state that a delta changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<MirrorBase>,
    /// The key that signed.
    pub key: Fingerprint,
    /// Whether the mirror was told to hold to that key from here on.
    pub repinned: bool,
    /// Whether it was allowed to be older than what was here.
    pub rolled_back: bool,
    /// How much it holds.
    pub counts: TreeCounts,
    /// Digest of the policy snapshot in the tree, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_snapshot: Option<Sha256Digest>,
    /// Indexes and manifests, by path in the tree.
    pub derived: BTreeMap<String, Derived>,
}

impl Entry {
    pub(crate) fn schema() -> String {
        SCHEMA.to_owned()
    }

    /// Its bytes: RFC 8785.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        export_canonical::jcs::to_jcs(self)
            .map_err(|_| Error::Internal("an entry has a number beyond 2^53"))
    }

    /// Reads the entry of a version.
    pub(crate) fn read(place: &Place, version: u64) -> Result<Self, Error> {
        let path = place.entry(version).join(ENTRY);
        let damaged = |what: String| Error::Damaged {
            path: path.clone(),
            what,
        };
        let bytes = match read_limited(&path, MAX_ENTRY_BYTES) {
            Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(damaged("it is missing".to_owned()));
            }
            other => other?,
        };
        let entry: Self =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if entry.schema != SCHEMA {
            return Err(damaged(format!("its schema is not `{SCHEMA}`")));
        }
        if entry.version != version {
            return Err(damaged("it is of another version".to_owned()));
        }
        Ok(entry)
    }
}

/// An entry whose documents have been verified.
#[derive(Clone, Debug)]
pub(crate) struct VerifiedEntry {
    pub(crate) entry: Entry,
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) key: PublicKey,
}

impl VerifiedEntry {
    /// Reads an entry and judges the documents beside it by the key beside them.
    pub(crate) fn read(place: &Place, version: u64) -> Result<Self, Error> {
        let entry = Entry::read(place, version)?;
        let dir = place.entry(version);
        let path = dir.join(KEY);
        let pem = read_limited(&path, 64 << 10)?;
        let key = PublicKey::from_pem(&pem).map_err(|error| Error::Damaged {
            path: path.clone(),
            what: error.to_string(),
        })?;
        let damaged = |name: &str, what: &str| Error::Damaged {
            path: dir.join(name),
            what: what.to_owned(),
        };
        if key.fingerprint() != entry.key {
            return Err(damaged(KEY, "it is not the key that entry.json names"));
        }
        let mut documents: [Vec<u8>; 5] = Default::default();
        for (name, bytes) in DOCUMENTS.iter().zip(&mut documents) {
            *bytes = read_limited(&dir.join(name), MAX_DOCUMENT_BYTES)?;
        }
        let trust = Trust {
            keys: vec![key.clone()],
        };
        let signed = judge_signed(documents, &trust).map_err(|report| {
            let first = report.problems.first();
            let name = first.and_then(|problem| problem.path.as_deref());
            damaged(
                name.unwrap_or_default(),
                first.map_or("it is not verified", |problem| &problem.detail),
            )
        })?;
        entry.contradiction(&signed).map_or(Ok(()), |what| {
            Err(damaged(
                ENTRY,
                &format!("it says another {what} than was signed"),
            ))
        })?;
        Ok(Self {
            entry,
            manifest: signed.manifest,
            key,
        })
    }
}

impl Entry {
    /// What in it is not what was signed. Of a sealed bundle the digests of the tree were not in the
    /// manifest, so they cannot be compared with it.
    fn contradiction(&self, signed: &SignedDocuments) -> Option<&'static str> {
        let manifest = &signed.manifest;
        let tree = manifest.mirror();
        let tree = tree.as_ref();
        let base = tree.and_then(|tree| tree.base.as_ref());
        let same_base = match (base, &self.base) {
            (Some(signed), Some(own)) => {
                signed.export_id == own.export_id && signed.tree_digest == own.tree_digest
            }
            (None, Some(_)) => tree.is_none(),
            (None, None) => true,
            (Some(_), None) => false,
        };
        [
            (self.manifest_sha256 == signed.manifest_sha256(), "manifest"),
            (self.export_id == manifest.run.id, "export"),
            (self.tenant == manifest.run.tenant, "tenant"),
            (self.profile == manifest.profile.name, "profile"),
            (self.kind == manifest.profile.kind, "kind"),
            (self.watermark == manifest.run.as_of.watermark, "watermark"),
            (
                tree.is_none_or(|tree| tree.tree_digest == self.tree_digest),
                "tree digest",
            ),
            (same_base, "base"),
        ]
        .into_iter()
        .find_map(|(same, what)| (!same).then_some(what))
    }
}

/// The version that readers see; none where nothing was ever applied.
pub(crate) fn head(place: &Place) -> Result<Option<u64>, Error> {
    let path = place.current();
    let target = match fs::read_link(&path) {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // EINVAL: there is something of that name that is no link.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            return Err(Error::Damaged {
                path,
                what: format!("`{CURRENT}` is no link"),
            });
        }
        Err(source) => return Err(reading(&path)(source)),
    };
    let version = target
        .to_str()
        .and_then(|target| target.strip_prefix(VERSIONS)?.strip_prefix('/'))
        .and_then(parse_number);
    version.map(Some).ok_or_else(|| Error::Damaged {
        path,
        what: format!("it points to `{}`", target.display()),
    })
}

/// The entries up to the head, oldest first. Entries above it are of an apply that did not end.
pub(crate) fn entries(place: &Place, head: u64) -> Result<Vec<Entry>, Error> {
    let mut versions: Vec<_> = numbered(&place.chain())?
        .into_iter()
        .filter(|version| *version <= head)
        .collect();
    versions.sort_unstable();
    versions
        .into_iter()
        .map(|version| Entry::read(place, version))
        .collect()
}

/// The versions that folders in `dir` are named by, in no order; none where it does not exist.
pub(crate) fn numbered(dir: &Path) -> Result<Vec<u64>, Error> {
    let mut versions = Vec::new();
    let found = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(versions),
        other => other.map_err(reading(dir))?,
    };
    for entry in found {
        let entry = entry.map_err(reading(dir))?;
        versions.extend(entry.file_name().to_str().and_then(parse_number));
    }
    Ok(versions)
}

pub(crate) fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
        .map_err(reading(path))?;
    if bytes.len() as u64 > limit {
        return Err(Error::Damaged {
            path: path.to_owned(),
            what: format!("it has more than {limit} bytes"),
        });
    }
    Ok(bytes)
}
