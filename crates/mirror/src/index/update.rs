//! The indexes of a tree after a delta, from those before it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::files::Files;
use super::merge::Source;
use super::sort::{Sorted, Sorter};
use super::{Index, IndexError, ordered};
use crate::terms::Record;

const BUFFER_BYTES: usize = 256 << 10;

/// Takes the documents that went and came; gives the indexes of what is there then, byte for byte
/// those that an [`IndexBuilder`](super::IndexBuilder) makes of the whole tree.
///
/// Every line names a document's path, so no line is of two documents: what goes takes its own
/// lines along and no others.
pub struct IndexUpdate {
    indexes: Vec<Index>,
    gone: Sorter,
    come: Sorter,
}

impl IndexUpdate {
    /// Updates `indexes` in about `budget` bytes of memory. What is more goes to files without a
    /// name in the folder `scratch`.
    #[must_use]
    pub fn new(indexes: &[Index], scratch: PathBuf, budget: usize) -> Self {
        Self {
            indexes: ordered(indexes),
            gone: Sorter::new(scratch.clone(), budget / 2),
            come: Sorter::new(scratch, budget / 2),
        }
    }

    /// A document went, or was these bytes before it changed.
    ///
    /// # Errors
    /// When scratch cannot be written.
    pub fn remove(&mut self, record: &Record<'_>) -> Result<(), IndexError> {
        self.gone
            .push(&self.indexes, record, &record.document_path())
    }

    /// A document came, or is these bytes since it changed.
    ///
    /// # Errors
    /// When scratch cannot be written.
    pub fn add(&mut self, record: &Record<'_>) -> Result<(), IndexError> {
        self.come
            .push(&self.indexes, record, &record.document_path())
    }

    /// Reads the indexes in the folder `from`; writes the new ones to the folder `into`, another
    /// one.
    ///
    /// # Errors
    /// [`IndexError::Unfit`] and [`IndexError::Damaged`] when the old indexes are not those of the
    /// tree that the documents went from, and have to be made anew; else when files cannot be read
    /// or written.
    pub fn finish(self, from: &Path, into: &Path) -> Result<(), IndexError> {
        let mut files = Files::create(into, &self.indexes)?;
        let mut old = Source::new(
            open(from, &self.indexes)?,
            BUFFER_BYTES,
            "what is indexed already",
        );
        let mut gone = Ahead::open(self.gone)?;
        let mut come = Ahead::open(self.come)?;
        let mut is_old = old.advance()?;
        loop {
            // The least line of the three; an old one that stays is the usual case.
            let here = is_old.then(|| old.line());
            let next = [here, gone.line(), come.line()];
            let Some(&least) = next.iter().flatten().min() else {
                break;
            };
            let [was, goes, comes] = next.map(|line| line == Some(least));
            match (was, goes, comes) {
                (false, true, _) => return Err(unfit("a document's line is missing", least)),
                (true, false, true) => {
                    return Err(unfit("a new document's line is there already", least));
                }
                (true, true, false) => {}
                _ => files.push(least)?,
            }
            if was {
                is_old = old.advance()?;
            }
            if goes {
                gone.advance()?;
            }
            if comes {
                come.advance()?;
            }
        }
        files.finish()
    }
}

#[cold]
fn unfit(fault: &'static str, line: &[u8]) -> IndexError {
    IndexError::Unfit {
        fault,
        line: String::from_utf8_lossy(line.trim_ascii_end())
            .chars()
            .take(300)
            .collect(),
    }
}

/// The files of lines of `indexes`, one after the other.
fn open(from: &Path, indexes: &[Index]) -> Result<Box<dyn Read>, IndexError> {
    let mut all: Box<dyn Read> = Box::new(io::empty());
    for index in indexes {
        let path = from.join(index.lines_file());
        let file = File::open(&path).map_err(IndexError::file_error("read", &path))?;
        all = Box::new(all.chain(file));
    }
    Ok(all)
}

/// Sorted lines, and the first that was not dealt with.
struct Ahead {
    sorted: Sorted,
    line: Vec<u8>,
}

impl Ahead {
    fn open(sorter: Sorter) -> Result<Self, IndexError> {
        let mut ahead = Self {
            sorted: sorter.finish()?,
            line: Vec::new(),
        };
        ahead.advance()?;
        Ok(ahead)
    }

    fn line(&self) -> Option<&[u8]> {
        (!self.line.is_empty()).then_some(self.line.as_slice())
    }

    fn advance(&mut self) -> Result<(), IndexError> {
        self.line.clear();
        if let Some(line) = self.sorted.next()? {
            self.line.extend_from_slice(line);
        }
        Ok(())
    }
}
