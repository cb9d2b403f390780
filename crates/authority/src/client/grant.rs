//! Asking an Authority for a token (RFC 6749 §4.4) that is bound to a key (RFC 9449 §5).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use export_model::Timestamp;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, Response};
use serde::Deserialize;
use url::Url;
use url::form_urlencoded::{self, Serializer};

use super::{ProofKey, Secret, lost};
use crate::signing_key::KeyError;

/// The most bytes of a token endpoint's answer.
const LARGEST: usize = 256 << 10;

/// Why there is no token. No message holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum NoToken {
    /// No proof could be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// There was no answer; there may be one later.
    #[error("the Authority at {url} does not answer: {why}")]
    Lost {
        /// Whom was asked.
        url: String,
        /// What happened.
        why: String,
    },
    /// The Authority has refused.
    #[error("the Authority at {url} gives no token: {why}")]
    Refused {
        /// Whom was asked.
        url: String,
        /// Its words.
        why: String,
        /// Whether it may give one later: it answered that it is not able to.
        passes: bool,
    },
    /// What came is no token.
    #[error("the Authority at {url} {why}")]
    Strange {
        /// Whom was asked.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// A token that is bound to no key.
    #[error(
        "the Authority at {url} gives tokens of the type {kind}, which are not bound to a key; the service takes none of \
         these"
    )]
    NotBound {
        /// Whom was asked.
        url: String,
        /// The type that it named.
        kind: String,
    },
}

/// What is asked for.
#[derive(Debug)]
pub struct ClientGrant<'a> {
    /// The client's name and password at the Authority; a dev authority wants none.
    pub client: Option<(&'a str, Option<Secret>)>,
    /// Whose tenant the token is to be for.
    pub tenant: Option<&'a str>,
    /// Who it is to speak for.
    pub subject: Option<&'a str>,
    /// Scopes; what the Authority gives by itself where there are none.
    pub scopes: &'a [String],
}

/// What an Authority gave.
#[derive(Debug, Deserialize)]
pub struct GivenToken {
    /// The token.
    pub access_token: Secret,
    token_type: String,
    /// For how many seconds it is good.
    pub expires_in: Option<i64>,
    /// What it allows, where that is not what was asked for.
    pub scope: Option<String>,
}

/// Why it gave nothing (RFC 6749 §5.2).
#[derive(Deserialize)]
struct Refused {
    error: String,
    error_description: Option<String>,
}

/// Asks a token endpoint for a token that is bound to `key`. `jti` is unique to the request, as
/// [`ProofKey::proof`] wants it.
///
/// # Errors
/// [`NoToken`].
pub async fn ask_for_token(
    http: &Client,
    endpoint: &Url,
    key: &ProofKey,
    grant: &ClientGrant<'_>,
    now: Timestamp,
    jti: &str,
) -> Result<GivenToken, NoToken> {
    let url = endpoint.as_str();
    let mut request = http
        .post(url)
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some((id, Some(secret))) = &grant.client {
        let basic = Secret::new(format!("{}:{}", escaped(id), escaped(secret.expose())));
        let basic = STANDARD.encode(basic.expose());
        request = request.header(AUTHORIZATION, format!("Basic {basic}"));
    }
    let proof = key.proof("POST", url, None, now, jti)?;
    let sent = request.header("dpop", proof).body(parameters(grant)).send();
    let mut response = sent.await.map_err(|error| NoToken::Lost {
        url: url.to_owned(),
        why: lost(&error),
    })?;
    let status = response.status();
    let body = read(url, &mut response).await?;
    if !status.is_success() {
        let why = match serde_json::from_str::<Refused>(body.expose()) {
            Ok(refused) => match refused.error_description {
                Some(words) => format!("{words} ({})", refused.error),
                None => refused.error,
            },
            Err(_) => format!("it answered {status}"),
        };
        return Err(NoToken::Refused {
            url: url.to_owned(),
            why,
            passes: status.is_server_error() || status.as_u16() == 429,
        });
    }
    // The parser's message might quote the token.
    let given: GivenToken = serde_json::from_str(body.expose()).map_err(|_| NoToken::Strange {
        url: url.to_owned(),
        why: "answered what is no token (RFC 6749 §5.1)".to_owned(),
    })?;
    if !given.token_type.eq_ignore_ascii_case("DPoP") {
        return Err(NoToken::NotBound {
            url: url.to_owned(),
            kind: given.token_type.chars().take(40).collect(),
        });
    }
    Ok(given)
}

fn parameters(grant: &ClientGrant<'_>) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    if !grant.scopes.is_empty() {
        form.append_pair("scope", &grant.scopes.join(" "));
    }
    // A client without a password names itself here (RFC 6749 §3.2.1).
    let id = match &grant.client {
        Some((id, None)) => Some(*id),
        _ => None,
    };
    for (name, value) in [
        ("tenant", grant.tenant),
        ("subject", grant.subject),
        ("client_id", id),
    ] {
        if let Some(value) = value {
            form.append_pair(name, value);
        }
    }
    form.finish()
}

async fn read(url: &str, response: &mut Response) -> Result<Secret, NoToken> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => return Ok(Secret::new(String::from_utf8_lossy(&body).into_owned())),
            Ok(Some(chunk)) if body.len() + chunk.len() <= LARGEST => {
                body.extend_from_slice(&chunk)
            }
            Ok(Some(_)) => {
                return Err(NoToken::Strange {
                    url: url.to_owned(),
                    why: format!("answered with more than {LARGEST} bytes"),
                });
            }
            Err(error) => {
                return Err(NoToken::Lost {
                    url: url.to_owned(),
                    why: lost(&error),
                });
            }
        }
    }
}

/// A name or password as RFC 6749 §2.3.1 has it before it is encoded again.
fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
