//! Fetching run files to scratch.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use export_lifecycle::PhaseError;
use export_model::{ErrorCode, Sha256Digest, StagedFile};
use export_ports::Ports;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::{Watch, blocking};
use crate::scratch::{Scratch, failed};

/// Bytes that are read of an object at once.
const READ: u64 = 8 << 20;

/// A run file at hand.
pub(super) struct RunAt {
    pub(super) path: PathBuf,
    /// Where it lies on staging, and nobody has looked yet whether it is what was written: what it must be.
    pub(super) unread: Option<StagedFile>,
}

/// Fetches what parts were staged as, in their order; gives the files.
pub(super) async fn fetch(
    ports: &Ports,
    parts: &[StagedFile],
    scratch: &Arc<Scratch>,
    watch: &mut Watch<'_>,
) -> Result<Vec<PathBuf>, PhaseError> {
    let mut files = Vec::with_capacity(parts.len());
    for (index, part) in parts.iter().enumerate() {
        let path = scratch.path().join(format!("part-{index:05}"));
        one(ports, part, path.clone(), scratch, watch).await?;
        files.push(path);
    }
    Ok(files)
}

/// The same, without fetching what lies on this machine: whoever reads it compares its digest.
pub(super) async fn at_hand(
    ports: &Ports,
    parts: &[StagedFile],
    scratch: &Arc<Scratch>,
    watch: &mut Watch<'_>,
) -> Result<Vec<RunAt>, PhaseError> {
    let mut runs = Vec::with_capacity(parts.len());
    for (index, part) in parts.iter().enumerate() {
        runs.push(match ports.objects.file(&part.object) {
            Some(path) => RunAt {
                path,
                unread: Some(part.clone()),
            },
            None => {
                let path = scratch.path().join(format!("part-{index:05}"));
                one(ports, part, path.clone(), scratch, watch).await?;
                RunAt { path, unread: None }
            }
        });
    }
    Ok(runs)
}

async fn one(
    ports: &Ports,
    part: &StagedFile,
    path: PathBuf,
    scratch: &Arc<Scratch>,
    watch: &mut Watch<'_>,
) -> Result<(), PhaseError> {
    let (send, pieces) = mpsc::channel(1);
    // The directory stays for as long as anybody writes into it.
    let kept = Arc::clone(scratch);
    let writing = tokio::spawn(blocking(move || {
        let _kept = kept;
        write(path, pieces)
    }));
    let read = read(ports, part, send, watch).await;
    let written = writing.await.unwrap_or_else(|stopped| {
        let detail = format!("writing to scratch stopped: {stopped}");
        Err(PhaseError::permanent(ErrorCode::Internal, detail))
    });
    let sha256 = match (read, written) {
        // Where writing failed, reading only says that nobody listened.
        (_, Err(error)) | (Err(error), _) => return Err(error),
        (Ok(()), Ok(sha256)) => sha256,
    };
    if sha256 == part.sha256 {
        return Ok(());
    }
    let detail = format!(
        "{} has the digest {sha256}, but {} was written",
        part.object, part.sha256
    );
    Err(PhaseError::permanent(ErrorCode::Storage, detail))
}

async fn read(
    ports: &Ports,
    part: &StagedFile,
    pieces: mpsc::Sender<Bytes>,
    watch: &mut Watch<'_>,
) -> Result<(), PhaseError> {
    let mut offset = 0;
    while offset < part.size {
        watch.look().await?;
        let end = part.size.min(offset + READ);
        let bytes = ports.objects.read(&part.object, offset..end).await?;
        if bytes.is_empty() {
            let detail = format!("{} ends after {offset} bytes", part.object);
            return Err(PhaseError::permanent(ErrorCode::Storage, detail));
        }
        offset += bytes.len() as u64;
        watch.fetched += bytes.len() as u64;
        if pieces.send(bytes).await.is_err() {
            return Err(PhaseError::Superseded);
        }
    }
    Ok(())
}

fn write(path: PathBuf, mut pieces: mpsc::Receiver<Bytes>) -> Result<Sha256Digest, PhaseError> {
    let mut hash = Sha256::new();
    let mut file = File::create_new(&path).map_err(|error| failed("creating", &path, error))?;
    while let Some(bytes) = pieces.blocking_recv() {
        hash.update(&bytes);
        file.write_all(&bytes)
            .map_err(|error| failed("writing", &path, error))?;
    }
    Ok(Sha256Digest(hash.finalize().into()))
}
