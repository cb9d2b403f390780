//! Failures of files and of SQLite, in the words of the ports.
//!
//! A caller has to tell a full disk from a damaged file from a file of a newer version, because
//! each asks for another action; and every message names the file.

use std::io;
use std::path::Path;

use export_ports::{PortError, PortErrorKind};
use rusqlite::ErrorCode;
use rusqlite::ffi;

/// What went wrong inside a call of a store, before the file's name is added.
pub(crate) enum Failure {
    /// SQLite says so.
    Sql(rusqlite::Error),
    /// A stored value is not what was once written.
    Damaged(String),
    /// Anything else, in words already.
    Port(PortError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<rusqlite::types::FromSqlError> for Failure {
    fn from(error: rusqlite::types::FromSqlError) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        Self::Port(error)
    }
}

impl Failure {
    /// A failure of `kind`, saying what was being done to what.
    pub(crate) fn port(kind: PortErrorKind, doing: impl Into<String>) -> Self {
        Self::Port(PortError::new(kind, doing))
    }

    /// This failure, which happened while `doing` something in the file `path`.
    pub(crate) fn within(self, doing: &str, path: &Path) -> PortError {
        match self {
            Self::Sql(error) => sql_failed(doing, path, error),
            Self::Damaged(what) => PortError::because(
                PortErrorKind::Damaged,
                format!("{doing} in {}", path.display()),
                what,
            ),
            Self::Port(error) => error,
        }
    }
}

/// An error of SQLite while `doing` something in `path`.
pub(crate) fn sql_failed(doing: &str, path: &Path, error: rusqlite::Error) -> PortError {
    let kind = match &error {
        rusqlite::Error::SqliteFailure(inner, _) => match inner.code {
            // A shared-memory file that cannot grow is a full disk too.
            _ if inner.extended_code == ffi::SQLITE_IOERR_SHMSIZE => PortErrorKind::Full,
            ErrorCode::DiskFull => PortErrorKind::Full,
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => PortErrorKind::ReadOnly,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => PortErrorKind::Damaged,
            ErrorCode::TooBig => PortErrorKind::Invalid,
            _ => PortErrorKind::Unavailable,
        },
        // A column is missing or of another type than this version's tables have.
        rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::FromSqlConversionFailure(..) => {
            PortErrorKind::Damaged
        }
        _ => PortErrorKind::Unavailable,
    };
    PortError::because(kind, format!("{doing} in {}", path.display()), error)
}

/// The kind of an error of a file system.
pub(crate) fn io_kind(error: &io::Error) -> PortErrorKind {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => PortErrorKind::Full,
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            PortErrorKind::ReadOnly
        }
        io::ErrorKind::NotFound => PortErrorKind::NotFound,
        io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::InvalidFilename => PortErrorKind::Invalid,
        _ => PortErrorKind::Unavailable,
    }
}

/// An error of a file system while `doing` something to `path`.
pub(crate) fn io_failed(doing: &str, path: &Path, error: io::Error) -> PortError {
    PortError::because(
        io_kind(&error),
        format!("{doing} {}", path.display()),
        error,
    )
}

/// A task that did not come back: the runtime is shutting down, or a bug.
pub(crate) fn task_failed(doing: &str, error: tokio::task::JoinError) -> PortError {
    PortError::because(PortErrorKind::Unavailable, doing, error)
}
