//! Sorting more rows than memory holds.
//!
//! Rows are gathered in one block of memory; when it is full they are sorted and written as a chunk.
//! Equal keys are ordered by value, so a chunk is a function of the set of rows in it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::chunk::{Chunk, ChunkAt, ChunkWriter, Counted};
use crate::TrivyError;

struct Entry {
    start: usize,
    key: u32,
    value: u32,
}

/// Gathers rows, and writes sorted chunks.
pub(crate) struct Sorter<W: Write> {
    sink: Counted<W>,
    budget: usize,
    arena: Vec<u8>,
    entries: Vec<Entry>,
    chunks: Vec<Chunk>,
}

impl<W: Write> Sorter<W> {
    /// Writes to `sink`, and keeps about `budget` bytes of rows.
    pub(crate) fn new(sink: Counted<W>, budget: usize) -> Self {
        Self {
            sink,
            budget,
            arena: Vec::new(),
            entries: Vec::new(),
            chunks: Vec::new(),
        }
    }

    /// Adds a row, whose key and value have at most [`super::MAX_ROW_BYTES`].
    pub(crate) fn push(&mut self, key: &[u8], value: &[u8]) -> std::io::Result<()> {
        let held = self.arena.len() + self.entries.len() * size_of::<Entry>();
        if held + key.len() + value.len() > self.budget {
            self.spill()?;
        }
        let too_large = |_| std::io::Error::from(std::io::ErrorKind::InvalidInput);
        self.entries.push(Entry {
            start: self.arena.len(),
            key: u32::try_from(key.len()).map_err(too_large)?,
            value: u32::try_from(value.len()).map_err(too_large)?,
        });
        self.arena.extend_from_slice(key);
        self.arena.extend_from_slice(value);
        Ok(())
    }

    fn spill(&mut self) -> std::io::Result<()> {
        if self.entries.is_empty() {
            return Ok(());
        }
        let arena = &self.arena;
        let row = |entry: &Entry| {
            let middle = entry.start + entry.key as usize;
            let key = arena.get(entry.start..middle).unwrap_or_default();
            let value = arena
                .get(middle..middle + entry.value as usize)
                .unwrap_or_default();
            (key, value)
        };
        self.entries.sort_unstable_by(|a, b| row(a).cmp(&row(b)));
        let offset = self.sink.written;
        let mut chunk = ChunkWriter::new(&mut self.sink, offset)?;
        for entry in &self.entries {
            let (key, value) = row(entry);
            chunk.push(key, value)?;
        }
        self.chunks.push(chunk.finish()?.0);
        self.entries.clear();
        self.arena.clear();
        // One row of many megabytes is no reason to keep as much for the rows after it.
        self.arena.shrink_to(self.budget);
        Ok(())
    }

    /// Writes what is left; the chunks, and the sink.
    pub(crate) fn finish(mut self) -> std::io::Result<(Vec<Chunk>, Counted<W>)> {
        self.spill()?;
        Ok((self.chunks, self.sink))
    }
}

/// A [`Sorter`] onto a file on scratch.
pub(crate) struct ScratchSorter {
    path: PathBuf,
    sorter: Sorter<BufWriter<File>>,
}

impl ScratchSorter {
    pub(crate) fn create(path: PathBuf, budget: usize) -> Result<Self, TrivyError> {
        let sink = create(&path)?;
        Ok(Self {
            path,
            sorter: Sorter::new(sink, budget),
        })
    }

    pub(crate) fn push(&mut self, key: &[u8], value: &[u8]) -> Result<(), TrivyError> {
        self.sorter
            .push(key, value)
            .map_err(TrivyError::file("write", &self.path))
    }

    pub(crate) fn finish(self) -> Result<Scratch, TrivyError> {
        let writing = |source| TrivyError::File {
            doing: "write",
            path: self.path.clone(),
            source,
        };
        let (chunks, mut sink) = self.sorter.finish().map_err(writing)?;
        sink.flush().map_err(writing)?;
        Ok(Scratch {
            path: self.path,
            chunks,
        })
    }
}

/// A chunk on scratch, of rows that come sorted.
pub(crate) struct ScratchChunk {
    path: PathBuf,
    chunk: ChunkWriter<BufWriter<File>>,
}

impl ScratchChunk {
    pub(crate) fn create(path: PathBuf) -> Result<Self, TrivyError> {
        let sink = create(&path)?;
        let chunk = ChunkWriter::new(sink.inner, 0).map_err(TrivyError::file("write", &path))?;
        Ok(Self { path, chunk })
    }

    pub(crate) fn push(&mut self, key: &[u8], value: &[u8]) -> Result<(), TrivyError> {
        self.chunk
            .push(key, value)
            .map_err(TrivyError::file("write", &self.path))
    }

    pub(crate) fn finish(self) -> Result<Scratch, TrivyError> {
        let writing = |source| TrivyError::File {
            doing: "write",
            path: self.path.clone(),
            source,
        };
        let (chunk, mut sink) = self.chunk.finish().map_err(writing)?;
        sink.flush().map_err(writing)?;
        Ok(Scratch {
            path: self.path,
            chunks: vec![chunk],
        })
    }
}

fn create(path: &Path) -> Result<Counted<BufWriter<File>>, TrivyError> {
    let file = File::create(path).map_err(TrivyError::file("create", path))?;
    Ok(Counted {
        inner: BufWriter::with_capacity(256 * 1024, file),
        written: 0,
    })
}

/// A file of chunks on scratch, which is removed with its value.
pub(crate) struct Scratch {
    path: PathBuf,
    chunks: Vec<Chunk>,
}

impl Scratch {
    pub(crate) fn chunks(&self) -> Vec<ChunkAt> {
        self.chunks
            .iter()
            .map(|&chunk| ChunkAt {
                path: self.path.clone(),
                chunk,
            })
            .collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Whoever gave the folder removes it as a whole; this only gives the space back sooner.
        let _ = std::fs::remove_file(&self.path);
    }
}
