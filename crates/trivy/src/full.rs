//! Whether a disk was full.

use std::error::Error;
use std::io;

use crate::TrivyError;

impl TrivyError {
    /// Whether there was no space left where something had to be written: all else may be well then.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let mut cause: Option<&(dyn Error + 'static)> = Some(self);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<io::Error>() {
                return matches!(
                    error.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                );
            }
            if let Some(error) = error.downcast_ref::<rusqlite::Error>() {
                return error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull);
            }
            cause = error.source();
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_says_it_is_heard() {
        let io = |kind| io::Error::from(kind);
        let file = |kind| TrivyError::File {
            doing: "write",
            path: "x".into(),
            source: io(kind),
        };
        assert!(file(io::ErrorKind::StorageFull).is_full());
        assert!(file(io::ErrorKind::QuotaExceeded).is_full());
        assert!(!file(io::ErrorKind::NotFound).is_full());
        let bolt = |kind| TrivyError::Bolt {
            doing: "write",
            path: "x".into(),
            source: Box::new(io(kind)),
        };
        assert!(bolt(io::ErrorKind::StorageFull).is_full());
        assert!(!bolt(io::ErrorKind::Other).is_full());
        let sqlite = |code| TrivyError::Sqlite {
            doing: "write",
            source: rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None),
        };
        assert!(sqlite(rusqlite::ffi::SQLITE_FULL).is_full());
        assert!(!sqlite(rusqlite::ffi::SQLITE_IOERR).is_full());
        assert!(!TrivyError::Cancelled.is_full());
    }
}
