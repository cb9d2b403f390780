//! Content on its way to storage: cut into frames, which the pool compresses, or into pieces that are
//! stored as they are.

use export_bundle::frames::FRAME_BYTES;
use export_digest::ContentHasher;
use export_lifecycle::PhaseError;
use export_model::Sha256Digest;
use tokio::sync::mpsc;

use crate::frame_pool::{FramePool, PendingFrame};

/// Bytes of a piece of what is stored as it is.
const PIECE_BYTES: usize = 1 << 20;

/// Content being cut, of which somebody else keeps the digest: handed on frame by frame.
pub struct FrameWriter<'a> {
    pool: &'a FramePool,
    /// How it is compressed; none where it is not.
    level: Option<i32>,
    frames: mpsc::Sender<PendingFrame>,
    frame: Vec<u8>,
    size: u64,
}

impl<'a> FrameWriter<'a> {
    /// Content that goes through `pool` at `level` (as it is where there is none) to whoever takes
    /// frames.
    #[must_use]
    pub fn new(
        pool: &'a FramePool,
        level: Option<i32>,
        frames: mpsc::Sender<PendingFrame>,
    ) -> Self {
        Self {
            pool,
            level,
            frames,
            frame: Self::buffer(pool, level),
            size: 0,
        }
    }

    /// Writes `bytes`.
    ///
    /// # Errors
    /// `Superseded` when nobody stores frames any more; whoever did says why.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), PhaseError> {
        while !bytes.is_empty() {
            let room = self.most() - self.frame.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.frame.extend_from_slice(now);
            bytes = later;
            if self.frame.len() == self.most() {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Ends the content; gives its size.
    ///
    /// # Errors
    /// As [`FrameWriter::write`].
    pub fn finish(mut self) -> Result<u64, PhaseError> {
        self.flush()?;
        Ok(self.size)
    }

    /// Ends the content of a file that is compressed even where it is empty: that is one empty frame,
    /// so that it still is a zstd file.
    ///
    /// # Errors
    /// As [`FrameWriter::write`].
    pub fn finish_file(mut self) -> Result<u64, PhaseError> {
        if let (0, true, Some(level)) = (self.size, self.frame.is_empty(), self.level) {
            let empty = self.pool.submit(std::mem::take(&mut self.frame), level);
            self.frames
                .blocking_send(empty)
                .map_err(|_| PhaseError::Superseded)?;
        }
        self.finish()
    }

    /// What is stored as it is takes a buffer of those that come back when they are stored.
    fn buffer(pool: &FramePool, level: Option<i32>) -> Vec<u8> {
        match level {
            Some(_) => pool.buffer(),
            None => pool.compressed.take(PIECE_BYTES),
        }
    }

    /// Bytes of what is handed on at once.
    fn most(&self) -> usize {
        match self.level {
            Some(_) => FRAME_BYTES,
            None => PIECE_BYTES,
        }
    }

    fn flush(&mut self) -> Result<(), PhaseError> {
        if self.frame.is_empty() {
            return Ok(());
        }
        let frame = std::mem::take(&mut self.frame);
        self.size += frame.len() as u64;
        let pending = match self.level {
            Some(level) => self.pool.submit(frame, level),
            None => PendingFrame::Ready(frame),
        };
        self.frame = Self::buffer(self.pool, self.level);
        // The writer has stopped: it says why.
        self.frames
            .blocking_send(pending)
            .map_err(|_| PhaseError::Superseded)
    }
}

/// Content being written: hashed, cut, and handed on frame by frame.
pub struct Framed<'a> {
    frames: FrameWriter<'a>,
    hash: ContentHasher,
}

impl<'a> Framed<'a> {
    /// As [`FrameWriter::new`].
    #[must_use]
    pub fn new(
        pool: &'a FramePool,
        level: Option<i32>,
        frames: mpsc::Sender<PendingFrame>,
    ) -> Self {
        Self {
            frames: FrameWriter::new(pool, level, frames),
            hash: ContentHasher::new(),
        }
    }

    /// Writes `bytes`, and says what their own digest is.
    ///
    /// # Errors
    /// As [`FrameWriter::write`].
    pub fn record(&mut self, bytes: &[u8]) -> Result<Sha256Digest, PhaseError> {
        let digest = self.hash.update_with_digest(bytes);
        self.frames.write(bytes)?;
        Ok(Sha256Digest(digest))
    }

    /// Writes `bytes`.
    ///
    /// # Errors
    /// As [`FrameWriter::write`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), PhaseError> {
        self.hash.update(bytes);
        self.frames.write(bytes)
    }

    /// Ends the content; gives its size and digest.
    ///
    /// # Errors
    /// As [`FrameWriter::write`].
    pub fn finish(self) -> Result<(u64, Sha256Digest), PhaseError> {
        let size = self.frames.finish()?;
        Ok((size, Sha256Digest(self.hash.finalize())))
    }

    /// As [`Framed::finish`], of a file that is compressed even where it is empty.
    ///
    /// # Errors
    /// As [`FrameWriter::write`].
    pub fn finish_file(self) -> Result<(u64, Sha256Digest), PhaseError> {
        let size = self.frames.finish_file()?;
        Ok((size, Sha256Digest(self.hash.finalize())))
    }
}
