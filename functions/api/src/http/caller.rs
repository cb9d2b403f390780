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
use axum::http::request::Parts;
use export_authority::{Principal, Scope};
use export_model::{Tenant, Timestamp};

use super::openapi::SECURITY_SCHEME;
use super::{Problem, Service};

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
        let limit = |tenant: &Tenant| service.limits(tenant).requests_per_minute;
        let principal = service.door().enter(parts, limit).await?;
        principal.require(S::SCOPE)?;
        Ok(Self {
            principal,
            scope: PhantomData,
        })
    }
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
