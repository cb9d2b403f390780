//! Where a client of a service gets its tokens (RFC 9728).

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::routing::get;
use export_authority::Scope;
use serde_json::json;

/// Where the metadata of a service as a protected resource lies (RFC 9728 §3).
const METADATA: &str = "/.well-known/oauth-protected-resource";

/// The metadata that tells a client where to get a token (RFC 9728 §2): for a service at the URL
/// `public`, whose tokens `issuer` gives and whose callers need `scopes`. `documentation` is the path
/// of its documentation, where it serves one.
pub fn resource_metadata(
    public: &str,
    issuer: &str,
    scopes: &[Scope],
    documentation: Option<&str>,
) -> Router {
    let scopes: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
    let mut document = json!({
        "resource": public,
        "authorization_servers": [issuer],
        "scopes_supported": scopes,
        "bearer_methods_supported": [],
        "dpop_bound_access_tokens_required": true,
    });
    if let Some(path) = documentation {
        document["resource_documentation"] = format!("{public}{path}").into();
    }
    let text = document.to_string();
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Router::new().route(METADATA, get(move || async move { (headers, text) }))
}
