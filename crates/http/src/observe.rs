//! Around every request: its trace, its headers, and a line in the access log.
//!
//! The log has the route as it was declared, not the path that was sent, and never a header's
//! value, so that no token or proof can get into it.

use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, HeaderName, HeaderValue, RETRY_AFTER};
use axum::middleware::Next;
use axum::response::Response;
use export_model::{QuotaState, Sha256Digest, Timestamp};

use crate::notes::Notes;
use crate::problem::seconds_until;
use crate::{Door, Problem};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const NOSNIFF: HeaderName = HeaderName::from_static("x-content-type-options");

/// Answers a request and says so.
pub async fn observe(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let trace = Trace::of(&request, &door.token());
    let notes = Notes::default();
    notes.traceparent(&trace.parent);
    request.extensions_mut().insert(notes.clone());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());

    let mut response = next.run(request).await;

    let noted = notes.read();
    let now = door.now();
    let mut quota = noted.quota;
    let mut error_code = "";
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        error_code = problem.code.as_str();
        quota = problem.quota.or(quota);
        if let Some(state) = &problem.quota {
            let seconds = seconds_until(now, state.reset_at);
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        let document = problem.document(&path, &trace.id);
        let body = serde_json::to_vec(&document).unwrap_or_default();
        response
            .headers_mut()
            .insert(CONTENT_LENGTH, body.len().into());
        *response.body_mut() = Body::from(body);
    }
    let headers = response.headers_mut();
    if let Some(state) = &quota {
        quota_headers(headers, state, now);
    }
    if let Ok(id) = HeaderValue::from_str(&trace.id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(NOSNIFF, HeaderValue::from_static("nosniff"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));

    tracing::info!(
        target: "export_api::access",
        request_id = trace.id,
        method = method.as_str(),
        route = route.as_deref().unwrap_or("none"),
        status = response.status().as_u16(),
        millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        tenant = noted.tenant.as_ref().map(export_model::Tenant::as_str),
        subject = noted.subject.as_deref(),
        error_code,
        "request"
    );
    response
}

/// The quota that applied most tightly, in our headers and in those of the draft "RateLimit header
/// fields for HTTP" (draft-ietf-httpapi-ratelimit-headers).
fn quota_headers(headers: &mut axum::http::HeaderMap, state: &QuotaState, now: Timestamp) {
    let name = state.name.as_str();
    let reset = seconds_until(now, state.reset_at);
    let (limit, remaining) = (state.limit, state.remaining);
    let mut put = |header: &'static str, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(header), value);
        }
    };
    put("x-stella-quota-name", name.to_owned());
    put("x-stella-quota-limit", limit.to_string());
    put("x-stella-quota-remaining", remaining.to_string());
    put("x-stella-quota-reset", reset.to_string());
    put("ratelimit", format!("\"{name}\";r={remaining};t={reset}"));
    put("ratelimit-policy", format!("\"{name}\";q={limit}"));
}

/// A request's place in a trace.
struct Trace {
    /// The trace id, 32 hexadecimal digits. Also the request's id.
    id: String,
    /// What is handed on.
    parent: String,
}

impl Trace {
    /// Goes on with the caller's trace where the request names one; begins one otherwise. `token`
    /// has the randomness for either.
    fn of(request: &Request, token: &str) -> Self {
        let random = Sha256Digest::of(token.as_bytes()).hex();
        let (new_trace, rest) = random.split_at(32);
        let span = rest.get(..16).unwrap_or_default();
        let mut sent = request.headers().get_all(TRACEPARENT).iter();
        let (id, flags) = match (sent.next(), sent.next()) {
            (Some(one), None) => one.to_str().ok().and_then(parse),
            _ => None,
        }
        .unwrap_or((new_trace, "01"));
        Self {
            id: id.to_owned(),
            parent: format!("00-{id}-{span}-{flags}"),
        }
    }
}

/// Trace id and flags of a `traceparent` (W3C Trace Context §3.2.2); none where it is not one.
fn parse(value: &str) -> Option<(&str, &str)> {
    let hex = |text: &str, length: usize| {
        text.len() == length
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let mut fields = value.split('-');
    let (version, trace, span, flags) = (
        fields.next()?,
        fields.next()?,
        fields.next()?,
        fields.next()?,
    );
    let good = hex(version, 2)
        && version != "ff"
        && (version != "00" || fields.next().is_none())
        && hex(trace, 32)
        && trace.bytes().any(|b| b != b'0')
        && hex(span, 16)
        && span.bytes().any(|b| b != b'0')
        && hex(flags, 2);
    good.then_some((trace, flags))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_continued_or_begun() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let good = format!("00-{trace}-00f067aa0ba902b7-00");
        let request = |value: &str| {
            Request::builder()
                .header("traceparent", value)
                .body(Body::empty())
                .unwrap()
        };
        let continued = Trace::of(&request(&good), "token");
        assert_eq!(continued.id, trace);
        assert!(continued.parent.starts_with(&format!("00-{trace}-")));
        assert!(continued.parent.ends_with("-00"));
        assert!(!continued.parent.contains("00f067aa0ba902b7"));
        for bad in [
            "",
            "00",
            &good.to_uppercase(),
            &format!("{good}-more"),
            &format!("ff-{trace}-00f067aa0ba902b7-00"),
            &format!("00-{}-00f067aa0ba902b7-00", "0".repeat(32)),
            &format!("00-{trace}-0000000000000000-00"),
        ] {
            let begun = Trace::of(&request(bad), "token");
            assert_ne!(begun.id, trace, "{bad}");
            assert!(parse(&begun.parent).is_some(), "{}", begun.parent);
        }
    }
}
