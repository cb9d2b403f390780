//! The API as a function behind an HTTP gateway.

use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::http::{Response, StatusCode};
use export_ports::{PortError, Ports};
use futures_util::FutureExt as _;
use lambda_http::{Error, Request, service_fn};
use tokio::sync::OnceCell;
use tower::ServiceExt as _;

use crate::start::{Backends, Invalid, run};

/// What a router is made of.
pub struct Opened<'a> {
    /// The function's backends.
    pub ports: &'a Ports,
}

/// Runs a router as a function until its environment ends. `prepare` reads settings of its own; what
/// it gives makes the router, with the first request.
pub fn serve_http<M>(prepare: impl FnOnce() -> Result<M, Invalid>) -> ExitCode
where
    M: Fn(&Opened<'_>) -> Router + Send + Sync + 'static,
{
    run(|backends| {
        let made = Arc::new((prepare()?, backends, OnceCell::new()));
        Ok(async move {
            let service = service_fn(move |request: Request| {
                let made = Arc::clone(&made);
                async move {
                    let (make, backends, router) = &*made;
                    Ok::<_, Error>(answer(make, backends, router, request).await)
                }
                .boxed()
            });
            lambda_http::run(service).await
        }
        .boxed_local())
    })
}

async fn answer<M>(
    make: &M,
    backends: &Backends,
    router: &OnceCell<Router>,
    request: Request,
) -> Response<Body>
where
    M: Fn(&Opened<'_>) -> Router,
{
    let opened = router.get_or_try_init(|| async {
        let ports = backends.ports().await?;
        Ok::<_, PortError>(make(&Opened { ports }))
    });
    match opened.await {
        Ok(router) => match router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
        Err(error) => {
            tracing::error!(%error, error_code = %error.code(), "the backends cannot be opened");
            unavailable(&error)
        }
    }
}

/// What a client is told is what it can do; what failed is in the log.
fn unavailable(error: &PortError) -> Response<Body> {
    let code = error.code();
    let problem = serde_json::json!({
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "the service cannot reach what it needs; try again",
        "error_code": code.as_str(),
    });
    let mut response = Response::new(Body::from(problem.to_string()));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    let problem = HeaderValue::from_static("application/problem+json");
    headers.insert(CONTENT_TYPE, problem);
    headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
    response
}
