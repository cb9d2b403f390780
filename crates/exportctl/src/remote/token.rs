//! Asking an Authority for a token (RFC 6749 §4.4) that is bound to a key (RFC 9449 §5).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use export_authority::client::ProofKey;
use export_model::ErrorCode;
use form_urlencoded::Serializer;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use serde::Deserialize;
use url::Url;

use super::credentials::key_failed;
use super::http::{connections, now};
use super::random;
use super::secret::Secret;
use super::trouble::{Trouble, read};
use crate::failure::Failed;

/// The most bytes of a token endpoint's answer.
const LARGEST: usize = 256 << 10;

/// What is asked for.
pub(super) struct Grant<'a> {
    /// The client's name and password at the Authority; a dev authority wants none.
    pub(super) client: Option<(&'a str, Option<Secret>)>,
    /// Parameters that a dev authority reads.
    pub(super) tenant: Option<&'a str>,
    pub(super) subject: Option<&'a str>,
    /// Scopes; what the Authority gives by itself where there are none.
    pub(super) scopes: &'a [String],
}

/// What an Authority gave.
#[derive(Deserialize)]
pub(super) struct Given {
    pub(super) access_token: Secret,
    token_type: String,
    pub(super) expires_in: Option<i64>,
    pub(super) scope: Option<String>,
}

/// Why it gave nothing (RFC 6749 §5.2).
#[derive(Deserialize)]
struct Refused {
    error: String,
    error_description: Option<String>,
}

/// Asks a token endpoint for a token that is bound to `key`.
pub(super) async fn ask(
    endpoint: &Url,
    key: &ProofKey,
    grant: &Grant<'_>,
) -> Result<Given, Failed> {
    let http = connections(endpoint)?;
    let url = endpoint.as_str();
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    if !grant.scopes.is_empty() {
        form.append_pair("scope", &grant.scopes.join(" "));
    }
    for (name, value) in [("tenant", grant.tenant), ("subject", grant.subject)] {
        if let Some(value) = value {
            form.append_pair(name, value);
        }
    }
    let mut request = http
        .post(url)
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    match &grant.client {
        None => {}
        Some((id, None)) => {
            form.append_pair("client_id", id);
        }
        Some((id, Some(secret))) => {
            let basic = Secret::new(format!("{}:{}", escaped(id), escaped(secret.expose())));
            let basic = STANDARD.encode(basic.expose());
            request = request.header(AUTHORIZATION, format!("Basic {basic}"));
        }
    }
    let proof = key
        .proof("POST", url, None, now(), &random::hex::<16>()?)
        .map_err(key_failed)?;
    let sent = request
        .header("dpop", proof)
        .body(form.finish())
        .send()
        .await;
    let mut response = sent.map_err(|error| Trouble::lost(url, &error))?;
    let status = response.status();
    let body = Secret::new(
        String::from_utf8_lossy(&read(url, &mut response, LARGEST).await?).into_owned(),
    );
    if !status.is_success() {
        let why = match serde_json::from_str::<Refused>(body.expose()) {
            Ok(refused) => match refused.error_description {
                Some(words) => format!("{words} ({})", refused.error),
                None => refused.error,
            },
            Err(_) => format!("it answered {status}"),
        };
        let detail = format!("the Authority at {url} gives no token: {why}");
        return Err(Failed::new(ErrorCode::Unauthenticated, detail));
    }
    let given: Given = serde_json::from_str(body.expose()).map_err(|_| {
        // The parser's message might quote the token.
        Trouble::strange(url, "answered what is no token (RFC 6749 §5.1)").failed
    })?;
    if !given.token_type.eq_ignore_ascii_case("DPoP") {
        let detail = format!(
            "the Authority at {url} gives tokens of the type {}, which are not bound to a key; \
             the service takes none of these",
            given.token_type.chars().take(40).collect::<String>()
        );
        return Err(Failed::new(ErrorCode::TokenInvalid, detail));
    }
    Ok(given)
}

/// A name or password as RFC 6749 §2.3.1 has it before it is encoded again.
fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
