//! Making indexes: of a tree at once, or of parts that are merged.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::files::Files;
use super::merge::{Merge, Source};
use super::sort::Sorter;
use super::{Extents, Index, IndexError, ordered};
use crate::path::DocumentPath;
use crate::terms::Record;

/// Most bytes that are read of a run at once, and all runs' together.
const RUN_BUFFER: usize = 256 << 10;
const ALL_BUFFERS: usize = 32 << 20;

/// Takes documents in any order; gives their indexes.
pub struct IndexBuilder {
    indexes: Vec<Index>,
    sorter: Sorter,
}

impl IndexBuilder {
    /// Makes `indexes` in about `budget` bytes of memory. What is more goes to files without a name
    /// in the folder `scratch`.
    #[must_use]
    pub fn new(indexes: &[Index], scratch: PathBuf, budget: usize) -> Self {
        Self {
            indexes: ordered(indexes),
            sorter: Sorter::new(scratch, budget),
        }
    }

    /// Adds a document.
    ///
    /// # Errors
    /// When scratch cannot be written.
    pub fn push(&mut self, record: &Record<'_>) -> Result<(), IndexError> {
        self.push_at(record, &record.document_path())
    }

    /// Adds a document whose path is known.
    ///
    /// # Errors
    /// When scratch cannot be written.
    pub fn push_at(&mut self, record: &Record<'_>, path: &DocumentPath) -> Result<(), IndexError> {
        self.sorter.push(&self.indexes, record, path)
    }

    /// Writes the sorted lines of all indexes as one stream, a *run*, for [`merge_runs`] and
    /// [`merge_to_layer`](super::merge_to_layer). Gives how many there are.
    ///
    /// # Errors
    /// When scratch cannot be read or `out` not be written.
    pub fn write_run(self, out: &mut impl Write) -> Result<Extents, IndexError> {
        let mut sorted = self.sorter.finish()?;
        let mut extents = Extents::default();
        while let Some(line) = sorted.next()? {
            out.write_all(line).map_err(IndexError::Write)?;
            extents.count(line);
        }
        Ok(extents)
    }

    /// Writes the files of all indexes to the folder `into`, in place of those that are there.
    ///
    /// # Errors
    /// When scratch cannot be read or the files not be written.
    pub fn finish(self, into: &Path) -> Result<(), IndexError> {
        let mut files = Files::create(into, &self.indexes)?;
        let mut sorted = self.sorter.finish()?;
        while let Some(line) = sorted.next()? {
            files.push(line)?;
        }
        files.finish()
    }
}

/// Merges runs to the files of `indexes` in the folder `into`.
///
/// # Errors
/// When a run cannot be read, is not sorted, or has lines of an index that is not asked for; when
/// the files cannot be written.
pub fn merge_runs<R: Read>(runs: Vec<R>, indexes: &[Index], into: &Path) -> Result<(), IndexError> {
    let mut files = Files::create(into, indexes)?;
    let mut merge = open(runs)?;
    while let Some(line) = merge.next()? {
        files.push(line)?;
    }
    files.finish()
}

/// Merges runs to one run. For more of them than can be open at once. Gives how many lines there are.
///
/// # Errors
/// When a run cannot be read or is not sorted, or `out` cannot be written.
pub fn merge_to_run<R: Read>(runs: Vec<R>, out: &mut impl Write) -> Result<Extents, IndexError> {
    let mut merge = open(runs)?;
    let mut extents = Extents::default();
    while let Some(line) = merge.next()? {
        out.write_all(line).map_err(IndexError::Write)?;
        extents.count(line);
    }
    Ok(extents)
}

pub(super) fn open<R: Read>(runs: Vec<R>) -> Result<Merge<R>, IndexError> {
    let buffer = (ALL_BUFFERS / runs.len().max(1)).clamp(8 << 10, RUN_BUFFER);
    let sources = runs
        .into_iter()
        .map(|run| Source::new(run, buffer, "a run of an index"));
    Merge::open(sources)
}
