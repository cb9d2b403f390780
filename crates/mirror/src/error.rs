//! What can be wrong with a listing or a delta.

use std::io;

/// Why a listing or a delta could not be read on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListingError {
    /// Its bytes could not be read, or not be decompressed.
    #[error("could not read line {line} of the {what}")]
    Read {
        /// `listing` or `delta`.
        what: &'static str,
        /// Counts from 1.
        line: u64,
        /// Why.
        source: io::Error,
    },
    /// A line is not one that is written here.
    #[error("line {line} of the {what} {fault}")]
    Line {
        /// `listing` or `delta`.
        what: &'static str,
        /// Counts from 1.
        line: u64,
        /// What is wrong.
        fault: LineFault,
    },
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineFault {
    /// It differs from the only form in which it is written.
    #[error("is not in the form that is written")]
    Form,
    /// It is longer than [`MAX_LINE_BYTES`](crate::MAX_LINE_BYTES).
    #[error("is longer than 64 KiB")]
    TooLong,
    /// The last line has no line end.
    #[error("has no line end: the rest is missing")]
    Unended,
    /// No ledger record can have such an id or subject.
    #[error("has a `{0}` that is empty, too long, or has a control character")]
    Id(&'static str),
    /// More bytes than a document may have.
    #[error("says that a document has {0} bytes, and none may have more than 64 MiB")]
    Size(u64),
    /// The path is another one than its kind and `_id` give.
    #[error("names `{found}` where its document lies at `{expected}`")]
    Path {
        /// The path in the line.
        found: String,
        /// The path that follows from kind and `_id`.
        expected: String,
    },
    /// It comes before the line before it.
    #[error("is not in canonical order")]
    Order,
    /// It is about the same document as the line before it.
    #[error("names the same document as the line before it")]
    Twice,
}
