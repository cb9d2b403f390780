//! Who asks: the first thing that every handler wants to know.

use std::sync::Arc;

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use export_authority::keys::JwksSource;
use export_authority::{Denied, Principal, ProofError, RequestParts, Verifier, authenticate};
use export_model::{ErrorCode, QuotaName, QuotaState, Tenant, Timestamp};
use export_ports::{Clock, Entry, Gate, Ids};

use crate::Problem;
use crate::gate::GateQueue;
use crate::notes::Notes;

const DPOP: HeaderName = HeaderName::from_static("dpop");
const MINUTE_MILLIS: i64 = 60_000;

/// Who may ask, and how that is found out.
pub type Authority = Verifier<Arc<dyn JwksSource>>;

/// The door of a service. Clones share it.
#[derive(Clone)]
pub struct Door(Arc<Inner>);

struct Inner {
    authority: Authority,
    gate: GateQueue,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl Door {
    /// A door that knows people by `authority` and remembers their proofs in `gate`. To be called
    /// within a runtime: it starts a task of its own.
    #[must_use]
    pub fn new(
        authority: Authority,
        gate: Arc<dyn Gate>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        Self(Arc::new(Inner {
            gate: GateQueue::start(gate, Arc::clone(&clock)),
            authority,
            clock,
            ids,
        }))
    }

    /// The Authority's keys and rules.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.0.authority
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub(crate) fn token(&self) -> String {
        self.0.ids.token()
    }

    /// Who sent a request: its token is good, its proof was never used before, and its tenant has
    /// requests left of the `requests_per_minute` that it may make. What the token allows is for the
    /// caller to ask.
    ///
    /// # Errors
    /// The refusal to send.
    pub async fn enter(
        &self,
        parts: &Parts,
        requests_per_minute: impl FnOnce(&Tenant) -> Option<u64>,
    ) -> Result<Principal, Problem> {
        let now = self.now();
        let notes = Notes::of(&parts.extensions);
        let authorization = fields(parts, &AUTHORIZATION);
        let dpop = fields(parts, &DPOP);
        // A HEAD is proved as what it is (RFC 9449 §4.2: the method of the request).
        let request = RequestParts {
            method: parts.method.as_str(),
            url_path: parts
                .extensions
                .get::<axum::extract::OriginalUri>()
                .map_or(parts.uri.path(), |uri| uri.0.path()),
            authorization: &authorization,
            dpop: &dpop,
        };
        let known = authenticate(self.authority(), &request, now).await?;
        let principal = known.principal;
        notes.caller(&principal.tenant, &principal.subject);

        // Before the scope: a proof is used up by the first request that carries it, whatever
        // becomes of that.
        let window = now.0.div_euclid(MINUTE_MILLIS);
        let entry = Entry {
            proof: known.replay,
            proof_until: known.replay_until,
            tenant: principal.tenant.clone(),
            window,
        };
        let entered = self.0.gate.enter(entry).await?;
        if entered.replayed {
            return Err(Denied::Proof(ProofError::Replayed).into());
        }
        if let Some(limit) = requests_per_minute(&principal.tenant) {
            let reset_at = Timestamp((window + 1) * MINUTE_MILLIS);
            let state = QuotaState::new(QuotaName::Requests, limit, entered.requests, reset_at);
            notes.quota(state);
            if entered.requests > limit {
                let detail = format!(
                    "tenant {} has made its {limit} requests of this minute",
                    principal.tenant
                );
                let mut problem = Problem::new(ErrorCode::QuotaRequests, detail);
                problem.quota = Some(state);
                return Err(problem);
            }
        }
        Ok(principal)
    }
}

fn fields<'a>(parts: &'a Parts, name: &HeaderName) -> Vec<&'a [u8]> {
    parts
        .headers
        .get_all(name)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect()
}
