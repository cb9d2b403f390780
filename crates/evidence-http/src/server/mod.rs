//! The contract around any ledger and policy engine.
//!
//! A page is read whole before its first byte is sent, so nothing fails in the middle of one but the
//! connection. It is then sent from where it lies, as fast as the client takes it; that is all the
//! memory that a request has, and pages that are read at once are counted.

mod caller;
mod page;
mod routes;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use export_http::{Authority, Door, Problem, nothing_here, observe, wrong_method};
use export_model::ErrorCode;
use export_ports::{Clock, Gate, Ids, PolicyEngine};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::wire::BASE;

/// Pages that are in memory at once.
const PAGES: usize = 32;
/// How long a request waits for its turn at one.
const TURN: Duration = Duration::from_secs(20);

/// A ledger that is served. Clones share everything.
#[derive(Clone)]
pub struct LedgerService {
    ledger: Arc<dyn PolicyEngine>,
    door: Door,
    pages: Arc<Semaphore>,
}

impl LedgerService {
    /// Serves `ledger` to whoever `authority` says may read it; `gate` remembers their proofs. To be
    /// called within a runtime: it starts a task of its own.
    #[must_use]
    pub fn new(
        ledger: Arc<dyn PolicyEngine>,
        authority: Authority,
        gate: Arc<dyn Gate>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        Self {
            ledger,
            door: Door::new(authority, gate, clock, ids),
            pages: Arc::new(Semaphore::new(PAGES)),
        }
    }

    /// A turn at having a page in memory.
    async fn turn(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let pages = Arc::clone(&self.pages);
        match tokio::time::timeout(TURN, pages.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => {
                let detail = "every place for a page is taken";
                Err(Problem::failed(ErrorCode::Storage, detail))
            }
        }
    }
}

/// The routes of a ledger, for a host to mount at its root.
pub fn router(service: LedgerService) -> Router {
    let routes = Router::new()
        .route("/watermark", get(routes::watermark))
        .route("/sboms", get(routes::sboms))
        .route("/snapshot", get(routes::snapshot))
        .route("/snapshot/freeze", post(routes::freeze))
        .route("/{kind}/index", get(routes::index).post(routes::index))
        .route(
            "/{kind}/records",
            get(routes::records).post(routes::records),
        )
        .route("/{kind}/pick", get(routes::pick).post(routes::pick));
    Router::new()
        .nest(BASE, routes)
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(service.door.clone(), observe))
        .with_state(service)
}
