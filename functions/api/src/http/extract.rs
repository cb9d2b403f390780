//! What a request carries: its JSON document, its parameters, the segments of its path.

use std::time::Duration;

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, ReferenceOr, RequestBody, SchemaObject};
use aide::operation::{ParamLocation, add_parameters, parameters_from_schema};
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use bytes::{Bytes, BytesMut};
use export_model::ErrorCode;
use http_body_util::BodyExt as _;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use super::{Problem, Service};

/// The most bytes of a request's document.
const DOCUMENT_BYTES: usize = 1 << 20;
/// How long a body may take, besides the time that its bytes take at [`SLOWEST`].
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes a second that a client has to send in the long run. Who sends less would hold a
/// connection, and perhaps one of few places, for as long as it likes.
const SLOWEST: u64 = 16 << 10;

/// A request's JSON document.
pub(super) struct Document<T> {
    /// What it says.
    pub(super) value: T,
    /// As it was sent.
    pub(super) bytes: Bytes,
}

impl<T: DeserializeOwned> FromRequest<Service> for Document<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Service) -> Result<Self, Problem> {
        wants(request.headers(), &["application/json"])?;
        let bytes = read(request.into_body(), DOCUMENT_BYTES).await?;
        let mut parser = serde_json::Deserializer::from_slice(&bytes);
        let value: T = serde_path_to_error::deserialize(&mut parser).map_err(|error| {
            let path = error.path().to_string();
            let inner = error.into_inner();
            if inner.is_data() {
                let field = if path == "." { "body" } else { &path };
                Problem::field(field, inner.to_string())
            } else {
                Problem::new(ErrorCode::NotJson, format!("the body is not JSON: {inner}"))
            }
        })?;
        parser.end().map_err(|error| {
            Problem::new(ErrorCode::NotJson, format!("the body is not JSON: {error}"))
        })?;
        Ok(Self { value, bytes })
    }
}

/// Refuses a body of another type than these.
pub(super) fn wants(headers: &HeaderMap, types: &[&str]) -> Result<(), Problem> {
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
pub(super) async fn read(mut body: Body, most: usize) -> Result<Bytes, Problem> {
    let too_large = || {
        let detail = format!("the body has more than {most} bytes");
        Problem::new(ErrorCode::BodyTooLarge, detail)
    };
    if http_body::Body::size_hint(&body).lower() > most as u64 {
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

impl<T: JsonSchema> OperationInput for Document<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let json_schema = ctx.schema.subschema_for::<T>();
        let media = MediaType {
            schema: Some(SchemaObject {
                json_schema,
                external_docs: None,
                example: None,
            }),
            ..MediaType::default()
        };
        operation.request_body = Some(ReferenceOr::Item(RequestBody {
            content: [("application/json".to_owned(), media)]
                .into_iter()
                .collect(),
            required: true,
            ..RequestBody::default()
        }));
    }
}

/// The parameters of a request's query. Unknown and repeated ones are refused by name.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Service> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Service) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let parser = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
        serde_path_to_error::deserialize(parser)
            .map(Self)
            .map_err(|error| {
                let path = error.path().to_string();
                let field = if path == "." { "query" } else { &path };
                Problem::field(field, error.into_inner().to_string())
            })
    }
}

impl<T: JsonSchema> OperationInput for Params<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema = ctx.schema.subschema_for::<T>();
        let schema = ctx.resolve_schema(&schema).clone();
        let parameters = parameters_from_schema(ctx, schema, ParamLocation::Query);
        add_parameters(ctx, operation, parameters);
    }
}

/// The segments of a request's path.
pub(super) struct Segments<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Service> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let segments: Result<Path<T>, PathRejection> =
            Path::from_request_parts(parts, service).await;
        segments.map(|Path(value)| Self(value)).map_err(|_| {
            // What is no text is no name of anything.
            Problem::new(ErrorCode::NoSuchResource, "there is nothing at this path")
        })
    }
}

impl<T: JsonSchema> OperationInput for Segments<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema = ctx.schema.subschema_for::<T>();
        let schema = ctx.resolve_schema(&schema).clone();
        let parameters = parameters_from_schema(ctx, schema, ParamLocation::Path);
        add_parameters(ctx, operation, parameters);
    }
}
