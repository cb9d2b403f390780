//! Why a phase could not do its step.

use export_model::{ErrorCode, Failure, FieldError, QuotaState};
use export_ports::{PortError, PortErrorKind};

/// A step that could not be done.
#[derive(Debug, thiserror::Error)]
pub enum PhaseError {
    /// The run can never succeed, or what was asked for cannot be done.
    #[error("{detail}")]
    Permanent {
        /// The catalogue's code.
        code: ErrorCode,
        /// What happened, to what.
        detail: String,
    },
    /// A request that is wrong, or names what is not there.
    #[error("{detail}")]
    Refused {
        /// The catalogue's code.
        code: ErrorCode,
        /// What is wrong, with what.
        detail: String,
        /// The wrong members.
        fields: Vec<FieldError>,
    },
    /// A request for more than is left of a quota.
    #[error("the quota {} of {} is used up until {}", .0.name.as_str(), .0.limit, .0.reset_at)]
    OverQuota(QuotaState),
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

    /// A request with wrong members.
    #[must_use]
    pub fn invalid(fields: Vec<FieldError>) -> Self {
        let detail = fields
            .iter()
            .map(|error| format!("{} {}", error.field, error.message))
            .collect::<Vec<_>>()
            .join("; ");
        let cross_tenant = fields.iter().any(|error| error.field.ends_with(".tenants"));
        Self::Refused {
            code: if cross_tenant {
                ErrorCode::CrossTenant
            } else {
                ErrorCode::InvalidRequest
            },
            detail,
            fields,
        }
    }

    /// Whether the same step may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Permanent { .. }
            | Self::Refused { .. }
            | Self::OverQuota(_)
            | Self::Superseded => false,
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
            Self::Permanent { code, .. } | Self::Refused { code, .. } => *code,
            Self::OverQuota(quota) => quota.name.code(),
            Self::Port(error) => error.code(),
            Self::Superseded => ErrorCode::Internal,
        };
        Failure {
            error_code,
            detail: self.to_string(),
        }
    }
}
