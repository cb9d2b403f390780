//! Requests: each with a token and a proof of its own, sent again while that may help.

use std::sync::Arc;
use std::time::Duration;

use export_authority::client::lost;
use export_model::{ErrorCode, Tenant};
use export_ports::{Clock, Ids, PortError, PortErrorKind};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::retry::{Retry, Trouble};
use super::token::{AccessToken, TokenSource, new_jti};
use crate::wire::{BASE, DOCUMENT_BYTES, FORM, QUERY_BYTES};

const DPOP: HeaderName = HeaderName::from_static("dpop");
/// The most bytes of a refusal.
const PROBLEM_BYTES: usize = 1 << 20;

/// A request.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    /// Below [`BASE`].
    pub(super) path: String,
    /// Its parameters, percent-encoded.
    pub(super) form: String,
    pub(super) tenant: &'a Tenant,
    /// What it is for, and whom it asks, in the words of an error.
    pub(super) doing: String,
}

/// The way to a ledger.
pub(super) struct Link {
    pub(super) http: reqwest::Client,
    pub(super) base: String,
    pub(super) tokens: Arc<dyn TokenSource>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn Ids>,
    pub(super) patience: Duration,
}

/// A refusal (RFC 9457), as far as it matters here.
#[derive(Deserialize)]
struct Refusal {
    error_code: String,
    detail: String,
}

impl Link {
    pub(super) fn retry(&self) -> Retry<'_> {
        Retry::new(&*self.ids, self.patience)
    }

    /// Sends a request until it is answered with a success.
    pub(super) async fn send(
        &self,
        ask: &Ask<'_>,
        retry: &mut Retry<'_>,
    ) -> Result<Response, PortError> {
        loop {
            match self.once(ask, retry).await {
                Ok(response) => return Ok(response),
                Err(trouble) => retry.endure(trouble, &ask.doing).await?,
            }
        }
    }

    /// Sends a request that is answered with nothing.
    pub(super) async fn done(&self, ask: &Ask<'_>) -> Result<(), PortError> {
        self.send(ask, &mut self.retry()).await.map(drop)
    }

    /// Sends a request that is answered with a document.
    pub(super) async fn document<T: DeserializeOwned>(
        &self,
        ask: &Ask<'_>,
    ) -> Result<T, PortError> {
        let mut retry = self.retry();
        loop {
            let response = self.send(ask, &mut retry).await?;
            match read(response, DOCUMENT_BYTES).await {
                Ok(body) => {
                    return serde_json::from_slice(&body).map_err(|error| {
                        ask.damaged(format!("the answer cannot be read: {error}"))
                    });
                }
                Err(trouble) => retry.endure(trouble, &ask.doing).await?,
            }
        }
    }

    async fn once(&self, ask: &Ask<'_>, retry: &mut Retry<'_>) -> Result<Response, Trouble> {
        let token = self
            .tokens
            .token(ask.tenant, retry.refused.as_ref())
            .await
            .map_err(|error| match error.kind() {
                PortErrorKind::Unavailable => Trouble::passing(error.to_string()),
                kind => Trouble::fatal(kind, error.to_string()),
            })?;
        let url = format!("{}{BASE}{}", self.base, ask.path);
        let in_query = ask.form.len() <= QUERY_BYTES;
        let method = if in_query {
            ask.method.clone()
        } else {
            Method::POST
        };
        let mut request = if in_query {
            let url = format!("{url}?{}", ask.form);
            self.http.request(method.clone(), url)
        } else {
            self.http
                .request(method.clone(), &url)
                .header(CONTENT_TYPE, FORM)
                .body(ask.form.clone())
        };
        let unusable = |why: &str| Trouble::fatal(PortErrorKind::Invalid, why);
        let authorization = token.authorization();
        request = request.header(
            AUTHORIZATION,
            sensitive(authorization.expose())
                .ok_or_else(|| unusable("the access token has characters that no token has"))?,
        );
        let now = self.clock.now();
        let proof = token
            .proof(method.as_str(), &url, now, &new_jti(&*self.ids))
            .map_err(|error| unusable(&error.to_string()))?;
        if let Some(proof) = proof.as_deref().and_then(sensitive) {
            request = request.header(DPOP, proof);
        }
        let response = request
            .send()
            .await
            .map_err(|error| Trouble::passing(lost(&error)))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refused(response, token, retry).await)
    }
}

/// Why a request was refused, and whether to send it again.
async fn refused(response: Response, token: AccessToken, retry: &mut Retry<'_>) -> Trouble {
    let status = response.status();
    let after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    let body = match read(response, PROBLEM_BYTES).await {
        Ok(body) => body,
        Err(trouble) => return trouble,
    };
    let refusal: Option<Refusal> = serde_json::from_slice(&body).ok();
    let code = refusal
        .as_ref()
        .and_then(|refusal| refusal.error_code.parse::<ErrorCode>().ok());
    let why = match refusal {
        Some(refusal) => {
            let detail: String = refusal.detail.chars().take(500).collect();
            let code: String = refusal.error_code.chars().take(60).collect();
            format!("it answered {status}: {detail} ({code})")
        }
        None => format!("it answered {status}, which a ledger would not"),
    };
    match status {
        StatusCode::UNAUTHORIZED => {
            let again = retry.refused.as_ref().is_none_or(|last| !last.same(&token));
            retry.refused = Some(token);
            // One that has ended is about to be replaced; of another there may be a newer one.
            if again || code == Some(ErrorCode::TokenExpired) {
                Trouble::passing(why)
            } else {
                Trouble::fatal(PortErrorKind::Unavailable, why)
            }
        }
        StatusCode::NOT_FOUND if code == Some(ErrorCode::UnknownSnapshot) => {
            Trouble::fatal(PortErrorKind::NotFound, why)
        }
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            retry.is_unknown = true;
            Trouble::fatal(PortErrorKind::Invalid, why)
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            Trouble::passing(why).after(after)
        }
        status if status.is_server_error() => Trouble::passing(why).after(after),
        _ => Trouble::fatal(PortErrorKind::Invalid, why),
    }
}

/// A header's value that logs do not show.
fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A whole body of at most `most` bytes.
async fn read(mut response: Response, most: usize) -> Result<Vec<u8>, Trouble> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => return Ok(body),
            Ok(Some(chunk)) if body.len() + chunk.len() <= most => body.extend_from_slice(&chunk),
            Ok(Some(_)) => {
                let why = format!("it answered with more than {most} bytes");
                return Err(Trouble::fatal(PortErrorKind::Damaged, why));
            }
            Err(error) => return Err(Trouble::passing(lost(&error))),
        }
    }
}
