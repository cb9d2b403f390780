//! What goes wrong with parts.

use std::io;
use std::path::{Path, PathBuf};

use export_model::ErrorCode;

/// Why a file was not cut up or put together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PartsError {
    /// It would be too many.
    #[error(
        "{} has {size} bytes, which makes more than {} parts of {part_size} bytes; take larger ones",
        path.display(),
        super::MAX_PARTS
    )]
    TooMany {
        /// The file.
        path: PathBuf,
        /// Its size.
        size: u64,
        /// The most bytes of a part.
        part_size: u64,
    },
    /// A file whose name a list of parts cannot carry.
    #[error("{} has a name that cannot be used for parts: {why}", path.display())]
    Name {
        /// The file.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
    /// A file that is none, or changed while it was read.
    #[error("{} {what}", path.display())]
    Source {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A part of an earlier cut, which would be taken for one of this.
    #[error(
        "{} is a part of an earlier cut into more parts; remove it, or cut into another folder",
        path.display()
    )]
    Leftover {
        /// The part.
        path: PathBuf,
    },
    /// There is no list of the parts.
    #[error("there is no list of the parts: {} is missing; it was written beside the parts", path.display())]
    NoList {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A list that is none.
    #[error("{} is no list of parts: {what}", path.display())]
    List {
        /// The list.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Parts that were not given.
    #[error(
        "{} of {total} parts are missing, the first is `{first}`; those before it are joined and are not \
         needed again",
        count
    )]
    Missing {
        /// The first of them.
        first: String,
        /// How many.
        count: usize,
        /// How many there are in all.
        total: usize,
    },
    /// A part that is not the one that was cut.
    #[error("{} is not what was cut as `{name}`: it was altered on its way; copy it again", path.display())]
    Altered {
        /// The file.
        path: PathBuf,
        /// The part.
        name: String,
    },
    /// A part in the place of another.
    #[error("{} holds `{found}`, in the place of `{expected}`; give each part by its own name, in order", path.display())]
    Order {
        /// The file.
        path: PathBuf,
        /// What it holds.
        found: String,
        /// What should be there.
        expected: String,
    },
    /// A part of something else.
    #[error("{} is no part of `{whole}`", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The file whose parts are joined.
        whole: String,
    },
    /// Every part is right and the whole is not: the list contradicts itself.
    #[error("{} has another digest than its list says, although every part is right; cut it again", path.display())]
    Whole {
        /// The file.
        path: PathBuf,
    },
    /// Something cannot be read.
    #[error("could not read {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something cannot be written.
    #[error("could not write {}: {source}", path.display())]
    Write {
        /// Which file.
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
            Self::TooMany { .. }
            | Self::Name { .. }
            | Self::Source { .. }
            | Self::Leftover { .. } => ErrorCode::Usage,
            Self::NoList { .. } | Self::Missing { .. } => ErrorCode::Incomplete,
            Self::List { .. }
            | Self::Altered { .. }
            | Self::Order { .. }
            | Self::Foreign { .. }
            | Self::Whole { .. } => ErrorCode::Altered,
            Self::Read { .. } => ErrorCode::Io,
            Self::Write { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorCode::DiskFull,
                _ => ErrorCode::Io,
            },
        }
    }

    pub(super) fn reading(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Read { path, source }
    }

    pub(super) fn writing(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Write { path, source }
    }
}
