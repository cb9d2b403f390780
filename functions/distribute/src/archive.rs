//! The archive: every member of the published set as one object, hashed as it is written.
//!
//! Where each byte comes from is a function of the members' names and sizes, so writing can stop
//! after any part of the upload and go on from its checkpoint in another process.

use bytes::Bytes;
use export_bundle::archive::{ArchiveLayout, Segment};
use export_lifecycle::{Budget, Held, PhaseError};
use export_model::{Archive, ErrorCode, ObjectKey, Published, Run, Sha256Digest};
use export_ports::{PortErrorKind, Ports, Upload, UploadState};
use serde::{Deserialize, Serialize};
use sha2::digest::common::hazmat::SerializableState;
use sha2::{Digest, Sha256};

/// Bytes that are read from a member at once.
const READ: u64 = 1 << 20;
/// Least bytes of an upload's part but the last, and most parts that an upload may have, with some
/// to spare (S3).
const LEAST_PART: u64 = 5 << 20;
const MOST_PARTS: u64 = 9_000;

/// Where an archive stopped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    /// The unfinished upload.
    upload: UploadState,
    /// Bytes in its parts.
    offset: u64,
    /// State of the digest over them (sha2's serialised state, as hexadecimal digits).
    sha256_state: String,
}

/// How far an archive came.
pub(crate) enum Progress {
    /// It is there.
    Done(Archive),
    /// The time was over.
    Stopped(Box<Checkpoint>),
}

fn internal(what: &str, error: impl std::fmt::Display) -> PhaseError {
    PhaseError::permanent(ErrorCode::Internal, format!("{what}: {error}"))
}

struct Writer<'a> {
    ports: &'a Ports,
    upload: Box<dyn Upload>,
    hash: Sha256,
    offset: u64,
    part: Vec<u8>,
    part_size: usize,
}

impl Writer<'_> {
    fn push(&mut self, bytes: &[u8]) {
        self.part.extend_from_slice(bytes);
    }

    async fn send(&mut self) -> Result<(), PhaseError> {
        if self.part.is_empty() {
            return Ok(());
        }
        let next = Vec::with_capacity(self.part.capacity());
        let part = Bytes::from(std::mem::replace(&mut self.part, next));
        self.hash.update(&part);
        self.offset += part.len() as u64;
        Ok(self.upload.part(part).await?)
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            upload: self.upload.state(),
            offset: self.offset,
            sha256_state: hex::encode(SerializableState::serialize(&self.hash)),
        }
    }
}

/// Writes the archive, from `checkpoint` on where there is one.
pub(crate) async fn write(
    ports: &Ports,
    held: &Held,
    run: &Run,
    published: &Published,
    checkpoint: Option<Checkpoint>,
    budget: Budget,
) -> Result<Progress, PhaseError> {
    let sizes: Vec<(&str, u64)> = published
        .members
        .iter()
        .map(|(path, _, size)| (path.as_str(), *size))
        .collect();
    let layout = ArchiveLayout::new(&sizes).map_err(|e| internal("laying out the archive", e))?;
    let object = match &checkpoint {
        Some(checkpoint) => checkpoint.upload.key.clone(),
        None => ObjectKey::new(&run.key, held.token(), "bundle.tar")
            .map_err(|e| internal("naming the archive", e))?,
    };
    let part_size = layout.total_size().div_ceil(MOST_PARTS).max(LEAST_PART);
    let part_size = usize::try_from(part_size).unwrap_or(usize::MAX);
    let mut writer = open(ports, &object, checkpoint, part_size).await?;
    for segment in layout.segments_from(writer.offset) {
        match segment {
            Segment::Header(bytes) => writer.push(&bytes),
            Segment::Zeros(count) => writer.push(&vec![0; count]),
            Segment::Member { index, range } => {
                let (path, key, _) = &published.members[index];
                let mut at = range.start;
                while at < range.end {
                    let wanted = at..range.end.min(at + READ);
                    let bytes = writer.ports.objects.read(key, wanted).await?;
                    if bytes.is_empty() {
                        return Err(internal(
                            "writing the archive",
                            format!("{path} ends early"),
                        ));
                    }
                    at += bytes.len() as u64;
                    writer.push(&bytes);
                    if writer.part.len() >= writer.part_size {
                        writer.send().await?;
                        if held.is_lost() {
                            return Err(PhaseError::Superseded);
                        }
                        if budget.is_spent(ports.clock.now()) {
                            return Ok(Progress::Stopped(Box::new(writer.checkpoint())));
                        }
                        wanted_still(ports, run).await?;
                    }
                }
            }
        }
    }
    writer.send().await?;
    let size = writer.offset;
    let sha256 = Sha256Digest(writer.hash.finalize().into());
    writer.upload.complete().await?;
    Ok(Progress::Done(Archive {
        object,
        size,
        sha256,
    }))
}

async fn open<'a>(
    ports: &'a Ports,
    object: &ObjectKey,
    checkpoint: Option<Checkpoint>,
    part_size: usize,
) -> Result<Writer<'a>, PhaseError> {
    let part = Vec::with_capacity(part_size.saturating_add(1 << 20));
    if let Some(checkpoint) = checkpoint {
        match ports.objects.resume(&checkpoint.upload).await {
            Ok(upload) => {
                let hash = restore(&checkpoint.sha256_state)?;
                return Ok(Writer {
                    ports,
                    upload,
                    hash,
                    offset: checkpoint.offset,
                    part,
                    part_size,
                });
            }
            // Forgotten: begin again.
            Err(error) if error.kind() == PortErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Writer {
        ports,
        upload: ports.objects.upload(object).await?,
        hash: Sha256::new(),
        offset: 0,
        part,
        part_size,
    })
}

fn restore(state: &str) -> Result<Sha256, PhaseError> {
    let damaged = || internal("going on with the archive", "its checkpoint is damaged");
    let bytes = hex::decode(state).map_err(|_| damaged())?;
    let state = bytes.as_slice().try_into().map_err(|_| damaged())?;
    <Sha256 as SerializableState>::deserialize(state).map_err(|_| damaged())
}

async fn wanted_still(ports: &Ports, run: &Run) -> Result<(), PhaseError> {
    match ports.state.run(&run.key).await? {
        Some(now) if now.status == export_model::RunStatus::Distributing => Ok(()),
        _ => Err(PhaseError::Superseded),
    }
}
