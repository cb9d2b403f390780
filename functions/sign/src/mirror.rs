//! What belongs to a mirror's payload but to no single part.

use bytes::Bytes;
use export_bundle::manifest::MEDIA_TYPE_TAR;
use export_bundle::payload::{DELTA, MANIFESTS_LAYER, TREE};
use export_lifecycle::PhaseError;
use export_mirror::delta::DeltaFile;
use export_mirror::layer::{END, header, padding};
use export_mirror::listing::{Tally, manifest_file, manifest_path};
use export_model::{AssembledFile, ErrorCode, MirrorBase, MirrorTree, Sha256Digest};
use sha2::{Digest as _, Sha256};

use crate::payload::{
    Compressed, Making, PayloadFile, assembled_file, document_file, internal, key,
};

/// Bytes that are read of the list at once.
const READ: u64 = 8 << 20;
/// Least bytes of an upload's part but the last (S3).
const UPLOAD_PART: usize = 5 << 20;

/// The files of a mirror; none of another run.
pub(crate) async fn files(making: &Making<'_>) -> Result<Vec<PayloadFile>, PhaseError> {
    let run = making.run;
    if !run.profile.kind.is_mirror() {
        return Ok(Vec::new());
    }
    let Some(tree) = &run.tree else {
        let detail = format!("mirror {} was planned without a tree", run.key.run);
        return Err(PhaseError::permanent(ErrorCode::Internal, detail));
    };
    match &run.base {
        None => full(making, tree).await,
        Some(base) => delta(making, tree, base).await,
    }
}

async fn full(making: &Making<'_>, tree: &MirrorTree) -> Result<Vec<PayloadFile>, PhaseError> {
    let mut layer = Compressed::new(making, MANIFESTS_LAYER)?;
    for tally in &tree.tallies {
        let bytes = manifest_file(
            tally.kind,
            &Tally {
                documents: tally.documents,
                bytes: tally.bytes,
                digest: tally.digest,
            },
        );
        let size = bytes.len() as u64;
        let header = header(&manifest_path(tally.kind), size)
            .map_err(|error| internal("writing a layer", error))?;
        for bytes in [&header[..], &bytes, padding(size)] {
            layer.write(bytes).await?;
        }
    }
    layer.write(&END).await?;
    let mut files = vec![layer.finish(MEDIA_TYPE_TAR).await?];
    if let Some(listing) = &tree.listing {
        files.push(if making.seal.is_sealed() {
            sealed_copy(making, listing).await?
        } else {
            assembled_file(listing)
        });
    }
    Ok(files)
}

/// Seals a copy of the list of the tree. The list itself is not carried: deltas are planned with it.
async fn sealed_copy(
    making: &Making<'_>,
    listing: &AssembledFile,
) -> Result<PayloadFile, PhaseError> {
    let path = making.seal.path(TREE);
    let object = key(making.run, making.held, &path)?;
    let mut sealer = making.seal.sealer(&path)?;
    let mut upload = making.ports.objects.upload(&object).await?;
    let (mut read, mut hash, mut size) = (0, Sha256::new(), 0);
    let mut original = Sha256::new();
    let mut part = Vec::new();
    loop {
        let end = listing.size.min(read + READ);
        let bytes = match read < end {
            true => {
                making
                    .ports
                    .objects
                    .read(&listing.object, read..end)
                    .await?
            }
            false => Bytes::new(),
        };
        read += bytes.len() as u64;
        original.update(&bytes);
        let before = part.len();
        let sealed = match (&mut sealer, bytes.is_empty()) {
            (Some(sealer), false) => sealer.update(&bytes, &mut part),
            (last, _) => last
                .take()
                .map_or(Ok(()), |sealer| sealer.finish(&mut part)),
        };
        sealed.map_err(|error| internal("sealing the list of the tree", error))?;
        let stored = part.get(before..).unwrap_or_default();
        hash.update(stored);
        size += stored.len() as u64;
        if part.len() >= UPLOAD_PART || bytes.is_empty() {
            upload.part(Bytes::from(std::mem::take(&mut part))).await?;
        }
        if bytes.is_empty() {
            break;
        }
    }
    if Sha256Digest(original.finalize().into()) != listing.sha256 {
        upload.abort().await?;
        let detail = format!("{} is not what was written", listing.object);
        return Err(PhaseError::permanent(ErrorCode::Storage, detail));
    }
    upload.complete().await?;
    let copy = AssembledFile {
        path,
        object,
        size,
        sha256: Sha256Digest(hash.finalize().into()),
        ..listing.clone()
    };
    Ok(assembled_file(&copy))
}

async fn delta(
    making: &Making<'_>,
    tree: &MirrorTree,
    base: &MirrorBase,
) -> Result<Vec<PayloadFile>, PhaseError> {
    let delta = DeltaFile {
        base_tree_digest: base.tree_digest,
        result_tree_digest: tree.digest,
    };
    let delta = document_file(making, DELTA, delta.to_bytes()).await?;
    let changes = tree.changes.as_ref().map(assembled_file);
    Ok(std::iter::once(delta).chain(changes).collect())
}
