//! Why reading ended early.

use std::io;

use export_model::ErrorCode;

use super::Location;
use crate::Refusal;

/// Why reading ended early.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file or folder could not be read: the environment's doing.
    #[error("{location}: could not be read: {source}")]
    Io {
        /// Which.
        location: Location,
        /// The system's answer.
        source: io::Error,
    },
    /// A document or file was turned away: whoever wrote it has to change it.
    #[error("{location}: {refusal}")]
    Refused {
        /// Where it is.
        location: Location,
        /// Why.
        #[source]
        refusal: Refusal,
    },
}

impl ReadError {
    pub(super) fn refused(location: Location, code: ErrorCode, detail: impl Into<String>) -> Self {
        Self::Refused {
            location,
            refusal: Refusal::new(code, detail),
        }
    }

    /// Which documented error this is.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Io { .. } => ErrorCode::Io,
            Self::Refused { refusal, .. } => refusal.code,
        }
    }

    /// Where it happened.
    #[must_use]
    pub fn location(&self) -> &Location {
        match self {
            Self::Io { location, .. } | Self::Refused { location, .. } => location,
        }
    }
}
