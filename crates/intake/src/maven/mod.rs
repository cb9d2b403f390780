//! Maven indexes: which artifact a jar is, by its SHA-1.
//!
//! An index is text, a jar a line, in one of two forms:
//!
//! ```text
//! {"g":"org.slf4j","a":"slf4j-api","v":"1.7.36","sha1":"6c62681a2f655b49963a5983b8b0950a6120ae14"}
//! 6c62681a2f655b49963a5983b8b0950a6120ae14<TAB>org.slf4j:slf4j-api:1.7.36
//! ```
//!
//! `c`, or a fourth part, is a classifier (`sources`). It has no document that could become a record,
//! and may have more lines than memory holds. So lines are sorted on scratch, and all lines of one
//! artifact become one record: `subject_key` is the artifact's purl, so that selectors find it. The same
//! lines give the same records, in whatever order they came and in however many files.
//!
//! An index only says more than an older one, never something else. So a record of one supersedes
//! nothing: its name has the digest of its content in it.

mod entry;
mod sort;

use std::io;
use std::path::PathBuf;

pub use entry::Entry;

use crate::Refusal;
use crate::wrap::{WrapContext, wrap_maven};
use sort::Sorter;

/// Bytes of lines that are held in memory.
const MEMORY: usize = 64 << 20;
/// A record ends after so many bytes of its content; few artifacts have as many jars.
const RECORD: usize = 4 << 20;

/// Why an index could not be read.
#[derive(Debug, thiserror::Error)]
pub enum MavenError {
    /// The lines could not be sorted on scratch.
    #[error("sorting the lines in {folder}: {source}")]
    Scratch {
        /// Where.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A record was turned away.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// An index as its lines come.
pub struct MavenIndex {
    sorter: Sorter,
}

impl MavenIndex {
    /// An empty index, sorted in files of their own in `scratch`.
    #[must_use]
    pub fn new(scratch: PathBuf) -> Self {
        Self {
            sorter: Sorter::new(scratch, MEMORY),
        }
    }

    /// Takes a line.
    ///
    /// # Errors
    /// What is not an entry, by what is wrong with it; when scratch cannot be written to.
    pub fn push(&mut self, line: &[u8]) -> Result<(), MavenError> {
        if let Some(entry) = Entry::parse(line)? {
            self.sorter.push(&entry.to_row())?;
        }
        Ok(())
    }

    /// Gives the records, in canonical form; says how many different lines there were.
    ///
    /// # Errors
    /// The sink's, and when scratch cannot be read.
    pub fn finish(
        self,
        context: &WrapContext<'_>,
        sink: &mut dyn FnMut(Vec<u8>) -> Result<(), Refusal>,
    ) -> Result<u64, MavenError> {
        let mut lines = 0;
        let mut group: Vec<Entry> = Vec::new();
        let mut size = 0;
        let mut record = |entries: &mut Vec<Entry>| -> Result<(), MavenError> {
            if let Some(document) = entry::document(entries)? {
                sink(wrap_maven(entries, &document, context)?)?;
            }
            entries.clear();
            Ok(())
        };
        self.sorter.sorted(&mut |row| {
            let entry = Entry::of_row(row);
            if size >= RECORD || group.first().is_some_and(|first| !first.is_beside(&entry)) {
                record(&mut group)?;
                size = 0;
            }
            lines += 1;
            size += row.len() + 40;
            group.push(entry);
            Ok(())
        })?;
        record(&mut group)?;
        Ok(lines)
    }
}

#[cfg(test)]
mod tests;
