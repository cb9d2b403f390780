//! Why a request was refused.

use export_lifecycle::PhaseError;
use export_model::{ErrorCode, FieldError};
use export_ports::PortError;

/// A refused request.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct ApiError {
    /// The catalogue's code.
    pub code: ErrorCode,
    /// What is wrong, with what.
    pub detail: String,
    /// The wrong members, where there are any.
    pub fields: Vec<FieldError>,
}

impl ApiError {
    /// A refusal without members.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            fields: Vec::new(),
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
        Self {
            code: if cross_tenant {
                ErrorCode::CrossTenant
            } else {
                ErrorCode::InvalidRequest
            },
            detail,
            fields,
        }
    }
}

impl From<PortError> for ApiError {
    fn from(error: PortError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<PhaseError> for ApiError {
    fn from(error: PhaseError) -> Self {
        let failure = error.failure();
        Self::new(failure.error_code, failure.detail)
    }
}
