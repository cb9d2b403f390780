//! What can go wrong between rows and files.

use std::io;
use std::path::{Path, PathBuf};

/// Why a run, a merge or a database could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrivyError {
    /// A file on scratch, or that the caller named, could not be opened, read, written or renamed.
    #[error("could not {doing} {path}")]
    File {
        /// The operation, as in "could not … the file".
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The writer that the caller gave refused bytes.
    #[error("could not write the sorted run")]
    Sink(#[source] io::Error),
    /// The reader that the caller gave stopped.
    #[error("could not read the layer")]
    Source(#[source] io::Error),
    /// A file of sorted rows is not one, or is damaged.
    #[error("{path} is no sorted run that can be read: {reason}")]
    Run {
        /// The file.
        path: PathBuf,
        /// What about it is wrong.
        reason: String,
    },
    /// A row of a run is not of the form that its kind has: another version of the program wrote it.
    #[error("a row of a sorted run is not of the form that its kind has")]
    Row,
    /// One row is larger than a run takes.
    #[error(
        "a row of {size} bytes is larger than the {max} bytes that a run takes (record {record})"
    )]
    RowTooLarge {
        /// Bytes of its key and value.
        size: usize,
        /// The most that there may be.
        max: usize,
        /// The ledger record's `_id`.
        record: String,
    },
    /// A row could not be written as JSON.
    #[error("could not serialise a row")]
    Serialise(#[source] serde_json::Error),
    /// A document of the payload has no canonical form.
    #[error("could not write {document} as canonical JSON")]
    Canonical {
        /// Which document.
        document: &'static str,
        /// Why.
        source: export_canonical::jcs::JcsError,
    },
    /// A time is not RFC 3339.
    #[error("{text:?} is not an RFC 3339 time")]
    Time {
        /// As it came.
        text: String,
    },
    /// There are more of something than is kept in memory.
    #[error("more than {max} {what} in one database")]
    TooMany {
        /// Of what, in the plural.
        what: &'static str,
        /// The most that there may be.
        max: usize,
    },
    /// A mapping puts advisories where the database keeps something else.
    #[error("{bucket:?} is not a bucket for advisories")]
    ReservedBucket {
        /// The bucket.
        bucket: String,
    },
    /// A member of a layer is larger than a tar header can say, or than the reader was told to accept.
    #[error("{member} has {size} bytes, more than {max}")]
    MemberTooLarge {
        /// The member's name.
        member: String,
        /// Its size.
        size: u64,
        /// The limit.
        max: u64,
    },
    /// A layer is not what a database's layer is.
    #[error("not a layer of a database: {reason}")]
    Layer {
        /// What about it is wrong.
        reason: String,
    },
    /// `SQLite` refused a statement.
    #[error("could not {doing} the index of jars")]
    Sqlite {
        /// The operation.
        doing: &'static str,
        /// What `SQLite` says.
        source: rusqlite::Error,
    },
    /// The bbolt file could not be written or read.
    #[error("could not {doing} {path}")]
    Bolt {
        /// The operation.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the format's library says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The caller asked to stop.
    #[error("stopped because the run was cancelled")]
    Cancelled,
}

impl TrivyError {
    /// For `map_err`: the operation and the file that an I/O error is about.
    pub(crate) fn file<'a>(
        doing: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> Self + use<'a> {
        move |source| Self::File {
            doing,
            path: path.to_owned(),
            source,
        }
    }

    /// A run that cannot be read.
    pub(crate) fn run(path: &Path, reason: impl Into<String>) -> Self {
        Self::Run {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    /// For `map_err`: what `SQLite` was to do.
    pub(crate) fn sqlite(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self::Sqlite { doing, source }
    }
}
