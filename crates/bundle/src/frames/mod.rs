//! zstd frames of a fixed size.
//!
//! A payload file is a sequence of frames, each of exactly [`FRAME_BYTES`] input bytes (the last
//! one shorter), compressed alone by one single-threaded context with a checksum and its size in
//! the header. Its bytes therefore do not depend on how many threads compressed it, a reader can
//! seek in it and decompress it on every core, and `zstd -d` reads it as one file. A file without
//! content has one empty frame.
//!
//! Readers here accept only such frames: a frame that says nothing of its size, or a skippable
//! one, is not ours. Source: RFC 8878.

mod reader;
mod splitter;

pub(crate) use reader::read_some;
pub use reader::{FrameReader, ReadError};
pub use splitter::{Frame, FrameError, FrameSplitter};

use std::io;

use zstd::zstd_safe::CParameter;

/// Input bytes of every frame but a file's last: 8 MiB.
pub const FRAME_BYTES: usize = 8_388_608;

/// Compresses frames, one after the other, in one context.
pub struct FrameCompressor {
    inner: zstd::bulk::Compressor<'static>,
}

impl FrameCompressor {
    /// A compressor at `level`, 1 to 19.
    ///
    /// # Errors
    /// When libzstd cannot make a context, which is when memory runs out.
    pub fn new(level: i32) -> io::Result<Self> {
        let mut inner = zstd::bulk::Compressor::new(level)?;
        // The one-shot call below pledges the size of its input.
        inner.set_parameter(CParameter::ContentSizeFlag(true))?;
        inner.set_parameter(CParameter::ChecksumFlag(true))?;
        Ok(Self { inner })
    }

    /// Compresses `input` into one frame and appends it to `out`. The caller cuts content at
    /// multiples of [`FRAME_BYTES`].
    ///
    /// # Errors
    /// When `input` is longer than [`FRAME_BYTES`], or libzstd fails.
    pub fn compress(&mut self, input: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        if input.len() > FRAME_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "more input than one frame takes",
            ));
        }
        let start = out.len();
        out.reserve(zstd::zstd_safe::compress_bound(input.len()));
        let mut tail = io::Cursor::new(out);
        tail.set_position(start as u64);
        self.inner.compress_to_buffer(input, &mut tail)?;
        Ok(())
    }
}

/// Decompresses frames that a [`FrameSplitter`] found.
pub struct FrameDecompressor {
    inner: zstd::bulk::Decompressor<'static>,
}

impl FrameDecompressor {
    /// A decompressor.
    ///
    /// # Errors
    /// When libzstd cannot make a context, which is when memory runs out.
    pub fn new() -> io::Result<Self> {
        zstd::bulk::Decompressor::new().map(|inner| Self { inner })
    }

    /// Replaces what is in `out` by the content of `frame`. The checksum is checked.
    ///
    /// # Errors
    /// [`FrameError::Damaged`] when the frame does not decompress to what its header says.
    pub fn decompress(&mut self, frame: &Frame, out: &mut Vec<u8>) -> Result<(), FrameError> {
        out.clear();
        out.reserve(frame.content_size);
        let size = self
            .inner
            .decompress_to_buffer(&frame.compressed, out)
            .map_err(|error| FrameError::Damaged {
                reason: error.to_string(),
            })?;
        if size == frame.content_size {
            Ok(())
        } else {
            Err(FrameError::Damaged {
                reason: format!("{size} bytes instead of {}", frame.content_size),
            })
        }
    }
}

/// The version of libzstd that compresses here, such as `1.5.7`.
#[must_use]
pub fn libzstd_version() -> &'static str {
    zstd::zstd_safe::version_string()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
