//! Who asks, and whether they may: the first thing that every handler takes.
//!
//! A handler that names [`Caller<S>`] is reached only by requests whose token carries the scope of
//! `S`, whose proof was never used before, and whose tenant has requests left. Everything that it
//! then reads or writes is of `caller.tenant()`, so another tenant's things are not there.

use std::marker::PhantomData;

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::Operation;
use axum::extract::FromRequestParts;
use axum::http::HeaderName;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use export_authority::{Denied, Principal, ProofError, RequestParts, Scope, authenticate};
use export_model::{ErrorCode, QuotaName, QuotaState, Tenant, Timestamp};
use export_ports::Entry;

use super::notes::Notes;
use super::openapi::SECURITY_SCHEME;
use super::{Problem, Service};

const DPOP: HeaderName = HeaderName::from_static("dpop");
const MINUTE_MILLIS: i64 = 60_000;

/// A scope, as a type.
pub(super) trait Needs: Send + Sync + 'static {
    const SCOPE: Scope;
}

macro_rules! scopes {
    ($($(#[doc = $doc:literal])* $name:ident $scope:ident;)*) => {
        $(
            $(#[doc = $doc])*
            pub(super) struct $name;
            impl Needs for $name {
                const SCOPE: Scope = Scope::$scope;
            }
        )*
    };
}

scopes! {
    /// Reading what is there, but for payload bytes.
    Read Read;
    /// Reading payload bytes.
    Download Download;
    /// Submitting, cancelling, retrying.
    Submit Run;
    /// Changing profiles and schedules.
    Manage ProfileManage;
}

/// Who asks.
pub(super) struct Caller<S> {
    principal: Principal,
    scope: PhantomData<S>,
}

impl<S> Caller<S> {
    pub(super) fn tenant(&self) -> &Tenant {
        &self.principal.tenant
    }

    pub(super) fn subject(&self) -> &str {
        &self.principal.subject
    }

    /// When the token ends, and with it whatever is still being sent.
    pub(super) fn expires_at(&self) -> Timestamp {
        self.principal.expires_at
    }
}

impl<S: Needs> FromRequestParts<Service> for Caller<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let now = service.ports().clock.now();
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
        let known = authenticate(service.authority(), &request, now).await?;
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
        let entered = service.gate().enter(entry).await?;
        if entered.replayed {
            return Err(Denied::Proof(ProofError::Replayed).into());
        }
        if let Some(limit) = service.limits(&principal.tenant).requests_per_minute {
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
        principal.require(S::SCOPE)?;
        Ok(Self {
            principal,
            scope: PhantomData,
        })
    }
}

fn fields<'a>(parts: &'a Parts, name: &HeaderName) -> Vec<&'a [u8]> {
    parts
        .headers
        .get_all(name)
        .iter()
        .map(axum::http::HeaderValue::as_bytes)
        .collect()
}

impl<S: Needs> OperationInput for Caller<S> {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        let scope = S::SCOPE.as_str().to_owned();
        operation.security.push(
            [(SECURITY_SCHEME.to_owned(), vec![scope])]
                .into_iter()
                .collect(),
        );
    }
}
