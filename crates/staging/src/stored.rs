//! The stored side of a part: compressed frames, in order, into one object.

use std::sync::Arc;

use bytes::Bytes;
use export_lifecycle::PhaseError;
use export_model::{ObjectKey, Sha256Digest};
use export_ports::{Ports, Upload};
use export_sealing::Sealer;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::frame_pool::{Buffers, FramePool, PendingFrame};
use crate::seal::failed;

/// Bytes an upload's part: S3's least.
const UPLOAD_PART: usize = 5 << 20;

/// An object that is written, but has not appeared.
pub struct Staged {
    upload: Option<Box<dyn Upload>>,
    /// Size of what is stored.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: Sha256Digest,
}

impl Staged {
    /// Makes the object appear; false when there was nothing to write.
    ///
    /// # Errors
    /// The objects port's.
    pub async fn complete(self) -> Result<bool, PhaseError> {
        match self.upload {
            None => Ok(false),
            Some(upload) => {
                upload.complete().await?;
                Ok(true)
            }
        }
    }

    /// Forgets what was written.
    pub async fn abort(self) {
        if let Some(upload) = self.upload {
            abort(upload).await;
        }
    }
}

/// A part of an upload; its buffer goes back when whoever stores it is done with it.
struct UploadPart {
    bytes: Vec<u8>,
    buffers: Buffers,
}

impl AsRef<[u8]> for UploadPart {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for UploadPart {
    fn drop(&mut self) {
        self.buffers.give(std::mem::take(&mut self.bytes));
    }
}

/// Writes frames until there are no more, through `sealer` where there is one.
///
/// # Errors
/// The objects port's, and those of a frame that could not be compressed.
pub async fn write(
    ports: Ports,
    pool: Arc<FramePool>,
    key: ObjectKey,
    mut frames: mpsc::Receiver<PendingFrame>,
    sealer: Option<Sealer>,
) -> Result<Staged, PhaseError> {
    let mut upload: Option<Box<dyn Upload>> = None;
    match write_frames(&ports, &pool, &key, &mut frames, sealer, &mut upload).await {
        Ok((size, sha256)) => Ok(Staged {
            upload,
            size,
            sha256,
        }),
        Err(error) => {
            if let Some(upload) = upload {
                abort(upload).await;
            }
            Err(error)
        }
    }
}

async fn write_frames(
    ports: &Ports,
    pool: &FramePool,
    key: &ObjectKey,
    frames: &mut mpsc::Receiver<PendingFrame>,
    mut sealer: Option<Sealer>,
    upload: &mut Option<Box<dyn Upload>>,
) -> Result<(u64, Sha256Digest), PhaseError> {
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut part = pool.uploads.take(UPLOAD_PART);
    while let Some(pending) = frames.recv().await {
        let frame = pending.compressed().await?;
        let before = part.len();
        match &mut sealer {
            None => part.extend_from_slice(&frame),
            Some(sealer) => sealer
                .update(&frame, &mut part)
                .map_err(|error| failed(key.as_str(), &error))?,
        }
        pool.compressed.give(frame);
        let stored = part.get(before..).unwrap_or_default();
        hash.update(stored);
        size += stored.len() as u64;
        if part.len() >= UPLOAD_PART {
            send(ports, pool, key, upload, part).await?;
            part = pool.uploads.take(UPLOAD_PART);
        }
    }
    // A file that is empty before it is sealed is none at all.
    if let Some(sealer) = sealer.filter(|_| size > 0 || !part.is_empty()) {
        let before = part.len();
        sealer
            .finish(&mut part)
            .map_err(|error| failed(key.as_str(), &error))?;
        let stored = part.get(before..).unwrap_or_default();
        hash.update(stored);
        size += stored.len() as u64;
    }
    if part.is_empty() {
        pool.uploads.give(part);
    } else {
        send(ports, pool, key, upload, part).await?;
    }
    Ok((size, Sha256Digest(hash.finalize().into())))
}

async fn send(
    ports: &Ports,
    pool: &FramePool,
    key: &ObjectKey,
    upload: &mut Option<Box<dyn Upload>>,
    bytes: Vec<u8>,
) -> Result<(), PhaseError> {
    let open = match upload {
        Some(open) => open,
        None => upload.insert(ports.objects.upload(key).await?),
    };
    let part = UploadPart {
        bytes,
        buffers: pool.uploads.clone(),
    };
    Ok(open.part(Bytes::from_owner(part)).await?)
}

async fn abort(upload: Box<dyn Upload>) {
    if let Err(error) = upload.abort().await {
        tracing::warn!(%error, "an upload is left to the next sweep");
    }
}
