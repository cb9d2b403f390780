//! Storing what was made, under the lease.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use export_bundle::frames::{FRAME_BYTES, FrameCompressor};
use export_lifecycle::{Held, PhaseError};
use export_model::{AssembledCompression, AssembledFile, ErrorCode, ObjectKey, Run, Sha256Digest};
use export_ports::{Ports, Upload};
use export_sealing::Sealer;
use export_staging::Seal;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::build::Made;
use super::{Watch, blocking};
use crate::scratch::{Scratch, failed};

/// Bytes of an upload's part but the last.
const UPLOAD_PART: usize = FRAME_BYTES;
/// The least that S3 takes.
const LEAST_PART: usize = 5 << 20;

/// Stores a file, and says what it is; scratch has its space back.
pub(super) async fn store(
    ports: &Ports,
    held: &Held,
    (run, seal): (&Run, &Seal),
    scratch: &Arc<Scratch>,
    made: Made,
    watch: &mut Watch<'_>,
) -> Result<AssembledFile, PhaseError> {
    let path = seal.path(&made.path);
    let sealer = seal.sealer(&path)?;
    let object = ObjectKey::new(&run.key, held.token(), &path)
        .map_err(|e| PhaseError::permanent(ErrorCode::Internal, e.to_string()))?;
    let (send, mut pieces) = mpsc::channel(1);
    let (kept, file) = (Arc::clone(scratch), made.file);
    let level = match made.compression {
        Some(AssembledCompression::Zstd { level }) => Some(level),
        Some(AssembledCompression::Gzip { .. }) | None => None,
    };
    let reading = tokio::spawn(blocking(move || {
        let _kept = kept;
        read(&file, level, made.made, &send)
    }));
    let uploaded = upload(ports, &object, &mut pieces, sealer, watch).await;
    // Whoever reads sees that nobody listens.
    drop(pieces);
    let read = reading.await.unwrap_or_else(|stopped| {
        let detail = format!("reading from scratch stopped: {stopped}");
        Err(PhaseError::permanent(ErrorCode::Internal, detail))
    });
    let (upload, size, sha256) = match (uploaded, read) {
        (Ok(uploaded), Ok(())) => uploaded,
        (Ok((upload, ..)), Err(error)) => {
            abort(upload).await;
            return Err(error);
        }
        (Err(error), _) => return Err(error),
    };
    upload.complete().await?;
    let (content_size, content_sha256) = made.content;
    Ok(AssembledFile {
        path,
        object,
        size,
        sha256,
        content_size,
        content_sha256,
        media_type: made.media_type.to_owned(),
        compression: made.compression,
    })
}

type Uploaded = (Box<dyn Upload>, u64, Sha256Digest);

async fn upload(
    ports: &Ports,
    object: &ObjectKey,
    pieces: &mut mpsc::Receiver<Bytes>,
    mut sealer: Option<Sealer>,
    watch: &mut Watch<'_>,
) -> Result<Uploaded, PhaseError> {
    let mut upload = ports.objects.upload(object).await?;
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut sealed = Vec::new();
    loop {
        let piece = pieces.recv().await;
        let is_last = piece.is_none();
        let bytes = match (piece, &mut sealer) {
            (Some(bytes), None) => bytes,
            (None, None) => break,
            (piece, Some(_)) => {
                let done = match (piece, sealer.take()) {
                    (Some(bytes), Some(mut open)) => {
                        let done = open.update(&bytes, &mut sealed);
                        sealer = Some(open);
                        done
                    }
                    (_, Some(open)) => open.finish(&mut sealed),
                    (_, None) => Ok(()),
                };
                if let Err(error) = done {
                    abort(upload).await;
                    let detail = format!("sealing {object}: {error}");
                    return Err(PhaseError::permanent(ErrorCode::Internal, detail));
                }
                // What is held back must not make a part too small that is not the last.
                if sealed.len() < LEAST_PART && !is_last {
                    continue;
                }
                Bytes::from(std::mem::take(&mut sealed))
            }
        };
        hash.update(&bytes);
        size += bytes.len() as u64;
        let sent = match watch.look().await {
            Ok(()) => upload.part(bytes).await.map_err(PhaseError::from),
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            abort(upload).await;
            return Err(error);
        }
    }
    Ok((upload, size, Sha256Digest(hash.finalize().into())))
}

async fn abort(upload: Box<dyn Upload>) {
    if let Err(error) = upload.abort().await {
        tracing::warn!(%error, "an upload is left to the next sweep");
    }
}

/// Reads a file, compresses it in frames where there is a level, hands it on in parts of an upload, and
/// removes it when it is read. It must be what was made.
fn read(
    path: &Path,
    level: Option<i32>,
    (size, sha256): (u64, Sha256Digest),
    pieces: &mpsc::Sender<Bytes>,
) -> Result<(), PhaseError> {
    let compressing =
        |e: std::io::Error| PhaseError::permanent(ErrorCode::Internal, format!("compressing: {e}"));
    let mut compressor = level
        .map(FrameCompressor::new)
        .transpose()
        .map_err(compressing)?;
    let mut file = File::open(path).map_err(|error| failed("opening", path, error))?;
    let (mut read, mut hash) = (0, Sha256::new());
    let (mut frame, mut part) = (Vec::with_capacity(FRAME_BYTES), Vec::new());
    loop {
        frame.clear();
        (&mut file)
            .take(FRAME_BYTES as u64)
            .read_to_end(&mut frame)
            .map_err(|error| failed("reading", path, error))?;
        hash.update(&frame);
        match &mut compressor {
            // A file without lines is one empty frame, so that it still is a zstd file.
            Some(compressor) if !frame.is_empty() || read == 0 => {
                compressor
                    .compress(&frame, &mut part)
                    .map_err(compressing)?;
            }
            Some(_) => {}
            None => part.extend_from_slice(&frame),
        }
        read += frame.len() as u64;
        let is_last = frame.is_empty();
        if part.len() >= UPLOAD_PART || is_last && !part.is_empty() {
            let part = Bytes::from(std::mem::take(&mut part));
            if pieces.blocking_send(part).is_err() {
                return Err(PhaseError::Superseded);
            }
        }
        if is_last {
            break;
        }
    }
    let digest = Sha256Digest(hash.finalize().into());
    if (read, digest) != (size, sha256) {
        let detail = format!(
            "{} has {read} bytes and the digest {digest}, but {size} and {sha256} were written",
            path.display()
        );
        return Err(PhaseError::permanent(ErrorCode::Storage, detail));
    }
    std::fs::remove_file(path).map_err(|error| failed("removing", path, error))
}
