//! The dev authority, as routes beside the API. It believes whatever it is told, so it answers only
//! to this machine, whatever address the service listens on.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use export_authority::ProofError;
use export_authority::dev::{
    DevAuthority, MAX_FORM_BYTES, TOKEN_HEADERS, TokenAnswer, TokenEndpoint, TokenFault,
};
use export_authority::keys::{FetchError, Fetched, JwksSource};
use export_model::ErrorCode;
use export_ports::{Entry, Ports};
use serde_json::json;

use super::door::Offered;
use crate::failure::Failed;

/// Where the dev authority lies below the service's URL.
pub(crate) const BASE: &str = "/dev-authority";
const METADATA: &str = "/.well-known/oauth-authorization-server/dev-authority";

/// The dev authority's key, made on first use, readable for its owner only.
pub(super) fn authority(keys: &Path) -> Result<DevAuthority, Failed> {
    let path = keys.join("dev-authority.key");
    let bad = |error: export_authority::KeyError| {
        let detail = format!("{}: {error}", path.display());
        Failed::new(ErrorCode::KeyUnreadable, detail)
    };
    if let Ok(text) = fs::read_to_string(&path) {
        return DevAuthority::from_pem(&text).map_err(bad);
    }
    let made = DevAuthority::generate().map_err(bad)?;
    let pem = made.to_pem().map_err(bad)?;
    // Another process may make one at the same time: the file appears whole, and only once.
    let part = tempfile::Builder::new()
        .prefix(".dev-authority-")
        .tempfile_in(keys)
        .map_err(|e| Failed::write(&path, &e))?;
    fs::OpenOptions::new()
        .write(true)
        .mode(0o600)
        .open(part.path())
        .and_then(|mut file| {
            file.write_all(pem.as_bytes())
                .and_then(|()| file.sync_all())
        })
        .map_err(|e| Failed::write(&path, &e))?;
    match part.persist_noclobber(&path) {
        Ok(_) => Ok(made),
        Err(_) => {
            let text = fs::read_to_string(&path).map_err(|e| Failed::read(&path, &e))?;
            DevAuthority::from_pem(&text).map_err(bad)
        }
    }
}

/// The dev authority's key set, without a way over the network.
pub(super) struct DevKeys(pub(super) Vec<u8>);

#[async_trait]
impl JwksSource for DevKeys {
    async fn fetch(&self) -> Result<Fetched, FetchError> {
        Ok(Fetched {
            body: self.0.clone(),
            max_age: None,
        })
    }
}

struct Dev {
    authority: DevAuthority,
    endpoint: TokenEndpoint,
    ports: Ports,
}

/// The routes of the dev authority.
pub(super) fn routes(
    authority: DevAuthority,
    endpoint: TokenEndpoint,
    ports: &Ports,
    offered: Offered,
) -> Router {
    let issuer = endpoint.issuer.clone();
    let metadata = json!({
        "issuer": issuer,
        "token_endpoint": format!("{}{}", endpoint.public.as_str(), endpoint.url_path),
        "jwks_uri": format!("{}{BASE}/jwks.json", endpoint.public.as_str()),
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["none"],
        "dpop_signing_alg_values_supported": ["ES256"],
        "scopes_supported": offered.names(),
    });
    let jwks = authority.jwks();
    let dev = Arc::new(Dev {
        authority,
        endpoint,
        ports: ports.clone(),
    });
    Router::new()
        .route(&format!("{BASE}/token"), post(token))
        .route(
            &format!("{BASE}/jwks.json"),
            get(move || async move { document(jwks.clone()) }),
        )
        .route(
            METADATA,
            get(move || async move { document(metadata.to_string().into_bytes()) }),
        )
        .layer(from_fn(this_machine_only))
        .with_state(dev)
}

async fn this_machine_only(request: Request, next: Next) -> Response {
    let peer = request
        .extensions()
        .get::<ConnectInfo<std::net::SocketAddr>>();
    if peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback()) {
        return next.run(request).await;
    }
    let what = json!({
        "error": "access_denied",
        "error_description": "the dev authority answers to its own machine only",
    });
    let mut response = document(what.to_string().into_bytes());
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}

async fn token(State(dev): State<Arc<Dev>>, headers: HeaderMap, body: Body) -> Response {
    let Ok(form) = axum::body::to_bytes(body, MAX_FORM_BYTES + 1).await else {
        return answer(TokenFault::TooLarge.into());
    };
    let proofs: Vec<&[u8]> = headers
        .get_all(HeaderName::from_static("dpop"))
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    let now = dev.ports.clock.now();
    let id = dev.ports.ids.token();
    let made = dev
        .endpoint
        .answer(&dev.authority, &form, &proofs, now, &id);
    let Some(proof) = &made.proof else {
        return answer(made);
    };
    let Ok(tenant) = "dev-authority".parse() else {
        return answer(TokenFault::Signing.into());
    };
    let entry = Entry {
        proof: proof.replay,
        proof_until: proof.replay_until,
        tenant,
        window: now.0.div_euclid(60_000),
    };
    match dev.ports.gate.enter(vec![entry], now).await.as_deref() {
        Ok([entered]) if !entered.replayed => answer(made),
        Ok(_) => answer(TokenFault::Proof(ProofError::Replayed).into()),
        Err(error) => {
            tracing::error!(%error, "a proof could not be remembered");
            answer(TokenFault::Signing.into())
        }
    }
}

fn answer(answer: TokenAnswer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in TOKEN_HEADERS {
        let name = HeaderName::from_static(name);
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

fn document(bytes: impl Into<Bytes>) -> Response {
    let json = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (json, bytes.into()).into_response()
}
