//! What a request carries: its JSON document, its parameters, the segments of its path.

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, ReferenceOr, RequestBody, SchemaObject};
use aide::operation::{ParamLocation, add_parameters, parameters_from_schema};
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use bytes::Bytes;
use export_model::ErrorCode;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::{Problem, Service, read, wants};

/// The most bytes of a request's document.
const DOCUMENT_BYTES: usize = 1 << 20;

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
                super::field(field, inner.to_string())
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
                super::field(field, error.into_inner().to_string())
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
