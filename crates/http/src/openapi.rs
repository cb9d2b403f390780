//! Answers and refusals, as an OpenAPI document gives them.

use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, Response, SchemaObject};
use schemars::JsonSchema;

use crate::{PROBLEM_JSON, Problem, ProblemDocument};

/// Refusals are documented by each operation, with the codes that it can give.
impl OperationOutput for Problem {
    type Inner = ProblemDocument;

    fn operation_response(ctx: &mut GenContext, _: &mut Operation) -> Option<Response> {
        Some(json::<ProblemDocument>(ctx, PROBLEM_JSON))
    }
}

/// A documented response with a JSON document.
pub fn json<T: JsonSchema>(ctx: &mut GenContext, media_type: &str) -> Response {
    let json_schema = ctx.schema.subschema_for::<T>();
    let description = ctx
        .resolve_schema(&json_schema)
        .get("description")
        .and_then(|text| text.as_str())
        .unwrap_or("The answer")
        .to_owned();
    let media = MediaType {
        schema: Some(SchemaObject {
            json_schema,
            external_docs: None,
            example: None,
        }),
        ..MediaType::default()
    };
    Response {
        description,
        content: [(media_type.to_owned(), media)].into_iter().collect(),
        ..Response::default()
    }
}
