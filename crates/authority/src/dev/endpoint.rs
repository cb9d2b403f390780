//! The token endpoint (RFC 6749 §4.4 and §5, RFC 9449 §5) as a function from a request to an answer.

use std::collections::BTreeMap;

use export_model::{Tenant, Timestamp};
use serde_json::json;
use url::form_urlencoded;

use super::{DevAuthority, Grant};
use crate::denied::quotable;
use crate::proof::{DpopProof, Expected, ProofError};
use crate::public_url::PublicUrl;
use crate::scope::{Scope, Scopes};

/// The most bytes of a request's body: 16 KiB.
pub const MAX_FORM_BYTES: usize = 16 * 1024;
const MAX_SUBJECT_BYTES: usize = 256;

/// The header fields of every answer (RFC 6749 §5.1): tokens are not for caches.
pub const TOKEN_HEADERS: [(&str, &str); 2] = [
    ("content-type", "application/json"),
    ("cache-control", "no-store"),
];

/// The endpoint's settings.
#[derive(Clone, Debug)]
pub struct TokenEndpoint {
    /// The `iss` of its tokens.
    pub issuer: String,
    /// The `aud` of its tokens.
    pub audience: String,
    /// The URL that the endpoint's host is reached by.
    pub public: PublicUrl,
    /// The endpoint's path under it, beginning with `/`.
    pub url_path: String,
    /// How long its tokens are good.
    pub ttl_seconds: u32,
    /// What a token allows that was asked for without a `scope`.
    pub scopes: Scopes,
}

/// What the endpoint answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenAnswer {
    /// 200, 400 or 500.
    pub status: u16,
    /// A JSON object: RFC 6749 §5.1 or §5.2.
    pub body: Vec<u8>,
    /// With 200, the proof, which is good only if it was not used before. If it was, the answer to give is
    /// [`TokenFault::Proof`] with [`ProofError::Replayed`].
    pub proof: Option<DpopProof>,
}

/// Why no token is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each variant's message says what it means")]
pub enum TokenFault {
    #[error("the body has more than 16 KiB")]
    TooLarge,
    #[error("the parameter {0} is missing")]
    Missing(&'static str),
    #[error("a parameter is given twice")]
    Twice,
    #[error("the grant_type is not client_credentials")]
    GrantType,
    #[error("a name in scope is not known here")]
    Scope,
    #[error(
        "the tenant is not 1 to 63 of a-z, 0-9, '.', '_' and '-', beginning with a letter or a digit"
    )]
    Tenant,
    #[error("the subject is longer than 256 bytes or has control characters")]
    Subject,
    #[error(transparent)]
    Proof(#[from] ProofError),
    #[error("the token could not be signed")]
    Signing,
}

impl From<TokenFault> for TokenAnswer {
    fn from(fault: TokenFault) -> Self {
        let (status, error) = match fault {
            TokenFault::TooLarge
            | TokenFault::Missing(_)
            | TokenFault::Twice
            | TokenFault::Tenant
            | TokenFault::Subject => (400, "invalid_request"),
            TokenFault::GrantType => (400, "unsupported_grant_type"),
            TokenFault::Scope => (400, "invalid_scope"),
            TokenFault::Proof(_) => (400, "invalid_dpop_proof"),
            TokenFault::Signing => (500, "server_error"),
        };
        let body = json!({ "error": error, "error_description": quotable(&fault.to_string()) });
        Self {
            status,
            body: body.to_string().into_bytes(),
            proof: None,
        }
    }
}

impl TokenEndpoint {
    /// Answers a `POST` of `form` (`application/x-www-form-urlencoded`) with these `DPoP` fields.
    ///
    /// The form has `grant_type=client_credentials`, `tenant`, `subject`, and perhaps `scope`; without it the token
    /// allows what this endpoint's `scopes` say. The proof is one for this URL, without `ath`. The token is bound to its key.
    #[must_use]
    pub fn answer(
        &self,
        authority: &DevAuthority,
        form: &[u8],
        dpop: &[&[u8]],
        now: Timestamp,
        token_id: &str,
    ) -> TokenAnswer {
        self.issue(authority, form, dpop, now, token_id)
            .unwrap_or_else(TokenAnswer::from)
    }

    fn issue(
        &self,
        authority: &DevAuthority,
        form: &[u8],
        dpop: &[&[u8]],
        now: Timestamp,
        token_id: &str,
    ) -> Result<TokenAnswer, TokenFault> {
        let asked = Asked::read(form, self.scopes)?;
        let expected = Expected {
            method: "POST",
            url: &self.public.at(&self.url_path).ok_or(ProofError::Url)?,
            token: None,
        };
        let proof = DpopProof::verify(dpop, &expected, now)?;
        let grant = Grant {
            subject: asked.subject,
            tenant: asked.tenant,
            scopes: asked.scopes,
            ttl_seconds: self.ttl_seconds,
            jkt: proof.jkt.clone(),
        };
        let token = authority
            .mint(&grant, &self.issuer, &self.audience, now, token_id)
            .map_err(|_| TokenFault::Signing)?;
        let body = json!({
            "access_token": token,
            "token_type": "DPoP",
            "expires_in": self.ttl_seconds,
            "scope": grant.scopes.to_string(),
        });
        Ok(TokenAnswer {
            status: 200,
            body: body.to_string().into_bytes(),
            proof: Some(proof),
        })
    }
}

/// What a form asks for.
struct Asked {
    subject: String,
    tenant: Tenant,
    scopes: Scopes,
}

impl Asked {
    fn read(form: &[u8], all: Scopes) -> Result<Self, TokenFault> {
        if form.len() > MAX_FORM_BYTES {
            return Err(TokenFault::TooLarge);
        }
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(form) {
            // RFC 6749 §3.2: no parameter twice; one without a value counts as left out.
            if !value.is_empty() && parameters.insert(name, value).is_some() {
                return Err(TokenFault::Twice);
            }
        }
        let mut take = |name: &'static str| {
            let value = parameters.remove(name);
            value.ok_or(TokenFault::Missing(name))
        };
        if take("grant_type")? != "client_credentials" {
            return Err(TokenFault::GrantType);
        }
        let tenant = take("tenant")?.parse().map_err(|_| TokenFault::Tenant)?;
        let subject = take("subject")?.into_owned();
        if subject.len() > MAX_SUBJECT_BYTES || subject.chars().any(char::is_control) {
            return Err(TokenFault::Subject);
        }
        let scopes = match take("scope") {
            Err(_) => all,
            Ok(names) => names
                .split(' ')
                .map(str::parse::<Scope>)
                .collect::<Result<_, _>>()
                .map_err(|_| TokenFault::Scope)?,
        };
        Ok(Self {
            subject,
            tenant,
            scopes,
        })
    }
}
