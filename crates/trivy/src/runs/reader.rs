//! Reading a run.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::chunk::{Chunk, ChunkAt, ChunkStream};
use super::index::{self, RunSummary};
use crate::TrivyError;

/// A run's file, whose index has been read and checked.
#[derive(Debug)]
pub struct RunReader {
    path: PathBuf,
    summary: RunSummary,
}

impl RunReader {
    /// Reads the index of the file.
    ///
    /// # Errors
    /// [`TrivyError::File`], or [`TrivyError::Run`] for what is no run, or a damaged one.
    pub fn open(path: &Path) -> Result<Self, TrivyError> {
        let mut file = File::open(path).map_err(TrivyError::file("open", path))?;
        let summary = index::read(path, &mut file)?;
        Ok(Self {
            path: path.to_owned(),
            summary,
        })
    }

    /// What was pushed into it.
    #[must_use]
    pub fn summary(&self) -> &RunSummary {
        &self.summary
    }

    /// Reads every row of a chunk, and checks its checksum, order and count; how many there are.
    ///
    /// # Errors
    /// [`TrivyError::File`], or [`TrivyError::Run`] where it is damaged.
    pub fn check(&self, chunk: &Chunk) -> Result<u64, TrivyError> {
        let mut stream = ChunkStream::open(&ChunkAt {
            path: self.path.clone(),
            chunk: *chunk,
        })?;
        let mut rows = 0;
        while stream.advance()? {
            rows += 1;
        }
        Ok(rows)
    }

    pub(crate) fn chunks(&self) -> impl Iterator<Item = ChunkAt> + '_ {
        self.summary.chunks.iter().map(|&chunk| ChunkAt {
            path: self.path.clone(),
            chunk,
        })
    }
}
