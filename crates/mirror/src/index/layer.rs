//! The indexes of a tree as a layer, written as they are merged.
//!
//! The header of a member comes before its lines and says how long they are, so whoever writes a run
//! counts, and whoever merges adds up: nothing is written twice. Only offsets wait, in a file without
//! a name, until the lines that they are of have ended.

use std::fs::File;
use std::io::{BufWriter, Read, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::build::open;
use super::{Index, IndexError, ordered, path};
use crate::layer::{END, header, padding};

const BUFFER_BYTES: usize = 256 << 10;
const OFFSET_BYTES: u64 = 8;

/// How many lines of each index there are, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extents([Extent; Index::ALL.len()]);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Extent {
    lines: u64,
    bytes: u64,
}

impl Extents {
    /// Bytes of [`to_bytes`](Self::to_bytes).
    pub const BYTES: usize = Index::ALL.len() * 16;

    /// Eight bytes, big-endian, for the lines and for the bytes of each of [`Index::ALL`].
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut out = [0; Self::BYTES];
        let numbers = self
            .0
            .iter()
            .flat_map(|extent| [extent.lines, extent.bytes]);
        for (to, number) in out.as_chunks_mut::<8>().0.iter_mut().zip(numbers) {
            *to = number.to_be_bytes();
        }
        out
    }

    /// What [`to_bytes`](Self::to_bytes) gave.
    #[must_use]
    pub fn of_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let mut extents = Self::default();
        for (extent, bytes) in extents.0.iter_mut().zip(bytes.as_chunks::<16>().0) {
            let number = u128::from_be_bytes(*bytes);
            *extent = Extent {
                lines: (number >> 64) as u64,
                bytes: number as u64,
            };
        }
        extents
    }

    /// Those of two runs that have no line in common.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut sum = self;
        for (to, from) in sum.0.iter_mut().zip(other.0) {
            to.lines = to.lines.saturating_add(from.lines);
            to.bytes = to.bytes.saturating_add(from.bytes);
        }
        sum
    }

    /// Counts a line, with its line end.
    pub(super) fn count(&mut self, line: &[u8]) {
        let extent = Index::of_line(line).and_then(|index| self.0.get_mut(index as usize));
        if let Some(extent) = extent {
            extent.lines += 1;
            extent.bytes += line.len() as u64;
        }
    }

    fn of(&self, index: Index) -> Extent {
        self.0.get(index as usize).copied().unwrap_or_default()
    }
}

/// Merges runs to the layer of `indexes`. `extents` says what is in all runs together. Offsets go to a
/// file without a name in the folder `scratch`.
///
/// # Errors
/// When a run cannot be read, is not sorted, has lines of an index that is not asked for, or other
/// lines than `extents` says; when a file of an index would have 8 GiB or more; when scratch or `out`
/// cannot be written.
pub fn merge_to_layer<R: Read>(
    runs: Vec<R>,
    extents: &Extents,
    indexes: &[Index],
    scratch: &Path,
    out: &mut impl Write,
) -> Result<(), IndexError> {
    let mut offsets = Offsets::create(scratch)?;
    let mut merge = open(runs)?;
    let mut line = merge.next()?;
    let mut number = 0;
    for index in ordered(indexes) {
        let extent = extents.of(index);
        begin(out, index.lines_file(), extent.bytes)?;
        let mut written = Extent::default();
        while let Some(bytes) = line.filter(|line| line.starts_with(index.head())) {
            out.write_all(bytes).map_err(IndexError::Write)?;
            offsets.push(written.bytes)?;
            written.lines += 1;
            written.bytes += bytes.len() as u64;
            number += 1;
            line = merge.next()?;
        }
        if written != extent {
            return Err(damaged(
                number,
                "there are not as many lines as were counted",
            ));
        }
        end(out, extent.bytes)?;
        let bytes = extent.lines.saturating_mul(OFFSET_BYTES);
        begin(out, index.offsets_file(), bytes)?;
        offsets.move_to(out)?;
        end(out, bytes)?;
    }
    if line.is_some() {
        return Err(damaged(number + 1, "it is of an index that is not made"));
    }
    out.write_all(&END).map_err(IndexError::Write)
}

fn begin(out: &mut impl Write, file: &'static str, size: u64) -> Result<(), IndexError> {
    let header = header(&path(file), size).map_err(|_| IndexError::TooLarge { file, size })?;
    out.write_all(&header).map_err(IndexError::Write)
}

fn end(out: &mut impl Write, size: u64) -> Result<(), IndexError> {
    out.write_all(padding(size)).map_err(IndexError::Write)
}

fn damaged(line: u64, fault: &'static str) -> IndexError {
    IndexError::Damaged {
        what: "what is to be indexed".to_owned(),
        line,
        fault,
    }
}

/// The offsets of the lines that pass.
struct Offsets {
    folder: PathBuf,
    file: BufWriter<File>,
}

impl Offsets {
    fn create(folder: &Path) -> Result<Self, IndexError> {
        let file = tempfile::tempfile_in(folder)
            .map_err(IndexError::file_error("write offsets in", folder))?;
        Ok(Self {
            folder: folder.to_owned(),
            file: BufWriter::with_capacity(BUFFER_BYTES, file),
        })
    }

    fn push(&mut self, offset: u64) -> Result<(), IndexError> {
        self.file
            .write_all(&offset.to_be_bytes())
            .map_err(IndexError::file_error("write offsets in", &self.folder))
    }

    /// Writes all of them out and begins anew.
    fn move_to(&mut self, out: &mut impl Write) -> Result<(), IndexError> {
        let failed = IndexError::file("write offsets in", &self.folder);
        self.file.flush().map_err(&failed)?;
        let file = self.file.get_mut();
        file.rewind().map_err(&failed)?;
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let count = file.read(&mut buffer).map_err(&failed)?;
            match buffer.get(..count) {
                None | Some([]) => break,
                Some(some) => out.write_all(some).map_err(IndexError::Write)?,
            }
        }
        file.set_len(0).map_err(&failed)?;
        file.seek(SeekFrom::Start(0)).map_err(&failed)?;
        Ok(())
    }
}
