//! Answers: JSON documents with their status and headers.

use aide::generate::GenContext;
use aide::openapi::{Operation, Response as Documented};
use aide::{OperationInput, OperationOutput};
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use export_http::json;

use super::Problem;

/// A document, sent with the status `STATUS`.
pub(super) struct Answer<T, const STATUS: u16 = 200> {
    document: T,
    headers: HeaderMap,
}

impl<T, const STATUS: u16> Answer<T, STATUS> {
    pub(super) fn new(document: T) -> Self {
        Self {
            document,
            headers: HeaderMap::new(),
        }
    }

    /// The same with a header; a value that cannot be a header's is left out.
    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

impl<T: Serialize, const STATUS: u16> IntoResponse for Answer<T, STATUS> {
    fn into_response(self) -> Response {
        let body = match serde_json::to_vec(&self.document) {
            Ok(body) => body,
            Err(error) => {
                let code = export_model::ErrorCode::Internal;
                return Problem::new(code, format!("writing the answer: {error}")).into_response();
            }
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::from_u16(STATUS).unwrap_or(StatusCode::OK);
        *response.headers_mut() = self.headers;
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

impl<T: JsonSchema, const STATUS: u16> OperationOutput for Answer<T, STATUS> {
    type Inner = T;

    fn operation_response(ctx: &mut GenContext, _: &mut Operation) -> Option<Documented> {
        Some(json::<T>(ctx, "application/json"))
    }

    fn inferred_responses(
        ctx: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, Documented)> {
        vec![(Some(STATUS), json::<T>(ctx, "application/json"))]
    }
}

/// Nothing but the status 204.
pub(super) struct Done;

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl OperationOutput for Done {
    type Inner = ();

    fn inferred_responses(_: &mut GenContext, _: &mut Operation) -> Vec<(Option<u16>, Documented)> {
        let done = Documented {
            description: "Done".to_owned(),
            ..Documented::default()
        };
        vec![(Some(204), done)]
    }
}

impl OperationInput for super::Service {}
