//! Why an index could not be made or read.

use std::io;
use std::path::{Path, PathBuf};

/// Why an index could not be made or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// A file could not be written or read.
    #[error("could not {action} `{}`", .path.display())]
    File {
        /// `write`, `read`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A run could not be read.
    #[error("could not read the sorted lines of an index")]
    Read(#[source] io::Error),
    /// A run could not be written.
    #[error("could not write the sorted lines of an index")]
    Write(#[source] io::Error),
    /// A file is larger than a member of a layer can be, which is less than 8 GiB.
    #[error("`{file}` would have {size} bytes, and a layer takes less than 8 GiB of a file")]
    TooLarge {
        /// The file's name.
        file: &'static str,
        /// How many bytes it would have.
        size: u64,
    },
    /// Lines are not those of an index: another form, another order, or cut off.
    #[error("{what} is damaged at line {line}: {fault}")]
    Damaged {
        /// Which lines.
        what: String,
        /// Counts from 1.
        line: u64,
        /// What is wrong.
        fault: &'static str,
    },
    /// An update does not fit the index that it is for, which has to be made anew.
    #[error("the index does not fit the tree: {fault}: `{line}`")]
    Unfit {
        /// What does not fit.
        fault: &'static str,
        /// The line.
        line: String,
    },
}

impl IndexError {
    /// What makes an error of a file out of what the system says.
    pub(super) fn file_error<'a>(
        action: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> Self + use<'a> {
        move |source| Self::File {
            action,
            path: path.to_owned(),
            source,
        }
    }

    /// The same, of a path that is kept, for many calls.
    pub(super) fn file(action: &'static str, path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File {
            action,
            path: path.clone(),
            source,
        }
    }
}
