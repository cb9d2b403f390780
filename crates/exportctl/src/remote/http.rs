//! Requests to a service: each with its token and a proof of its own.
//!
//! A proof is good for one request, so also a request that is sent again gets a new one. What may
//! be carried out twice without harm is sent once more where its answer was lost; nothing else is.

use std::time::Duration;

use export_authority::client::{Patience, ProofKey, Secret};
use export_evidence_http::BASE;
use export_host::SystemClock;
use export_model::{ErrorCode, Tenant, Timestamp};
use export_ports::Clock as _;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, Response};
use serde::de::DeserializeOwned;
use url::Url;

use super::address::Address;
use super::credentials::{self, Credentials, Identity, key_failed};
use super::random;
use super::trouble::{Trouble, document};
use crate::failure::Failed;
use crate::settings::DEFAULT_TENANT;

const CONNECT: Duration = Duration::from_secs(10);
/// For how long nothing may come of an answer; events have heartbeats more often than that.
const IDLE: Duration = Duration::from_secs(60);
/// The pause before a request is sent again, where the service names none.
const PAUSE: Duration = Duration::from_millis(400);
/// The longest such pause that is waited.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often a request that is known by its key is sent.
const ATTEMPTS_BY_KEY: u32 = 5;

const DPOP: HeaderName = HeaderName::from_static("dpop");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Connections to what is at `url`, as this program makes them.
pub(crate) fn connections(url: &Url) -> Result<reqwest::Client, Failed> {
    let agent = concat!("exportctl/", env!("CARGO_PKG_VERSION"));
    let patience = Patience {
        connect: CONNECT,
        idle: IDLE,
    };
    export_authority::client::connections(url, agent, patience).map_err(|error| {
        let detail = format!("connections cannot be prepared: {error}");
        Failed::new(ErrorCode::ServerUnreachable, detail)
    })
}

/// A request.
#[derive(Debug)]
pub(crate) struct Ask {
    method: Method,
    url: String,
    headers: Vec<(HeaderName, String)>,
    body: Option<Vec<u8>>,
    attempts: u32,
}

impl Ask {
    fn new(method: Method, url: String, attempts: u32) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            body: None,
            attempts,
        }
    }

    /// A header more.
    pub(crate) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        if name == IDEMPOTENCY_KEY {
            self.attempts = ATTEMPTS_BY_KEY;
        }
        self.headers.push((name, value.into()));
        self
    }

    /// A JSON document as the body.
    pub(crate) fn json(mut self, value: &impl serde::Serialize) -> Result<Self, Failed> {
        let body = serde_json::to_vec(value).map_err(|error| {
            Failed::new(ErrorCode::Internal, format!("writing a request: {error}"))
        })?;
        self.body = Some(body);
        Ok(self)
    }

    /// The same, sent once only.
    pub(crate) fn once(mut self) -> Self {
        self.attempts = 1;
        self
    }
}

/// A service, and what one is known by there.
pub(crate) struct Client {
    address: Address,
    http: reqwest::Client,
    key: ProofKey,
    token: Secret,
    identity: Identity,
    trace: String,
}

impl Client {
    /// A client for who has logged in.
    ///
    /// # Errors
    /// Exit code 8 where nobody has, or the login has ended.
    pub(crate) fn open(address: Address) -> Result<Self, Failed> {
        let missing = || {
            let detail = format!(
                "nobody is logged in at {}; {}",
                address.as_str(),
                again(&address)
            );
            Failed::new(ErrorCode::Unauthenticated, detail)
        };
        let credentials = credentials::load(&address)?.ok_or_else(missing)?;
        let client = Self::with(&address, credentials)?.ok_or_else(missing)?;
        client.not_expired()?;
        Ok(client)
    }

    /// A client with these credentials; none where they have no token.
    pub(crate) fn with(
        address: &Address,
        credentials: Credentials,
    ) -> Result<Option<Self>, Failed> {
        let key = credentials.key()?;
        let Some(token) = credentials.access_token else {
            return Ok(None);
        };
        Ok(Some(Self {
            http: connections(address.url())?,
            address: address.clone(),
            key,
            token,
            identity: credentials.identity,
            trace: random::hex::<16>()?,
        }))
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// The tenant that one is logged in for.
    pub(crate) fn tenant(&self) -> Option<&Tenant> {
        self.identity.tenant.as_ref()
    }

    fn not_expired(&self) -> Result<(), Failed> {
        match self.identity.expires_at {
            Some(end) if end <= now() => Err(self.expired(end)),
            _ => Ok(()),
        }
    }

    fn expired(&self, end: Timestamp) -> Failed {
        let detail = format!(
            "the login at {} ended at {}; {}",
            self.address.as_str(),
            end.whole_seconds(),
            again(&self.address)
        );
        Failed::new(ErrorCode::TokenExpired, detail)
    }

    pub(crate) fn get(&self, path: &str) -> Ask {
        Ask::new(Method::GET, self.address.api(path), 2)
    }

    /// What a ledger that is served answers to whoever may read it.
    pub(crate) fn ledger(&self) -> Ask {
        let tenant = self.tenant().map_or(DEFAULT_TENANT, Tenant::as_str);
        let base = self.address.as_str();
        let url = format!("{base}{BASE}/watermark?tenant={tenant}");
        Ask::new(Method::GET, url, 2)
    }

    pub(crate) fn post(&self, path: &str) -> Ask {
        Ask::new(Method::POST, self.address.api(path), 1)
    }

    pub(crate) fn patch(&self, path: &str) -> Ask {
        Ask::new(Method::PATCH, self.address.api(path), 1)
    }

    pub(crate) fn delete(&self, path: &str) -> Ask {
        Ask::new(Method::DELETE, self.address.api(path), 1)
    }

    /// The two header fields that show who sends a request. Both are secrets.
    pub(crate) fn fields(&self, method: &str, url: &str) -> Result<(Secret, Secret), Failed> {
        self.not_expired()?;
        let token = self.token.expose();
        let proof = self
            .key
            .proof(method, url, Some(token), now(), &random::hex::<16>()?)
            .map_err(key_failed)?;
        let authorization = Secret::new(format!("DPoP {token}"));
        Ok((authorization, Secret::new(proof)))
    }

    /// Sends a request; gives its answer where that is no refusal.
    pub(crate) async fn send(&self, ask: &Ask) -> Result<Response, Trouble> {
        let mut attempt = 1;
        loop {
            match self.once(ask).await {
                Err(trouble) if trouble.passes && attempt < ask.attempts => {
                    tracing::warn!(url = %ask.url, attempt, "sent again: {}", trouble.failed.detail);
                    let pause = trouble.after.unwrap_or(PAUSE * 2u32.pow(attempt - 1));
                    tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
                    attempt += 1;
                }
                Err(mut trouble) if trouble.failed.code == ErrorCode::TokenExpired => {
                    let end = self.identity.expires_at.unwrap_or_else(now);
                    trouble.failed = self.expired(end.min(now()));
                    return Err(trouble);
                }
                outcome => return outcome,
            }
        }
    }

    async fn once(&self, ask: &Ask) -> Result<Response, Trouble> {
        let (authorization, proof) = self.fields(ask.method.as_str(), &ask.url)?;
        let trace = format!("00-{}-{}-01", self.trace, random::hex::<8>()?);
        let mut request = self
            .http
            .request(ask.method.clone(), &ask.url)
            .header(AUTHORIZATION, sensitive(&authorization)?)
            .header(DPOP, sensitive(&proof)?)
            .header(TRACEPARENT, trace);
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        if let Some(body) = &ask.body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone());
        }
        let response = request
            .send()
            .await
            .map_err(|error| Trouble::lost(&ask.url, &error))?;
        let status = response.status();
        tracing::debug!(method = %ask.method, url = %ask.url, status = status.as_u16(), "asked");
        if status.is_client_error() || status.is_server_error() {
            return Err(Trouble::refused(&ask.url, response).await);
        }
        Ok(response)
    }

    /// Sends a request that is answered with a JSON document.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, ask: &Ask) -> Result<T, Trouble> {
        let response = self.send(ask).await?;
        document(&ask.url, response).await
    }

    /// Refuses another tenant than the one that one is logged in for.
    pub(crate) fn only_tenant(&self, named: Option<&str>) -> Result<(), Failed> {
        let Some(named) = named else { return Ok(()) };
        match &self.identity.tenant {
            Some(own) if own.as_str() != named => {
                let detail = format!(
                    "--tenant {named}: the login at {} is for tenant {own}; {} --tenant {named}",
                    self.address.as_str(),
                    again(&self.address)
                );
                Err(Failed::new(ErrorCode::Usage, detail))
            }
            _ => Ok(()),
        }
    }
}

/// What to do where a login is missing or over.
fn again(address: &Address) -> String {
    format!("log in: exportctl --server {} login", address.as_str())
}

/// A header's value that logs do not show.
fn sensitive(secret: &Secret) -> Result<HeaderValue, Failed> {
    let mut value = HeaderValue::from_str(secret.expose()).map_err(|_| {
        let detail = "the token holds characters that no token has; log in again";
        Failed::new(ErrorCode::Unauthenticated, detail)
    })?;
    value.set_sensitive(true);
    Ok(value)
}

pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}
