//! What can go wrong with a request, and whether the same again may succeed.

use std::time::Duration;

use export_model::{ErrorCode, FieldError};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde::Deserialize;

use crate::failure::Failed;

/// The most bytes of a document that is read whole.
const LARGEST_DOCUMENT: usize = 64 << 20;
/// The most bytes of a refusal.
const LARGEST_PROBLEM: usize = 1 << 20;

/// A request that was not answered, or was refused.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// Why, as the user is told.
    pub(crate) failed: Failed,
    /// Whether the same request may succeed a little later.
    pub(crate) passes: bool,
    /// How long the service asks to wait before that.
    pub(crate) after: Option<Duration>,
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        trouble.failed
    }
}

impl From<Failed> for Trouble {
    fn from(failed: Failed) -> Self {
        Self {
            failed,
            passes: false,
            after: None,
        }
    }
}

/// A refusal (RFC 9457), as far as it is told to the user.
#[derive(Deserialize)]
struct Document {
    error_code: String,
    detail: String,
    #[serde(default)]
    errors: Vec<FieldError>,
}

impl Trouble {
    /// No answer, or not all of it.
    pub(crate) fn lost(url: &str, error: &reqwest::Error) -> Self {
        let why = export_authority::client::lost(error);
        let code = ErrorCode::ServerUnreachable;
        Self {
            failed: Failed::new(code, format!("{url}: {why}")),
            passes: true,
            after: None,
        }
    }

    /// The refusal that `response` is.
    pub(crate) async fn refused(url: &str, mut response: Response) -> Self {
        let status = response.status();
        let after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        let is_problem = media_type(&response) == "application/problem+json";
        let body = match read(url, &mut response, LARGEST_PROBLEM).await {
            Ok(body) => body,
            Err(trouble) => return trouble,
        };
        let passes = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        let document = is_problem
            .then(|| serde_json::from_slice::<Document>(&body).ok())
            .flatten();
        let Some(document) = document else {
            let detail = format!("{url}: answered {status}, which the service would not");
            return Self {
                failed: Failed::new(ErrorCode::ServerUnreachable, detail),
                passes,
                after,
            };
        };
        let failed = match document.error_code.parse() {
            Ok(code) => Failed {
                code,
                detail: document.detail,
                fields: document.errors,
            },
            // A newer service knows more codes.
            Err(_) => {
                let code = by_status(status);
                let detail = format!("{} ({})", document.detail, document.error_code);
                Failed::new(code, detail)
            }
        };
        let passes = passes || failed.code == ErrorCode::IdempotencyConflict;
        Self {
            failed,
            passes,
            after,
        }
    }

    /// An answer that is not what was asked for.
    pub(crate) fn strange(url: &str, why: impl std::fmt::Display) -> Self {
        let detail = format!("{url}: {why}");
        Failed::new(ErrorCode::ServerUnreachable, detail).into()
    }
}

fn by_status(status: StatusCode) -> ErrorCode {
    match status {
        StatusCode::UNAUTHORIZED => ErrorCode::Unauthenticated,
        StatusCode::FORBIDDEN => ErrorCode::ScopeMissing,
        StatusCode::NOT_FOUND => ErrorCode::NoSuchResource,
        status if status.is_server_error() => ErrorCode::ServerUnreachable,
        _ => ErrorCode::InvalidRequest,
    }
}

/// A response's media type, without parameters.
pub(crate) fn media_type(response: &Response) -> String {
    response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// A whole body of at most `most` bytes.
pub(crate) async fn read(
    url: &str,
    response: &mut Response,
    most: usize,
) -> Result<Vec<u8>, Trouble> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => return Ok(body),
            Ok(Some(chunk)) if body.len() + chunk.len() <= most => body.extend_from_slice(&chunk),
            Ok(Some(_)) => {
                let why = format!("answered with more than {most} bytes");
                return Err(Trouble::strange(url, why));
            }
            Err(error) => return Err(Trouble::lost(url, &error)),
        }
    }
}

/// A JSON document.
pub(crate) async fn document<T: serde::de::DeserializeOwned>(
    url: &str,
    mut response: Response,
) -> Result<T, Trouble> {
    let body = read(url, &mut response, LARGEST_DOCUMENT).await?;
    serde_json::from_slice(&body).map_err(|error| {
        Trouble::strange(
            url,
            format!("answered what this version cannot read: {error}"),
        )
    })
}
