//! Chunks: rows in order, as one zstd frame.
//!
//! A row is two lengths (LEB128) and the bytes of key and value. The window is small, because a
//! merge has a hundred chunks open at once, and each costs its window.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use zstd::zstd_safe::{CParameter, DParameter};

use crate::TrivyError;

/// zstd's level: scratch is written once and read once.
const LEVEL: i32 = 1;
/// Log2 of the window: 32 KiB.
const WINDOW_LOG: u32 = 15;
/// Bytes read from a file at a time.
const READ_BYTES: usize = 16 * 1024;

/// The most bytes that one row may have, key and value together: 64 MiB. A record of the ledger is
/// smaller, and so is what is made of one.
pub const MAX_ROW_BYTES: usize = 64 * 1024 * 1024;

/// Where a chunk is in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chunk {
    /// Its first byte.
    pub offset: u64,
    /// Its compressed bytes.
    pub length: u64,
    /// Its rows.
    pub rows: u64,
}

/// A chunk in a file.
#[derive(Clone, Debug)]
pub(crate) struct ChunkAt {
    pub(crate) path: PathBuf,
    pub(crate) chunk: Chunk,
}

/// Counts what passes to a writer.
pub(crate) struct Counted<W> {
    pub(crate) inner: W,
    pub(crate) written: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.inner.write(bytes)?;
        self.written += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Writes one chunk. Rows come in order.
pub(crate) struct ChunkWriter<W: Write> {
    frame: zstd::stream::write::Encoder<'static, Counted<W>>,
    offset: u64,
    rows: u64,
    buffer: Vec<u8>,
}

/// Bytes that are gathered before they are handed to the compressor.
const GATHER_BYTES: usize = 64 * 1024;

impl<W: Write> ChunkWriter<W> {
    /// `offset` is where in its file the chunk begins.
    pub(crate) fn new(sink: W, offset: u64) -> io::Result<Self> {
        let sink = Counted {
            inner: sink,
            written: 0,
        };
        let mut frame = zstd::stream::write::Encoder::new(sink, LEVEL)?;
        frame.set_parameter(CParameter::WindowLog(WINDOW_LOG))?;
        frame.set_parameter(CParameter::ChecksumFlag(true))?;
        Ok(Self {
            frame,
            offset,
            rows: 0,
            buffer: Vec::with_capacity(2 * GATHER_BYTES),
        })
    }

    pub(crate) fn push(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        push_length(&mut self.buffer, key.len());
        push_length(&mut self.buffer, value.len());
        self.buffer.extend_from_slice(key);
        self.rows += 1;
        // The compressor is given pieces of one size, whatever the rows' sizes are.
        let mut value = value;
        loop {
            let room = GATHER_BYTES.saturating_sub(self.buffer.len());
            let (now, later) = value.split_at(room.min(value.len()));
            self.buffer.extend_from_slice(now);
            value = later;
            if self.buffer.len() < GATHER_BYTES {
                return Ok(());
            }
            self.frame.write_all(&self.buffer)?;
            self.buffer.clear();
        }
    }

    /// The chunk, and the sink.
    pub(crate) fn finish(mut self) -> io::Result<(Chunk, W)> {
        self.frame.write_all(&self.buffer)?;
        let sink = self.frame.finish()?;
        let chunk = Chunk {
            offset: self.offset,
            length: sink.written,
            rows: self.rows,
        };
        Ok((chunk, sink.inner))
    }
}

fn push_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push((length & 0x7F) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

/// Reads one chunk, a row at a time.
pub(crate) struct ChunkStream {
    path: PathBuf,
    frame: BufReader<zstd::stream::read::Decoder<'static, BufReader<io::Take<File>>>>,
    left: u64,
    /// The row that was read last.
    pub(crate) key: Vec<u8>,
    /// Its value.
    pub(crate) value: Vec<u8>,
    previous: Vec<u8>,
}

impl ChunkStream {
    pub(crate) fn open(at: &ChunkAt) -> Result<Self, TrivyError> {
        let reading = |source| TrivyError::File {
            doing: "read",
            path: at.path.clone(),
            source,
        };
        let mut file = File::open(&at.path).map_err(reading)?;
        file.seek(SeekFrom::Start(at.chunk.offset))
            .map_err(reading)?;
        let stored = BufReader::with_capacity(READ_BYTES, file.take(at.chunk.length));
        let mut frame = zstd::stream::read::Decoder::with_buffer(stored).map_err(reading)?;
        frame
            .set_parameter(DParameter::WindowLogMax(WINDOW_LOG))
            .map_err(reading)?;
        Ok(Self {
            path: at.path.clone(),
            frame: BufReader::with_capacity(READ_BYTES, frame),
            left: at.chunk.rows,
            key: Vec::new(),
            value: Vec::new(),
            previous: Vec::new(),
        })
    }

    /// Reads the next row into [`Self::key`] and [`Self::value`]; `false` after the last.
    pub(crate) fn advance(&mut self) -> Result<bool, TrivyError> {
        if self.left == 0 {
            let mut more = [0];
            let over = self
                .frame
                .read(&mut more)
                .map_err(|error| self.damaged(&error))?;
            return if over == 0 {
                Ok(false)
            } else {
                Err(TrivyError::run(
                    &self.path,
                    "a chunk has more rows than its index says",
                ))
            };
        }
        self.left -= 1;
        std::mem::swap(&mut self.previous, &mut self.key);
        let first = self.previous.is_empty();
        let key = self.length()?;
        let value = self.length()?;
        if key.saturating_add(value) > MAX_ROW_BYTES {
            return Err(TrivyError::run(
                &self.path,
                "a row is larger than any can be",
            ));
        }
        if key == 0 {
            return Err(TrivyError::run(&self.path, "a row has no key"));
        }
        fill(&mut self.frame, &mut self.key, key)
            .and_then(|()| fill(&mut self.frame, &mut self.value, value))
            .map_err(|error| self.damaged(&error))?;
        if !first && self.key < self.previous {
            return Err(TrivyError::run(&self.path, "rows are out of order"));
        }
        Ok(true)
    }

    fn length(&mut self) -> Result<usize, TrivyError> {
        let mut length = 0_usize;
        for shift in [0, 7, 14, 21, 28] {
            let mut byte = [0];
            self.frame
                .read_exact(&mut byte)
                .map_err(|error| self.damaged(&error))?;
            let [byte] = byte;
            length |= usize::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(length);
            }
        }
        Err(TrivyError::run(&self.path, "a row's length is not one"))
    }

    fn damaged(&self, error: &io::Error) -> TrivyError {
        TrivyError::run(&self.path, format!("a chunk is damaged: {error}"))
    }
}

/// Reads `length` bytes, and takes no more memory than there are bytes.
fn fill(from: &mut impl Read, into: &mut Vec<u8>, length: usize) -> io::Result<()> {
    into.clear();
    if length <= READ_BYTES {
        into.resize(length, 0);
        return from.read_exact(into);
    }
    let read = from.take(length as u64).read_to_end(into)?;
    if read == length {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}
