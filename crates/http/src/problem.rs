//! Refusals as `application/problem+json` (RFC 9457).
//!
//! A handler gives a [`Problem`]; what it says of the request (its path, its trace) is added on the
//! way out, where the request is still known.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use export_authority::Denied;
use export_model::{ErrorCode, FieldError, QuotaState, Timestamp};
use export_ports::PortError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the catalogue of error codes is published.
const CATALOGUE: &str = "https://export-center.dev/docs/errors#";

/// A refused request, as its sender reads it (RFC 9457 §3.1).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct ProblemDocument {
    /// The page that says what the code means and what to do.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// What is wrong, with what.
    pub detail: String,
    /// The path that was asked for.
    pub instance: String,
    /// The catalogue's code, which never changes.
    pub error_code: String,
    /// The members that are wrong, where there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The request's trace id, by which the service's logs know it.
    pub request_id: String,
}

/// A refusal on its way out.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The status of the response.
    pub status: StatusCode,
    /// The catalogue's code.
    pub code: ErrorCode,
    /// What is wrong, with what.
    pub detail: String,
    /// The wrong members, where there are any.
    pub fields: Vec<FieldError>,
    /// The quota that is used up, where it is one.
    pub quota: Option<QuotaState>,
    /// Headers that belong to it.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A refusal by its code; the status follows from it.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            status: status(code),
            code,
            detail: detail.into(),
            fields: Vec::new(),
            quota: None,
            headers: Vec::new(),
        }
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The same with a header; one that cannot be a header is left out.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// A refusal in whose place only the log says what happened, where it is the service's own
    /// failure: paths and stores are nobody else's business.
    pub fn failed(code: ErrorCode, detail: impl Into<String>) -> Self {
        let mut problem = Self::new(code, detail);
        if problem.status.is_server_error() {
            tracing::error!(error_code = %problem.code, "a request failed: {}", problem.detail);
            problem.detail = problem.code.meaning().to_owned();
            if problem.status == StatusCode::SERVICE_UNAVAILABLE {
                problem = problem.with_header(RETRY_AFTER, "2");
            }
        }
        problem
    }

    /// A request with wrong members.
    #[must_use]
    pub fn invalid(fields: Vec<FieldError>) -> Self {
        let detail: Vec<_> = fields
            .iter()
            .map(|error| format!("{} {}", error.field, error.message))
            .collect();
        let mut problem = Self::new(ErrorCode::InvalidRequest, detail.join("; "));
        problem.fields = fields;
        problem
    }

    /// The document for a request of `path`.
    pub(crate) fn document(&self, path: &str, request_id: &str) -> ProblemDocument {
        ProblemDocument {
            kind: format!("{CATALOGUE}{}", self.code.as_str().to_ascii_lowercase()),
            title: self
                .status
                .canonical_reason()
                .unwrap_or("Refused")
                .to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            instance: path.to_owned(),
            error_code: self.code.as_str().to_owned(),
            errors: self.fields.clone(),
            request_id: request_id.to_owned(),
        }
    }
}

impl From<PortError> for Problem {
    fn from(error: PortError) -> Self {
        Self::failed(error.code(), error.to_string())
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let status = StatusCode::from_u16(denied.http_status()).unwrap_or(StatusCode::UNAUTHORIZED);
        let problem = Self::new(denied.code(), denied.to_string()).with_status(status);
        match denied.www_authenticate() {
            Some(value) => problem.with_header(WWW_AUTHENTICATE, &value),
            None => {
                // Where the keys come from is for the log, too.
                tracing::error!(error_code = %problem.code, "nobody can be recognised: {denied}");
                let detail = problem.code.meaning();
                Self::new(problem.code, detail).with_header(RETRY_AFTER, "2")
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        for (name, value) in &self.headers {
            response.headers_mut().append(name, value.clone());
        }
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        response.extensions_mut().insert(self);
        response
    }
}

/// The media type of a problem document.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The status that a code means over HTTP.
#[must_use]
pub fn status(code: ErrorCode) -> StatusCode {
    use ErrorCode as E;
    match code {
        E::NotJson => StatusCode::BAD_REQUEST,
        E::Unauthenticated
        | E::TokenInvalid
        | E::TokenExpired
        | E::DpopInvalid
        | E::DpopReplayed => StatusCode::UNAUTHORIZED,
        E::ScopeMissing
        | E::CrossTenant
        | E::ApprovalInvalid
        | E::ApprovalSignature
        | E::ApprovalTime
        | E::ApprovalScope => StatusCode::FORBIDDEN,
        E::UnknownProfile | E::UnknownRun | E::UnknownSchedule | E::NoSuchResource => {
            StatusCode::NOT_FOUND
        }
        E::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
        E::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
        E::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        E::ProfileExists
        | E::BuiltinProfile
        | E::ProfileRetired
        | E::NotReady
        | E::ApprovalUsed
        | E::RunEnded
        | E::IdempotencyConflict
        | E::Cancelled => StatusCode::CONFLICT,
        E::Pruned | E::DeltaBasePruned => StatusCode::GONE,
        E::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        E::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
        E::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        E::WrongMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        E::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        E::QuotaRuns | E::QuotaBytes | E::QuotaRequests => StatusCode::TOO_MANY_REQUESTS,
        E::AuthorityUnreachable
        | E::Storage
        | E::DiskFull
        | E::ScratchFull
        | E::ReadOnly
        | E::RetriesExhausted
        | E::SigningFailed
        | E::Io => StatusCode::SERVICE_UNAVAILABLE,
        E::Internal
        | E::HomeNewer
        | E::HomeDamaged
        | E::KeyUnreadable
        | E::KeyPassword
        | E::InputDrift => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// Whole seconds from `now` to `then`, at least one.
pub(crate) fn seconds_until(now: Timestamp, then: Timestamp) -> u64 {
    then.millis_since(now).div_ceil(1_000).max(1)
}

/// The refusal of a path at which there is nothing.
pub async fn nothing_here() -> Problem {
    Problem::new(ErrorCode::NoSuchResource, "there is nothing at this path")
}

/// The refusal of a method that a path does not have.
pub async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{method} is not possible at {}", uri.path());
    Problem::new(ErrorCode::WrongMethod, detail)
}
