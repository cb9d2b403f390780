//! Errors of the driver, in the words of the ports.

use export_ports::{PortError, PortErrorKind};
use mongodb::error::{Error, ErrorKind, WriteFailure};

/// Server codes (MongoDB manual, "Error Codes").
const LOCK_TIMEOUT: i32 = 24;
const NAMESPACE_EXISTS: i32 = 48;
const WRITE_CONFLICT: i32 = 112;
const DOCUMENT_VALIDATION: i32 = 121;
const SNAPSHOT_UNAVAILABLE: i32 = 246;
const BSON_TOO_LARGE: i32 = 10_334;
const DUPLICATE_KEY: i32 = 11_000;
const OUT_OF_SPACE: i32 = 14_031;
const DOCUMENT_TOO_LARGE: i32 = 17_419;

/// An error of the driver while `doing` something.
pub(crate) fn failed(doing: impl Into<String>, error: Error) -> PortError {
    let kind = code(&error).map_or(PortErrorKind::Unavailable, kind);
    PortError::because(kind, doing, text(&error))
}

/// An error that the server reports inside an answer, while `doing` something.
pub(crate) fn refused(doing: impl Into<String>, code: i32, message: &str) -> PortError {
    PortError::because(kind(code), doing, message)
}

fn kind(code: i32) -> PortErrorKind {
    match code {
        DUPLICATE_KEY | WRITE_CONFLICT | LOCK_TIMEOUT | SNAPSHOT_UNAVAILABLE => {
            PortErrorKind::Conflict
        }
        DOCUMENT_VALIDATION | BSON_TOO_LARGE | DOCUMENT_TOO_LARGE => PortErrorKind::Invalid,
        OUT_OF_SPACE => PortErrorKind::Full,
        _ => PortErrorKind::Unavailable,
    }
}

/// Whether a unique index refused a document.
pub(crate) fn is_duplicate(error: &Error) -> bool {
    code(error) == Some(DUPLICATE_KEY)
}

/// Whether somebody else's transaction was in the way.
pub(crate) fn is_write_conflict(code: i32) -> bool {
    code == WRITE_CONFLICT
}

/// Whether a write met another one.
pub(crate) fn met_another(error: &Error) -> bool {
    code(error).is_some_and(is_write_conflict)
}

/// Whether a validator refused a document.
pub(crate) fn is_invalid(error: &Error) -> bool {
    code(error) == Some(DOCUMENT_VALIDATION)
}

/// Whether a collection was there already.
pub(crate) fn is_there(error: &Error) -> bool {
    code(error) == Some(NAMESPACE_EXISTS)
}

/// The places in an unordered insert whose documents were there already; none when it failed for any
/// other reason.
pub(crate) fn duplicates(error: &Error) -> Option<Vec<usize>> {
    let ErrorKind::InsertMany(many) = error.kind.as_ref() else {
        return None;
    };
    if many.write_concern_error.is_some() {
        return None;
    }
    let errors = many.write_errors.as_ref()?;
    errors
        .iter()
        .map(|error| (error.code == DUPLICATE_KEY).then_some(error.index))
        .collect()
}

/// The server's code of an error.
pub(crate) fn code(error: &Error) -> Option<i32> {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => Some(command.code),
        ErrorKind::Write(WriteFailure::WriteError(write)) => Some(write.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(concern)) => Some(concern.code),
        ErrorKind::InsertMany(many) => {
            let first = many.write_errors.as_ref().and_then(|errors| errors.first());
            let concern = many.write_concern_error.as_ref();
            first
                .map(|error| error.code)
                .or(concern.map(|error| error.code))
        }
        _ => None,
    }
}

/// What an error says, in words.
fn text(error: &Error) -> String {
    let (message, code) = match error.kind.as_ref() {
        ErrorKind::Command(command) => (&command.message, command.code),
        ErrorKind::Write(WriteFailure::WriteError(write)) => (&write.message, write.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(concern)) => {
            (&concern.message, concern.code)
        }
        ErrorKind::InsertMany(many) => {
            let first = many.write_errors.as_ref().and_then(|errors| errors.first());
            match (first, &many.write_concern_error) {
                (Some(write), _) => (&write.message, write.code),
                (None, Some(concern)) => (&concern.message, concern.code),
                (None, None) => return error.to_string(),
            }
        }
        _ => return error.kind.to_string(),
    };
    format!("{message}, code {code}")
}
