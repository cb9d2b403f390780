//! Why a request was refused.

use export_http::Problem;
use export_lifecycle::PhaseError;
use export_model::{ErrorCode, FieldError, QuotaState};
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
    /// The quota that is used up, where it is one.
    pub quota: Option<QuotaState>,
}

impl ApiError {
    /// A refusal without members.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            fields: Vec::new(),
            quota: None,
        }
    }

    /// A request with wrong members.
    #[must_use]
    pub fn invalid(fields: Vec<FieldError>) -> Self {
        PhaseError::invalid(fields).into()
    }

    /// A request for more than is left of a quota.
    #[must_use]
    pub fn over_quota(quota: QuotaState) -> Self {
        PhaseError::OverQuota(quota).into()
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
        let mut refused = Self::new(failure.error_code, failure.detail);
        match error {
            PhaseError::Refused { fields, .. } => refused.fields = fields,
            PhaseError::OverQuota(quota) => refused.quota = Some(quota),
            _ => {}
        }
        refused
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        let mut problem = Self::failed(error.code, error.detail);
        problem.fields = error.fields;
        problem.quota = error.quota;
        problem
    }
}
