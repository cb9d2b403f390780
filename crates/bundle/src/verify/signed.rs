//! The five documents by themselves, judged before anything of the payload is looked at.
//!
//! Whoever decides by the manifest what to do with a payload needs it verified first, and has to go on
//! with the same stream: the documents are the first members of an archive, so one pass is enough.

use std::io::Read;
use std::sync::Arc;

use export_model::Sha256Digest;
use export_signing::Fingerprint;

use super::feed::give_up;
use super::report::Report;
use super::verifier::{Flow, Verifier};
use super::{Trust, VerifyError, VerifyOptions};
use crate::archive::ArchiveReader;
use crate::manifest::Manifest;
use crate::paths::DOCUMENTS;

/// Documents that a trusted key has signed and that belong together.
#[derive(Clone, Debug)]
pub struct SignedDocuments {
    /// Their bytes, in the order of [`DOCUMENTS`].
    pub documents: [Vec<u8>; 5],
    /// The first of them.
    pub manifest: Arc<Manifest>,
    /// The trusted key that signed.
    pub key: Fingerprint,
    /// Who built the bundle, as its provenance says.
    pub builder_id: Option<String>,
}

impl SignedDocuments {
    /// The digest of `export.json`, by which other bundles refer to this one.
    #[must_use]
    pub fn manifest_sha256(&self) -> Sha256Digest {
        let [export, ..] = &self.documents;
        Sha256Digest::of(export)
    }
}

/// Why there are no documents to rely on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignedError {
    /// The bundle cannot be read.
    #[error(transparent)]
    Read(#[from] VerifyError),
    /// They are not what they claim to be, or nobody vouches for them.
    #[error("the bundle is not verified")]
    Refused(Box<Report>),
}

/// Reads the documents at the beginning of an archive, and judges them. The next member of the archive
/// is then the first of the payload.
///
/// # Errors
/// When the archive cannot be read, does not begin with the documents, or they are not verified.
pub fn read_signed<R: Read>(
    archive: &mut ArchiveReader<R>,
    trust: &Trust,
) -> Result<SignedDocuments, SignedError> {
    let mut verifier = Verifier::new(trust, &VerifyOptions::default());
    for _ in DOCUMENTS {
        let member = match archive.next_member() {
            Ok(Some(member)) => member,
            Ok(None) => break,
            Err(error) => {
                give_up(&mut verifier, error)?;
                break;
            }
        };
        // One of the payload ends the documents too early; the verdict names those that are missing.
        if verifier.begin(&member.path, member.size) != Flow::Read
            || !DOCUMENTS.contains(&member.path.as_str())
        {
            break;
        }
        loop {
            match archive.read() {
                Ok(Some(bytes)) => verifier.data(bytes),
                Ok(None) => break,
                Err(error) => {
                    give_up(&mut verifier, error)?;
                    return Err(SignedError::Refused(Box::new(verifier.finish())));
                }
            }
        }
        verifier.end();
    }
    verifier.signed().map_err(SignedError::Refused)
}

/// Judges documents that were kept, in the order of [`DOCUMENTS`].
///
/// # Errors
/// What is wrong with them.
pub fn judge_signed(
    documents: [Vec<u8>; 5],
    trust: &Trust,
) -> Result<SignedDocuments, Box<Report>> {
    let mut verifier = Verifier::new(trust, &VerifyOptions::default());
    for (path, bytes) in DOCUMENTS.iter().zip(&documents) {
        if verifier.begin(path, bytes.len() as u64) == Flow::Read {
            verifier.data(bytes);
            verifier.end();
        }
    }
    verifier.signed()
}
