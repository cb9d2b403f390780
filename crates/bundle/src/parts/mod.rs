//! A file in parts, for media that are smaller than it is.
//!
//! `NAME.part-0001`, `NAME.part-0002`, … are consecutive bytes of the file; `NAME.parts.json` says which,
//! with the digest of each and of the whole, and `NAME.sha256` repeats the latter for `sha256sum -c`.
//! Nothing is signed here: what is joined is a bundle, which is. The digests are there to find at once
//! which medium has to be brought again.
//!
//! Both ways are streams, and both go on where they were stopped: a part that is right is not written
//! again, and a file that was joined in part is taken up after the last part that is right.

mod index;
mod join;
mod split;

use std::io;
use std::path::{Path, PathBuf};

use export_model::ErrorCode;

pub use index::{PartEntry, PartsIndex};
pub use join::{Joined, join};
pub use split::{Split, split};

/// The most parts of a file.
pub const MAX_PARTS: u64 = 9999;

/// Why a file was not split or joined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PartsError {
    /// A part of no bytes, or too many parts.
    #[error(
        "{bytes} bytes in parts of {part_bytes}: a file has 1 to {MAX_PARTS} parts of at least one byte"
    )]
    Size {
        /// The file's size.
        bytes: u64,
        /// The size of a part that was asked for.
        part_bytes: u64,
    },
    /// The list of parts is none.
    #[error("{} is no list of parts: {what}", path.display())]
    Index {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Nothing was given, or something that is no part.
    #[error("{} is no part: parts are named NAME.part-0001 and lie beside NAME.parts.json", path.display())]
    NotAPart {
        /// What was given.
        path: PathBuf,
    },
    /// Parts of two files.
    #[error("{} is a part of another file than {}", path.display(), first.display())]
    OtherFile {
        /// The part.
        path: PathBuf,
        /// The first that was given.
        first: PathBuf,
    },
    /// A part is not there.
    #[error("{} is missing, part {number} of {count}; bring it and join again", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
        /// Which, from 1.
        number: u64,
        /// How many there are.
        count: u64,
    },
    /// Parts that were given in another order than that of the file.
    #[error("{} is given after {}, which comes after it in the file", path.display(), before.display())]
    Order {
        /// The part.
        path: PathBuf,
        /// The one before.
        before: PathBuf,
    },
    /// A part is not what it was, or one of another file with the same name.
    #[error("{} is not the part that was written: {what}; copy it again and join again", path.display())]
    Altered {
        /// Which.
        path: PathBuf,
        /// How.
        what: String,
    },
    /// The parts are right and the whole is not: the list was put together of two.
    #[error("what was joined has the digest {found}, but {expected} is listed")]
    Whole {
        /// The digest of what was joined.
        found: export_model::Sha256Digest,
        /// The one in the list.
        expected: export_model::Sha256Digest,
    },
    /// Something is where the result should go.
    #[error("{} is there already and is not what would be written; remove it or name another", path.display())]
    Exists {
        /// What.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("could not read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("could not write {}: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl PartsError {
    /// The documented code of this error.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Size { .. } | Self::NotAPart { .. } | Self::OtherFile { .. } => ErrorCode::Usage,
            Self::Order { .. } | Self::Exists { .. } => ErrorCode::Usage,
            Self::Missing { .. } => ErrorCode::Incomplete,
            Self::Index { .. } | Self::Altered { .. } | Self::Whole { .. } => ErrorCode::Altered,
            Self::Write { source, .. }
                if matches!(
                    source.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                ) =>
            {
                ErrorCode::DiskFull
            }
            Self::Read { .. } | Self::Write { .. } => ErrorCode::Io,
        }
    }
}

/// The name of a part; parts count from 1.
fn part_name(name: &str, number: u64) -> String {
    format!("{name}.part-{number:04}")
}

fn reading(path: &Path) -> impl Fn(io::Error) -> PartsError + use<> {
    let path = path.to_owned();
    move |source| PartsError::Read {
        path: path.clone(),
        source,
    }
}

fn writing(path: &Path) -> impl Fn(io::Error) -> PartsError + use<> {
    let path = path.to_owned();
    move |source| PartsError::Write {
        path: path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests;
