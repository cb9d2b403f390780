//! Why a document was turned away.

use export_canonical::record::ParseError;
use export_model::ErrorCode;

use crate::guardrails::Violation;

/// A document that cannot become a record: its publisher or collector has to change it.
///
/// Where the document came from (file, line) is the reader's knowledge; see
/// [`Location`](crate::read::Location).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// Which documented error this is.
    pub code: ErrorCode,
    /// What is wrong with what, without file and line.
    pub detail: String,
}

impl Refusal {
    /// A refusal with `code`, saying `detail`.
    #[must_use]
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }

    /// A record that breaks the contract in `member`.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidRecord, detail)
    }
}

impl From<ParseError> for Refusal {
    fn from(error: ParseError) -> Self {
        let code = match error {
            ParseError::InvalidUtf8 { .. } => ErrorCode::InvalidUtf8,
            ParseError::LoneSurrogate { .. } => ErrorCode::LoneSurrogate,
            ParseError::DuplicateMember { .. } => ErrorCode::DuplicateMember,
            ParseError::TooDeep { .. } => ErrorCode::TooDeep,
            ParseError::TooLarge { .. } => ErrorCode::RecordTooLarge,
            // The rest (and what a later version may add) all mean that the text is not JSON.
            _ => ErrorCode::NotJson,
        };
        Self::new(code, error.to_string())
    }
}

impl From<Violation> for Refusal {
    fn from(violation: Violation) -> Self {
        Self::new(violation.code, violation.detail)
    }
}

/// At most 80 characters of `text`, for messages.
pub(crate) fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
