//! What belongs to a mirror's payload but to no single part.

use export_bundle::manifest::MEDIA_TYPE_TAR;
use export_bundle::payload::{DELTA, MANIFESTS_LAYER};
use export_lifecycle::{Held, PhaseError};
use export_mirror::delta::DeltaFile;
use export_mirror::layer::{END, header, padding};
use export_mirror::listing::{Tally, manifest_file, manifest_path};
use export_model::{ErrorCode, MirrorBase, MirrorTree, Run};
use export_ports::Ports;

use crate::payload::{Compressed, PayloadFile, assembled_file, document_file, internal};

/// The files of a mirror; none of another run.
pub(crate) async fn files(
    ports: &Ports,
    held: &Held,
    run: &Run,
) -> Result<Vec<PayloadFile>, PhaseError> {
    if !run.profile.kind.is_mirror() {
        return Ok(Vec::new());
    }
    let Some(tree) = &run.tree else {
        let detail = format!("mirror {} was planned without a tree", run.key.run);
        return Err(PhaseError::permanent(ErrorCode::Internal, detail));
    };
    match &run.base {
        None => full(ports, held, run, tree).await,
        Some(base) => delta(ports, held, run, tree, base).await,
    }
}

async fn full(
    ports: &Ports,
    held: &Held,
    run: &Run,
    tree: &MirrorTree,
) -> Result<Vec<PayloadFile>, PhaseError> {
    let mut layer = Compressed::new(ports, held, run, MANIFESTS_LAYER)?;
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
    files.extend(tree.listing.as_ref().map(assembled_file));
    Ok(files)
}

async fn delta(
    ports: &Ports,
    held: &Held,
    run: &Run,
    tree: &MirrorTree,
    base: &MirrorBase,
) -> Result<Vec<PayloadFile>, PhaseError> {
    let delta = DeltaFile {
        base_tree_digest: base.tree_digest,
        result_tree_digest: tree.digest,
    };
    let delta = document_file(ports, held, run, DELTA, delta.to_bytes()).await?;
    let changes = tree.changes.as_ref().map(assembled_file);
    Ok(std::iter::once(delta).chain(changes).collect())
}
