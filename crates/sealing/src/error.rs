//! Why sealing or opening failed. No text here holds key material or plaintext.

use crate::age::MAX_RECIPIENTS;

/// Why a file could not be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Nobody could ever open it.
    #[error("a file has to be sealed to at least one recipient")]
    NoRecipients,
    /// More than a header holds.
    #[error("{count} recipients were given; a file can be sealed to at most {MAX_RECIPIENTS}")]
    TooManyRecipients {
        /// How many there were.
        count: usize,
    },
    /// The host has no random bytes.
    #[error("cannot draw the random bytes of a key")]
    Random(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// More than 2^32 chunks.
    #[error("the file is larger than its format allows")]
    TooLong,
    /// The cryptographic library failed; nothing that was given is known to be at fault.
    #[error("the cryptographic library cannot {doing}")]
    Library {
        /// The step, as a verb phrase.
        doing: &'static str,
    },
}

/// Why a sealed file could not be opened, and which.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the sealed file {path}")]
pub struct OpenError {
    /// Its path, as the caller gave it.
    pub path: String,
    /// Why.
    #[source]
    pub kind: OpenErrorKind,
}

/// Why a sealed file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenErrorKind {
    /// The file begins like none of the formats.
    #[error("it is not sealed: it begins neither like an age file nor like an export-center one")]
    NotSealed,
    /// A format that exists and is not read here.
    #[error("it is {found}; {advice}")]
    Unsupported {
        /// What it is.
        found: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// The header has no end within the limit.
    #[error("its header is longer than {limit} bytes")]
    HeaderTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The header is not in its format.
    #[error("its header is damaged: {reason}")]
    BadHeader {
        /// What was found.
        reason: &'static str,
    },
    /// The header was altered: a key opens it, and its authentication code is wrong.
    #[error("its header was altered")]
    HeaderAltered,
    /// No key that could open it was given.
    #[error("no {needed} was given")]
    NoKey {
        /// What would open it.
        needed: &'static str,
    },
    /// Keys were given, and it was sealed to others.
    #[error("it was sealed to others than {given}")]
    WrongKey {
        /// What was tried.
        given: String,
    },
    /// A chunk is not what was sealed, or not where it was.
    #[error(
        "its chunk {chunk} (from 0) was altered, moved, or belongs to another file; nothing of it was given out"
    )]
    Altered {
        /// Which, counted from 0.
        chunk: u64,
    },
    /// The end is missing.
    #[error("its end is missing: it was cut within or after chunk {chunk} (from 0)")]
    Cut {
        /// The last chunk that was there, in whole or in part, counted from 0.
        chunk: u64,
    },
    /// Something follows the end.
    #[error("bytes follow its end (chunk {chunk}, from 0)")]
    Appended {
        /// The last chunk, counted from 0.
        chunk: u64,
    },
    /// The opener has failed before, and was used again.
    #[error("reading it has failed before")]
    FailedBefore,
    /// The cryptographic library failed; nothing that was given is known to be at fault.
    #[error("the cryptographic library cannot {doing}")]
    Library {
        /// The step, as a verb phrase.
        doing: &'static str,
    },
}

impl OpenErrorKind {
    /// The same, of the file at `path`.
    pub(crate) fn at(self, path: &str) -> OpenError {
        OpenError {
            path: path.to_owned(),
            kind: self,
        }
    }
}
