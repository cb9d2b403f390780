//! The OpenAPI 3.1 document, generated from the routes and the types of their handlers.
//!
//! Parameters, bodies and good answers come from the handlers' own types, so they cannot say
//! anything else than the code does. What only a person knows stands beside each route: a sentence,
//! and the codes with which it refuses.

use std::collections::BTreeMap;

use aide::openapi::{
    Info, License, MediaType, OpenApi, ReferenceOr, RequestBody, Response, SchemaObject,
    StatusCode, Tag,
};
use aide::transform::TransformOperation;
use export_model::ErrorCode;
use serde_json::{Value, json};

use export_http::{PROBLEM_JSON, ProblemDocument, status};

/// The name of the security scheme.
pub(super) const SECURITY_SCHEME: &str = "dpop";

/// Codes that every call of an authenticated operation may give.
const ALWAYS: &[ErrorCode] = &[
    ErrorCode::Unauthenticated,
    ErrorCode::TokenInvalid,
    ErrorCode::TokenExpired,
    ErrorCode::DpopInvalid,
    ErrorCode::DpopReplayed,
    ErrorCode::ScopeMissing,
    ErrorCode::QuotaRequests,
    ErrorCode::Internal,
    ErrorCode::Storage,
    ErrorCode::AuthorityUnreachable,
];
/// Codes of operations that take a document.
pub(super) const DOCUMENT: &[ErrorCode] = &[
    ErrorCode::NotJson,
    ErrorCode::BodyTooLarge,
    ErrorCode::WrongMediaType,
    ErrorCode::RequestTimeout,
    ErrorCode::InvalidRequest,
];

/// What an operation is, in words, and the codes with which it refuses.
pub(super) fn describe<'a>(
    operation: TransformOperation<'a>,
    (id, tag, summary): (&str, &str, &str),
    codes: &[&[ErrorCode]],
) -> TransformOperation<'a> {
    let mut by_status: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
    for code in codes.iter().copied().chain([ALWAYS]).flatten() {
        let codes = by_status.entry(status(*code).as_u16()).or_default();
        if !codes.contains(code) {
            codes.push(*code);
        }
    }
    let mut operation = operation.id(id).tag(tag).summary(summary);
    for (status, codes) in by_status {
        operation = refusal(operation, status, &codes);
    }
    operation
}

fn refusal<'a>(
    mut operation: TransformOperation<'a>,
    status: u16,
    codes: &[ErrorCode],
) -> TransformOperation<'a> {
    let lines: Vec<_> = codes
        .iter()
        .map(|code| format!("`{code}`: {}", code.meaning()))
        .collect();
    let json_schema =
        aide::generate::in_context(|context| context.schema.subschema_for::<ProblemDocument>());
    let media = MediaType {
        schema: Some(SchemaObject {
            json_schema,
            external_docs: None,
            example: None,
        }),
        ..MediaType::default()
    };
    let response = Response {
        description: lines.join("\n\n"),
        content: [(PROBLEM_JSON.to_owned(), media)].into_iter().collect(),
        ..Response::default()
    };
    let responses = &mut operation
        .inner_mut()
        .responses
        .get_or_insert_default()
        .responses;
    responses.insert(StatusCode::Code(status), ReferenceOr::Item(response));
    operation
}

/// An answer that is not a JSON document of ours.
pub(super) fn answers<'a>(
    mut operation: TransformOperation<'a>,
    status: u16,
    description: &str,
    media_types: &[&str],
) -> TransformOperation<'a> {
    let content = media_types
        .iter()
        .map(|media_type| ((*media_type).to_owned(), MediaType::default()))
        .collect();
    let response = Response {
        description: description.to_owned(),
        content,
        ..Response::default()
    };
    let responses = &mut operation
        .inner_mut()
        .responses
        .get_or_insert_default()
        .responses;
    responses.insert(StatusCode::Code(status), ReferenceOr::Item(response));
    operation
}

/// Another form of an answer that is documented already.
pub(super) fn also_as<'a>(
    mut operation: TransformOperation<'a>,
    status: u16,
    media_type: &str,
) -> TransformOperation<'a> {
    let responses = operation.inner_mut().responses.get_or_insert_default();
    if let Some(ReferenceOr::Item(response)) =
        responses.responses.get_mut(&StatusCode::Code(status))
    {
        let media = MediaType::default();
        response.content.insert(media_type.to_owned(), media);
    }
    operation
}

/// A body that is taken as it is.
pub(super) fn takes<'a>(
    mut operation: TransformOperation<'a>,
    description: &str,
    media_types: &[&str],
) -> TransformOperation<'a> {
    let content = media_types
        .iter()
        .map(|media_type| ((*media_type).to_owned(), MediaType::default()))
        .collect();
    operation.inner_mut().request_body = Some(ReferenceOr::Item(RequestBody {
        description: Some(description.to_owned()),
        content,
        required: true,
        ..RequestBody::default()
    }));
    operation
}

/// A header that an operation looks at.
pub(super) fn header<'a>(
    mut operation: TransformOperation<'a>,
    name: &str,
    required: bool,
    description: &str,
) -> TransformOperation<'a> {
    let parameter = json!({
        "in": "header", "name": name, "required": required, "description": description,
        "schema": { "type": "string" }, "style": "simple",
    });
    if let Ok(parameter) = serde_json::from_value(parameter) {
        operation
            .inner_mut()
            .parameters
            .push(ReferenceOr::Item(parameter));
    }
    operation
}

/// What stands above all operations.
pub(super) fn frame() -> OpenApi {
    OpenApi {
        info: Info {
            title: "Export Center".to_owned(),
            summary: Some("Security evidence as signed bundles".to_owned()),
            description: Some(
                "Every request carries an access token of the Authority and a DPoP proof \
                 (RFC 9449). Refusals are problem documents (RFC 9457) whose `error_code` never \
                 changes. See docs/api.md for a walk through."
                    .to_owned(),
            ),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            license: Some(License {
                name: "Apache-2.0".to_owned(),
                identifier: Some("Apache-2.0".to_owned()),
                ..License::default()
            }),
            ..Info::default()
        },
        tags: [
            ("profiles", "What can be exported, and how"),
            ("runs", "Exports: submitting, following, cancelling"),
            (
                "bundles",
                "What runs made: the archive, its members, its documents",
            ),
            ("schedules", "Runs that begin by themselves"),
            ("service", "The service itself"),
        ]
        .map(|(name, description)| Tag {
            name: name.to_owned(),
            description: Some(description.to_owned()),
            ..Tag::default()
        })
        .into(),
        ..OpenApi::default()
    }
}

/// The document as JSON, with what the generator has no words for.
pub(super) fn finish(api: &OpenApi) -> Value {
    let mut document = serde_json::to_value(api).unwrap_or_default();
    if let Some(members) = document.as_object_mut() {
        // Schemas are written in the dialect that OpenAPI 3.1 has by default.
        members.insert("openapi".to_owned(), "3.1.0".into());
        if let Some(paths) = members.get_mut("paths").and_then(Value::as_object_mut) {
            // Here a parameter is written as its name; that it may hold slashes has no words.
            *paths = std::mem::take(paths)
                .into_iter()
                .map(|(path, item)| (path.replace("{*", "{"), item))
                .collect();
        }
        let components = members.entry("components").or_insert_with(|| json!({}));
        if let Some(components) = components.as_object_mut() {
            components.insert(
                "securitySchemes".to_owned(),
                json!({ SECURITY_SCHEME: {
                    "type": "http",
                    "scheme": "dpop",
                    "description": "`Authorization: DPoP <access token>` and a proof in `DPoP` \
                        (RFC 9449). The listed scopes are those of the token.",
                }}),
            );
        }
    }
    document
}
