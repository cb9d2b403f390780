//! Writing the files of indexes.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::{Index, IndexError};

const BUFFER_BYTES: usize = 256 << 10;

/// The two files of an index.
struct Pair {
    index: Index,
    lines: (PathBuf, BufWriter<File>),
    offsets: (PathBuf, BufWriter<File>),
    written: u64,
}

/// The files of all indexes of a tree.
pub(super) struct Files {
    pairs: Vec<Pair>,
    lines: u64,
}

impl Files {
    /// Makes two files for each of `indexes` in `folder`, in place of those that are there.
    pub(super) fn create(folder: &Path, indexes: &[Index]) -> Result<Self, IndexError> {
        let create = |name: &str| {
            let path = folder.join(name);
            match File::create(&path) {
                Ok(file) => Ok((path, BufWriter::with_capacity(BUFFER_BYTES, file))),
                Err(error) => Err(IndexError::file("write", &path)(error)),
            }
        };
        let pairs = super::ordered(indexes)
            .into_iter()
            .map(|index| {
                Ok(Pair {
                    index,
                    lines: create(index.lines_file())?,
                    offsets: create(index.offsets_file())?,
                    written: 0,
                })
            })
            .collect::<Result<_, IndexError>>()?;
        Ok(Self { pairs, lines: 0 })
    }

    /// Appends a line, with its line end, to the index that it is of. Lines come sorted.
    pub(super) fn push(&mut self, line: &[u8]) -> Result<(), IndexError> {
        self.lines += 1;
        let index = Index::of_line(line);
        let Some(pair) = self.pairs.iter_mut().find(|pair| Some(pair.index) == index) else {
            return Err(IndexError::Damaged {
                what: "what is to be indexed".to_owned(),
                line: self.lines,
                fault: "it is of an index that is not made",
            });
        };
        let (path, file) = &mut pair.offsets;
        file.write_all(&pair.written.to_be_bytes())
            .map_err(IndexError::file_error("write", path))?;
        let (path, file) = &mut pair.lines;
        file.write_all(line)
            .map_err(IndexError::file_error("write", path))?;
        pair.written += line.len() as u64;
        Ok(())
    }

    /// Writes what is buffered. Making it durable is the caller's.
    pub(super) fn finish(self) -> Result<(), IndexError> {
        for pair in self.pairs {
            for (path, mut file) in [pair.lines, pair.offsets] {
                file.flush()
                    .map_err(IndexError::file_error("write", &path))?;
            }
        }
        Ok(())
    }
}
