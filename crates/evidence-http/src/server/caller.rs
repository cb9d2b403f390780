//! Who asks, for what: a request's token and its parameters, which have to name one tenant.

use axum::extract::{FromRequest, Request};
use axum::http::Method;
use bytes::Bytes;
use export_authority::{Principal, Scope};
use export_http::{Problem, read, wants};
use export_model::{ErrorCode, FieldError, Tenant};

use super::LedgerService;
use crate::query::Wrong;
use crate::wire::{FORM, FORM_BYTES};

/// A request whose sender is known and may read.
pub(super) struct Asked {
    principal: Principal,
    /// Its parameters: the query, or the body of a `POST` that has one.
    pub(super) parameters: Bytes,
}

impl Asked {
    /// Whose records are read: the tenant that the request names, which is the token's.
    pub(super) fn tenant(&self, named: Tenant) -> Result<Tenant, Problem> {
        if named == self.principal.tenant {
            return Ok(named);
        }
        let detail = format!(
            "the access token is for tenant {}, and the request for {named}",
            self.principal.tenant
        );
        Err(Problem::new(ErrorCode::CrossTenant, detail))
    }

    /// Refuses whoever may not do that.
    pub(super) fn require(&self, scope: Scope) -> Result<(), Problem> {
        Ok(self.principal.require(scope)?)
    }
}

impl FromRequest<LedgerService> for Asked {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &LedgerService) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let principal = service.door.enter(&parts, |_| None).await?;
        let query = parts.uri.query();
        let parameters = match query {
            Some(query) => Bytes::copy_from_slice(query.as_bytes()),
            None if parts.method == Method::POST => {
                wants(&parts.headers, &[FORM])?;
                read(body, FORM_BYTES).await?
            }
            None => Bytes::new(),
        };
        Ok(Self {
            principal,
            parameters,
        })
    }
}

impl From<Wrong> for Problem {
    fn from(wrong: Wrong) -> Self {
        Self::invalid(vec![FieldError {
            field: wrong.parameter,
            message: wrong.message,
        }])
    }
}
