//! Looking at what a bundle says of itself, without verifying anything.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use export_model::ErrorCode;
use export_signing::Fingerprint;
use serde::Serialize;

use crate::archive::{ArchiveError, ArchiveFault, ArchiveReader, MemberHeader};
use crate::manifest::{Manifest, ManifestError};
use crate::paths::{DOCUMENTS, MANIFEST};
use crate::provenance::ProvenanceSummary;
use crate::verify::{DOCUMENT_LIMITS, Documents, Summary, named_key};

/// What is to be said with every inspection.
pub const NOT_VERIFIED: &str =
    "not verified: this is what the bundle says of itself, and anybody could have written it";

/// What a bundle says of itself. Nothing of it has been verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// [`NOT_VERIFIED`].
    pub status: &'static str,
    /// The manifest in short.
    pub summary: Summary,
    /// The key that the bundle names as its signer's.
    pub named_key: Option<Fingerprint>,
    /// The version of the program that made it, as its provenance says.
    pub exporter_version: Option<String>,
    /// How it is sealed, as its provenance says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealing: Option<serde_json::Value>,
    /// The whole manifest.
    #[serde(serialize_with = "as_written")]
    pub manifest: Manifest,
}

/// A sealed bundle's manifest holds nothing of what it does not say.
fn as_written<S: serde::Serializer>(manifest: &Manifest, serializer: S) -> Result<S::Ok, S::Error> {
    let bytes = manifest.to_bytes().map_err(serde::ser::Error::custom)?;
    let value: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(serde::ser::Error::custom)?;
    value.serialize(serializer)
}

/// Why a bundle cannot be looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// The archive cannot be read, or is none.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A file of the bundle cannot be read, or not be taken.
    #[error("could not read {}: {source}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no manifest at the beginning.
    #[error("this is no bundle: it does not begin with export.json")]
    NoManifest,
    /// A document is larger than any is.
    #[error("`{path}` has more than the {limit} bytes that are read")]
    TooLarge {
        /// Which.
        path: &'static str,
        /// How many are read.
        limit: u64,
    },
    /// The manifest cannot be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

impl InspectError {
    /// The documented code of this error.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Archive(error) => match error.fault {
                ArchiveFault::Io(_) => ErrorCode::Io,
                ArchiveFault::Truncated => ErrorCode::Incomplete,
                ArchiveFault::NotTar => ErrorCode::NotABundle,
                _ => ErrorCode::Altered,
            },
            Self::Folder { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorCode::DiskFull,
                io::ErrorKind::InvalidData => ErrorCode::Altered,
                _ => ErrorCode::Io,
            },
            Self::NoManifest | Self::TooLarge { .. } | Self::Manifest(_) => ErrorCode::NotABundle,
        }
    }
}

/// Looks at an archive; reads no more of it than its documents.
///
/// # Errors
/// When it cannot be read, or has no manifest at its beginning.
pub fn inspect_archive(reader: impl Read) -> Result<Inspection, InspectError> {
    let mut archive = ArchiveReader::new(reader);
    let (documents, _) = read_documents(&mut archive)?;
    read_inspection(&documents)
}

/// The documents at the beginning of an archive, and the member after them where its header was read.
pub(crate) fn read_documents<R: Read>(
    archive: &mut ArchiveReader<R>,
) -> Result<(Documents, Option<MemberHeader>), InspectError> {
    let mut documents = Documents::default();
    for (index, path) in DOCUMENTS.into_iter().enumerate() {
        let Some(member) = archive.next_member()? else {
            break;
        };
        if member.path != path {
            // What is missing is for a verification to tell.
            if path == MANIFEST {
                return Err(InspectError::NoManifest);
            }
            return Ok((documents, Some(member)));
        }
        let limit = limit(index);
        if member.size > limit {
            return Err(InspectError::TooLarge { path, limit });
        }
        let mut bytes = Vec::new();
        while let Some(block) = archive.read()? {
            bytes.extend_from_slice(block);
        }
        if let Some(document) = documents.get_mut(index) {
            *document = Some(bytes);
        }
    }
    Ok((documents, None))
}

/// Looks at a bundle that was unpacked to a folder.
///
/// # Errors
/// When it cannot be read, or has no manifest.
pub fn inspect_folder(folder: &Path) -> Result<Inspection, InspectError> {
    let mut documents = Documents::default();
    for (index, path) in DOCUMENTS.into_iter().enumerate() {
        let at = folder.join(path);
        let mut bytes = Vec::new();
        let limit = limit(index);
        let read =
            std::fs::File::open(&at).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
        match read {
            Ok(_) if bytes.len() as u64 > limit => {
                return Err(InspectError::TooLarge { path, limit });
            }
            Ok(_) => {
                if let Some(document) = documents.get_mut(index) {
                    *document = Some(bytes);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(InspectError::Folder { path: at, source }),
        }
    }
    read_inspection(&documents)
}

fn limit(index: usize) -> u64 {
    DOCUMENT_LIMITS.get(index).copied().unwrap_or(0)
}

pub(crate) fn read_inspection(documents: &Documents) -> Result<Inspection, InspectError> {
    let manifest = documents[0].as_deref().ok_or(InspectError::NoManifest)?;
    let manifest = Manifest::parse(manifest)?;
    let provenance = documents[3]
        .as_deref()
        .and_then(|bytes| ProvenanceSummary::parse(bytes).ok());
    let builder_id = provenance.as_ref().map(|found| found.builder_id.clone());
    Ok(Inspection {
        status: NOT_VERIFIED,
        summary: Summary::new(&manifest, builder_id),
        named_key: named_key(documents),
        sealing: provenance.as_ref().and_then(|found| found.sealing.clone()),
        exporter_version: provenance.and_then(|found| found.exporter_version),
        manifest,
    })
}

#[cfg(test)]
#[path = "inspect_tests.rs"]
mod tests;
