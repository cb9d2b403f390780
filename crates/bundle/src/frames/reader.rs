//! Reading the content of a payload file frame by frame.

use std::io::{self, Read};

use super::{Frame, FrameDecompressor, FrameError, FrameSplitter};

const BLOCK_BYTES: usize = 256 << 10;

/// Reads stored bytes and gives the content of one frame after the other.
pub struct FrameReader<R> {
    inner: R,
    block: Vec<u8>,
    /// What of `block` has not been looked at.
    rest: std::ops::Range<usize>,
    splitter: FrameSplitter,
    decompressor: FrameDecompressor,
}

/// Why content cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The stored bytes cannot be read.
    #[error("could not read stored bytes: {0}")]
    Io(#[from] io::Error),
    /// They are not frames as they are written here.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

impl<R: Read> FrameReader<R> {
    /// A reader of the stored bytes that `inner` gives.
    ///
    /// # Errors
    /// When libzstd cannot make a context, which is when memory runs out.
    pub fn new(inner: R) -> io::Result<Self> {
        Ok(Self {
            inner,
            block: vec![0; BLOCK_BYTES],
            rest: 0..0,
            splitter: FrameSplitter::default(),
            decompressor: FrameDecompressor::new()?,
        })
    }

    /// Replaces what is in `out` by the next frame's content, at most
    /// [`FRAME_BYTES`](super::FRAME_BYTES); says whether there was one.
    ///
    /// # Errors
    /// When the stored bytes cannot be read or are not such frames.
    pub fn next_frame(&mut self, out: &mut Vec<u8>) -> Result<bool, ReadError> {
        out.clear();
        let Some(frame) = self.stored_frame()? else {
            self.splitter.finish()?;
            return Ok(false);
        };
        self.decompressor.decompress(&frame, out)?;
        self.splitter.recycle(frame.compressed);
        Ok(true)
    }

    fn stored_frame(&mut self) -> Result<Option<Frame>, ReadError> {
        loop {
            let mut input = self.block.get(self.rest.clone()).unwrap_or_default();
            let before = input.len();
            let frame = self.splitter.feed(&mut input)?;
            self.rest.start += before - input.len();
            if frame.is_some() {
                return Ok(frame);
            }
            let read = read_some(&mut self.inner, &mut self.block)?;
            if read == 0 {
                return Ok(None);
            }
            self.rest = 0..read;
        }
    }
}

/// One `read` that was not interrupted.
pub(crate) fn read_some(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
