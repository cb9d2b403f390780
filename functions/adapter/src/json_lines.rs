//! JSON lines: one record a line, in frames.

use export_bundle::frames::FRAME_BYTES;
use export_bundle::payload::snapshot::TraceFingerprint;
use export_canonical::record::member_path;
use export_digest::ContentHasher;
use export_lifecycle::PhaseError;
use export_model::{ErrorCode, Sha256Digest};
use tokio::sync::mpsc;

use crate::frame_pool::{FramePool, PendingFrame};

/// What a finished file's content is.
pub(crate) struct Content {
    pub(crate) size: u64,
    pub(crate) sha256: Sha256Digest,
    pub(crate) records: u64,
    pub(crate) range: Option<(String, String)>,
}

/// A file of JSON lines being written: cuts the content into frames and gives them to the pool.
pub(crate) struct JsonLines<'a> {
    pool: &'a FramePool,
    level: i32,
    frames: mpsc::Sender<PendingFrame>,
    frame: Vec<u8>,
    hash: ContentHasher,
    size: u64,
    records: u64,
    first: Option<String>,
    last: String,
}

impl<'a> JsonLines<'a> {
    pub(crate) fn new(pool: &'a FramePool, level: i32, frames: mpsc::Sender<PendingFrame>) -> Self {
        Self {
            pool,
            level,
            frames,
            frame: pool.buffer(),
            hash: ContentHasher::new(),
            size: 0,
            records: 0,
            first: None,
            last: String::new(),
        }
    }

    /// Writes a record as the next line; gives the record's digest.
    pub(crate) fn record(&mut self, id: &str, bytes: &[u8]) -> Result<Sha256Digest, PhaseError> {
        if self.first.is_none() {
            self.first = Some(id.to_owned());
        }
        self.last.clear();
        self.last.push_str(id);
        self.records += 1;
        let digest = self.hash.update_with_digest(bytes);
        self.write(bytes)?;
        self.hash.update(b"\n");
        self.write(b"\n")?;
        Ok(Sha256Digest(digest))
    }

    /// Ends the file.
    pub(crate) fn finish(mut self) -> Result<Content, PhaseError> {
        self.flush()?;
        Ok(Content {
            size: self.size,
            sha256: Sha256Digest(self.hash.finalize()),
            records: self.records,
            range: self.first.map(|first| (first, self.last)),
        })
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), PhaseError> {
        while !bytes.is_empty() {
            let room = FRAME_BYTES - self.frame.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.frame.extend_from_slice(now);
            bytes = later;
            if self.frame.len() == FRAME_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), PhaseError> {
        if self.frame.is_empty() {
            return Ok(());
        }
        let frame = std::mem::take(&mut self.frame);
        self.size += frame.len() as u64;
        let pending = self.pool.submit(frame, self.level);
        self.frame = self.pool.buffer();
        // The writer has stopped: it says why.
        self.frames
            .blocking_send(pending)
            .map_err(|_| PhaseError::Superseded)
    }
}

/// The line that a finding gives to its snapshot's fingerprint: `_id NUL sha256(JCS(decision_trace))
/// LF`.
pub(crate) fn trace_line(id: &str, record: &[u8], lines: &mut Vec<u8>) -> Result<(), PhaseError> {
    let refused = |why: String| {
        PhaseError::permanent(
            ErrorCode::InvalidRecord,
            format!("the decision_trace of finding {id} has no canonical form: {why}"),
        )
    };
    let trace = member_path(record, &["decision_trace"])
        .ok_or_else(|| refused("there is none".to_owned()))?;
    let digest = TraceFingerprint::trace_digest(trace).map_err(|e| refused(e.to_string()))?;
    lines.extend_from_slice(id.as_bytes());
    lines.push(0);
    lines.extend_from_slice(digest.hex().as_bytes());
    lines.push(b'\n');
    Ok(())
}
