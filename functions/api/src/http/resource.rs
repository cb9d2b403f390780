//! Where a client of this service gets its tokens (RFC 9728).

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::routing::get;
use serde_json::json;

/// Where the metadata of this service as a protected resource lies (RFC 9728 §3).
pub const RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource";

/// The metadata that tells a client where to get a token (RFC 9728 §2): for a service at the URL
/// `public`, whose tokens `issuer` gives.
pub fn resource_metadata(public: &str, issuer: &str) -> Router {
    let document = json!({
        "resource": public,
        "authorization_servers": [issuer],
        "scopes_supported": ["export:profile:manage", "export:run", "export:read", "export:download"],
        "bearer_methods_supported": [],
        "dpop_bound_access_tokens_required": true,
        "resource_documentation": format!("{public}/api/export/openapi.json"),
    });
    let text = document.to_string();
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Router::new().route(
        RESOURCE_METADATA,
        get(move || async move { (headers, text) }),
    )
}
