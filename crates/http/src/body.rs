//! Bodies of requests, bounded in bytes and in patience.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::{Bytes, BytesMut};
use export_model::ErrorCode;
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};

use crate::Problem;

/// How long a body may take, besides the time that its bytes take at [`SLOWEST`].
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes a second that a client has to send in the long run. Who sends less would hold a
/// connection, and perhaps one of few places, for as long as it likes.
const SLOWEST: u64 = 16 << 10;

/// Refuses a body of another type than these.
///
/// # Errors
/// `ERR_WRONG_MEDIA_TYPE`.
pub fn wants(headers: &HeaderMap, types: &[&str]) -> Result<(), Problem> {
    let sent = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map(|value| value.split(';').next().unwrap_or_default().trim());
    if sent.is_some_and(|sent| types.iter().any(|wanted| sent.eq_ignore_ascii_case(wanted))) {
        return Ok(());
    }
    let detail = format!("the body has to be sent as {}", types.join(" or "));
    Err(Problem::new(ErrorCode::WrongMediaType, detail))
}

/// A whole body of at most `most` bytes, from a client that keeps sending.
///
/// # Errors
/// The refusal of a body that is too large, comes too slowly, or ends too early.
pub async fn read(mut body: Body, most: usize) -> Result<Bytes, Problem> {
    let too_large = || {
        let detail = format!("the body has more than {most} bytes");
        Problem::new(ErrorCode::BodyTooLarge, detail)
    };
    if axum::body::HttpBody::size_hint(&body).lower() > most as u64 {
        return Err(too_large());
    }
    let mut bytes = BytesMut::new();
    let begun = Instant::now();
    loop {
        let until = begun + PATIENCE + Duration::from_secs(bytes.len() as u64 / SLOWEST);
        let frame = timeout_at(until, body.frame()).await.map_err(|_| {
            let detail = format!(
                "the body came too slowly: {} bytes in {} s",
                bytes.len(),
                begun.elapsed().as_secs()
            );
            Problem::new(ErrorCode::RequestTimeout, detail)
        })?;
        let Some(frame) = frame else {
            return Ok(bytes.freeze());
        };
        let frame = frame.map_err(|_| {
            Problem::new(ErrorCode::NotJson, "the body ends before its announced end")
        })?;
        if let Ok(data) = frame.into_data() {
            if bytes.len() + data.len() > most {
                return Err(too_large());
            }
            bytes.extend_from_slice(&data);
        }
    }
}
