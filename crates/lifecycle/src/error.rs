//! Why a phase could not do its step.

use export_model::{ErrorCode, Failure};
use export_ports::{PortError, PortErrorKind};

/// A step that could not be done.
#[derive(Debug, thiserror::Error)]
pub enum PhaseError {
    /// The run can never succeed.
    #[error("{detail}")]
    Permanent {
        /// The catalogue's code.
        code: ErrorCode,
        /// What happened, to what.
        detail: String,
    },
    /// A port failed in a way that may pass.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The run does not want the step any more: it was cancelled, has failed, or somebody else
    /// did it. Whatever was written is to be removed, and nobody is to be told.
    #[error("the run no longer needs this step")]
    Superseded,
}

impl PhaseError {
    /// The run can never succeed, because of `detail`.
    pub fn permanent(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self::Permanent {
            code,
            detail: detail.into(),
        }
    }

    /// Whether the same step may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Permanent { .. } | Self::Superseded => false,
            Self::Port(error) => matches!(
                error.kind(),
                PortErrorKind::Unavailable | PortErrorKind::Conflict
            ),
        }
    }

    /// The failure that a run records.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let error_code = match self {
            Self::Permanent { code, .. } => *code,
            Self::Port(error) => error.code(),
            Self::Superseded => ErrorCode::Internal,
        };
        Failure {
            error_code,
            detail: self.to_string(),
        }
    }
}
