//! The stored side of a part: compressed frames, in order, into one object.

use bytes::Bytes;
use export_lifecycle::PhaseError;
use export_model::{ObjectKey, Sha256Digest};
use export_ports::{Ports, Upload};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::frame_pool::PendingFrame;

/// Bytes an upload's part: above S3's least of 5 MiB.
const UPLOAD_PART: usize = 8 << 20;

/// An object that is written, but has not appeared.
pub(crate) struct Staged {
    upload: Option<Box<dyn Upload>>,
    pub(crate) size: u64,
    pub(crate) sha256: Sha256Digest,
}

impl Staged {
    /// Makes the object appear; false when there was nothing to write.
    pub(crate) async fn complete(self) -> Result<bool, PhaseError> {
        match self.upload {
            None => Ok(false),
            Some(upload) => {
                upload.complete().await?;
                Ok(true)
            }
        }
    }

    /// Forgets what was written.
    pub(crate) async fn abort(self) {
        if let Some(upload) = self.upload {
            abort(upload).await;
        }
    }
}

/// Writes frames until there are no more.
pub(crate) async fn write(
    ports: Ports,
    key: ObjectKey,
    mut frames: mpsc::Receiver<PendingFrame>,
) -> Result<Staged, PhaseError> {
    let mut upload: Option<Box<dyn Upload>> = None;
    match write_frames(&ports, &key, &mut frames, &mut upload).await {
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
    key: &ObjectKey,
    frames: &mut mpsc::Receiver<PendingFrame>,
    upload: &mut Option<Box<dyn Upload>>,
) -> Result<(u64, Sha256Digest), PhaseError> {
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut part = Vec::new();
    while let Some(pending) = frames.recv().await {
        let frame = pending.compressed().await?;
        hash.update(&frame);
        size += frame.len() as u64;
        if part.is_empty() {
            part = frame;
        } else {
            part.extend_from_slice(&frame);
        }
        if part.len() >= UPLOAD_PART {
            send(ports, key, upload, std::mem::take(&mut part)).await?;
        }
    }
    if !part.is_empty() {
        send(ports, key, upload, part).await?;
    }
    Ok((size, Sha256Digest(hash.finalize().into())))
}

async fn send(
    ports: &Ports,
    key: &ObjectKey,
    upload: &mut Option<Box<dyn Upload>>,
    part: Vec<u8>,
) -> Result<(), PhaseError> {
    let open = match upload {
        Some(open) => open,
        None => upload.insert(ports.objects.upload(key).await?),
    };
    Ok(open.part(Bytes::from(part)).await?)
}

async fn abort(upload: Box<dyn Upload>) {
    if let Err(error) = upload.abort().await {
        tracing::warn!(%error, "an upload is left to the next sweep");
    }
}
