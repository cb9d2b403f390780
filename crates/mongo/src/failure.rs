//! Errors of the driver, in the words of the ports.

use export_ports::{PortError, PortErrorKind};
use mongodb::error::{Error, ErrorKind, WriteFailure};

/// Server codes (MongoDB manual, "Error Codes").
const DUPLICATE_KEY: i32 = 11_000;
const WRITE_CONFLICT: i32 = 112;
const DOCUMENT_VALIDATION: i32 = 121;

/// An error of the driver while `doing` something.
pub(crate) fn failed(doing: impl Into<String>, error: Error) -> PortError {
    let kind = match code(&error) {
        Some(DUPLICATE_KEY | WRITE_CONFLICT) => PortErrorKind::Conflict,
        Some(DOCUMENT_VALIDATION) => PortErrorKind::Invalid,
        _ => PortErrorKind::Unavailable,
    };
    PortError::because(kind, doing, error)
}

/// Whether a unique index refused a document.
pub(crate) fn is_duplicate(error: &Error) -> bool {
    code(error) == Some(DUPLICATE_KEY)
}

/// Whether a write met another one.
pub(crate) fn is_write_conflict(error: &Error) -> bool {
    code(error) == Some(WRITE_CONFLICT)
}

/// Whether a validator refused a document.
pub(crate) fn is_invalid(error: &Error) -> bool {
    code(error) == Some(DOCUMENT_VALIDATION)
}

fn code(error: &Error) -> Option<i32> {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => Some(command.code),
        ErrorKind::Write(WriteFailure::WriteError(write)) => Some(write.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(concern)) => Some(concern.code),
        ErrorKind::InsertMany(many) => many
            .write_errors
            .as_ref()
            .and_then(|errors| errors.first())
            .map(|error| error.code),
        ErrorKind::BulkWrite(bulk) => bulk.write_errors.values().next().map(|error| error.code),
        _ => None,
    }
}
