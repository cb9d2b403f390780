//! The OpenAPI document: as it is served, and as it is kept beside the code for people to read.

use std::path::Path;

use export_api::http::{BASE, openapi_document};
use export_scenarios::SMALL;

use crate::support::{Api, Ask, run};

/// `make docs` writes it.
#[test]
fn the_document_that_is_kept_is_the_one_that_is_served() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let kept = std::fs::read_to_string(kept).unwrap();
    let code = serde_json::to_string_pretty(&openapi_document()).unwrap() + "\n";
    assert!(
        kept == code,
        "docs/openapi.json is not what the code says; run `make docs`"
    );
    run(async {
        let api = Api::new(&SMALL).await;
        let ask = Ask::get(format!("{BASE}/openapi.json"));
        let served = ask.at(api.at[0]).await.ok(200);
        assert_eq!(served, openapi_document());
    });
}

/// What a reader needs of every operation.
#[test]
fn every_operation_is_described() {
    let document = openapi_document();
    assert_eq!(document["openapi"], "3.1.0");
    let mut names = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let what = format!("{method} {path}");
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{what}: {name} comes twice");
            assert!(operation["summary"].is_string(), "{what}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(
                responses.keys().any(|status| status.starts_with('2')),
                "{what}"
            );
            for (status, response) in responses {
                assert!(response["description"].is_string(), "{what} {status}");
                if status.starts_with(['4', '5']) {
                    let schema = &response["content"]["application/problem+json"]["schema"];
                    assert_eq!(schema["$ref"], "#/components/schemas/Problem", "{what}");
                    let text = response["description"].as_str().unwrap();
                    assert!(text.contains("`ERR_"), "{what} {status}");
                }
            }
            for always in ["401", "403", "429", "500", "503"] {
                assert!(responses.contains_key(always), "{what}: {always}");
            }
        }
    }
}
