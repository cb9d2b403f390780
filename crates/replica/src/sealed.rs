//! What a sealed bundle says of itself to those who can open it.

use std::io::Read;
use std::sync::Arc;

use export_bundle::archive::ArchiveReader;
use export_bundle::manifest::{ContentDocument, MAX_MANIFEST_BYTES, Manifest};
use export_bundle::provenance::ProvenanceSummary;
use export_bundle::verify::{SealedAs, SignedDocuments, Unseal};
use export_model::{ErrorCode, Sha256Digest};
use export_sealing::{Keyring, OpenError, OpenErrorKind, Opener};

use crate::error::Error;
use crate::payload::failed;

/// The most that sealing adds to a document.
const SEALED_MORE: u64 = 1 << 20;

/// What opens the payload of a bundle, and its whole manifest.
pub(crate) struct Contents {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) keys: Option<Arc<Keyring>>,
}

/// The whole manifest of a bundle whose documents were read: of a sealed one, out of the member that
/// comes first.
pub(crate) fn contents<R: Read>(
    archive: &mut ArchiveReader<R>,
    signed: &SignedDocuments,
    unseal: Option<&dyn Unseal>,
) -> Result<Contents, Error> {
    let outer = &signed.manifest;
    let Some(sealed) = &outer.sealed else {
        return Ok(Contents {
            manifest: Arc::clone(outer),
            keys: None,
        });
    };
    let path = &sealed.content;
    let closed = |why: String| Error::Open {
        path: path.clone(),
        code: ErrorCode::WrongIdentity,
        source: why.into(),
    };
    let unseal = unseal.ok_or_else(|| {
        closed("the bundle is sealed, and no identity was given to open it with".to_owned())
    })?;
    let [_, _, _, provenance, _] = &signed.documents;
    let how = ProvenanceSummary::parse(provenance).ok();
    let sealed = SealedAs {
        mode: sealed.mode.clone(),
        run: outer.run.id.clone(),
        tenant: outer.run.tenant.clone(),
        how: how.and_then(|found| found.sealing).unwrap_or_default(),
    };
    let keys = Arc::new(unseal.keyring(&sealed).map_err(closed)?);
    let bytes = member(archive, outer, path)?;
    let mut opened = Vec::new();
    let mut opener = Opener::new(Arc::clone(&keys), path.as_str());
    opener
        .update(&bytes, &mut opened)
        .and_then(|()| opener.finish(&mut opened))
        .map_err(|error| not_opened(&error))?;
    let document = ContentDocument::parse(&opened, outer).map_err(|what| Error::Altered {
        path: path.clone(),
        what: format!("cannot be used: {what}"),
    })?;
    Ok(Contents {
        manifest: Arc::new(document.manifest),
        keys: Some(keys),
    })
}

/// A file that does not open.
pub(crate) fn not_opened(error: &OpenError) -> Error {
    let code = match error.kind {
        OpenErrorKind::NoKey { .. } | OpenErrorKind::WrongKey { .. } => ErrorCode::WrongIdentity,
        _ => ErrorCode::Altered,
    };
    Error::Open {
        path: error.path.clone(),
        code,
        source: error.kind.to_string().into(),
    }
}

/// The stored bytes of the first member.
fn member<R: Read>(
    archive: &mut ArchiveReader<R>,
    manifest: &Manifest,
    path: &str,
) -> Result<Vec<u8>, Error> {
    let altered = |what: String| Error::Altered {
        path: path.to_owned(),
        what,
    };
    let (_, file) = manifest
        .file(path)
        .ok_or(Error::Internal("a sealed manifest lists its document"))?;
    let found = archive.next_member().map_err(failed)?;
    let Some(found) = found.filter(|found| found.path == path) else {
        return Err(Error::Incomplete {
            what: format!("`{path}` is missing, or out of order"),
        });
    };
    if found.size != file.size || file.size > MAX_MANIFEST_BYTES as u64 + SEALED_MORE {
        return Err(altered(format!("has {} bytes", found.size)));
    }
    let mut bytes = Vec::new();
    while let Some(block) = archive.read().map_err(failed)? {
        bytes.extend_from_slice(block);
    }
    if Sha256Digest::of(&bytes) != file.sha256 {
        return Err(altered("is not what was signed".to_owned()));
    }
    Ok(bytes)
}
