//! Access tokens: signed by the Authority, for this service, bound to a key (RFC 7519, RFC 9068, RFC 9449 §6.1).

use export_model::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::claims::{self, ClaimFault};
use crate::jose::{Algorithm, Jws, UnusableAlgorithm};
use crate::keys::{KeyLookup, Keys};
use crate::principal::Principal;
use crate::scope::Scopes;

/// The most bytes of an access token: 16 KiB.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// The leeway for clocks that differ, where configuration does not say: 60 seconds.
pub const DEFAULT_LEEWAY_SECONDS: u32 = 60;
const MAX_SUBJECT_BYTES: usize = 256;
/// SHA-256 in base64url.
const THUMBPRINT_CHARS: usize = 43;

/// Why an access token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each variant's message says what it means")]
pub enum TokenError {
    #[error("the access token has more than 16 KiB")]
    TooLarge,
    #[error("the access token is not a signed JWT")]
    Malformed,
    #[error("the type of the access token is neither at+jwt nor JWT")]
    Type,
    #[error("the access token is not signed: its algorithm is none")]
    Unsigned,
    #[error("the access token is signed with a secret instead of a key pair")]
    Symmetric,
    #[error("the algorithm of the access token is not supported")]
    Algorithm,
    #[error("the access token has a critical extension, and none is supported")]
    Critical,
    #[error("the access token does not name its key (kid)")]
    NoKeyId,
    #[error("the access token is signed with a key that the Authority does not publish")]
    UnknownKey,
    #[error("the access token names another algorithm than its key is for")]
    KeyAlgorithm,
    #[error("the signature of the access token is not the Authority's")]
    Signature,
    #[error("the access token has no claim {0}")]
    MissingClaim(&'static str),
    #[error("the claim {0} of the access token has the wrong form")]
    Claim(&'static str),
    #[error("the access token is from another issuer (iss)")]
    Issuer,
    #[error("the access token is for another service (aud)")]
    Audience,
    #[error("the access token has expired (exp)")]
    Expired,
    #[error("the access token is not valid yet (nbf)")]
    NotYetValid,
    #[error("the access token is not bound to a key (cnf.jkt)")]
    Unbound,
}

impl From<ClaimFault> for TokenError {
    fn from(fault: ClaimFault) -> Self {
        match fault {
            ClaimFault::Missing(name) => Self::MissingClaim(name),
            ClaimFault::Wrong(name) => Self::Claim(name),
        }
    }
}

impl From<UnusableAlgorithm> for TokenError {
    fn from(algorithm: UnusableAlgorithm) -> Self {
        match algorithm {
            UnusableAlgorithm::Unsigned => Self::Unsigned,
            UnusableAlgorithm::Symmetric => Self::Symmetric,
            UnusableAlgorithm::Unknown => Self::Algorithm,
        }
    }
}

/// Which access tokens are good here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessTokens {
    /// The Authority's name of itself, compared byte for byte with `iss`.
    pub issuer: String,
    /// This service's name at the Authority; has to be among `aud`.
    pub audience: String,
    /// How far clocks may differ, in seconds, for `exp` and `nbf`.
    pub leeway_seconds: u32,
}

/// A token that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VerifiedToken {
    pub(crate) principal: Principal,
    /// The first moment at which it would be refused.
    pub(crate) refused_from: Timestamp,
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<Value>,
    aud: Option<Value>,
    exp: Option<Value>,
    nbf: Option<Value>,
    sub: Option<Value>,
    tenant: Option<Value>,
    scope: Option<Value>,
    cnf: Option<Value>,
}

impl AccessTokens {
    /// Checks a token: its form, its signature by one of `keys`, and its claims. `iss`, `aud`, `exp`, `nbf`, `sub`,
    /// `tenant`, `scope` and `cnf.jkt` are required.
    ///
    /// # Errors
    /// [`TokenError`]: the first check that failed.
    pub fn verify(
        &self,
        token: &str,
        keys: &Keys,
        now: Timestamp,
    ) -> Result<Principal, TokenError> {
        self.check(token, keys, now).map(|token| token.principal)
    }

    pub(crate) fn check(
        &self,
        token: &str,
        keys: &Keys,
        now: Timestamp,
    ) -> Result<VerifiedToken, TokenError> {
        let claims = signed_claims(token, keys)?;
        if claims::text(claims.iss.as_ref(), "iss")? != self.issuer {
            return Err(TokenError::Issuer);
        }
        if !names(claims.aud.as_ref(), &self.audience)? {
            return Err(TokenError::Audience);
        }
        let leeway = i64::from(self.leeway_seconds) * 1000;
        let expires_at = claims::time(claims.exp.as_ref(), "exp")?;
        let refused_from = expires_at.plus_millis(leeway);
        if now >= refused_from {
            return Err(TokenError::Expired);
        }
        let not_before = claims::time(claims.nbf.as_ref(), "nbf")?;
        if now.plus_millis(leeway) < not_before {
            return Err(TokenError::NotYetValid);
        }
        let subject = claims::text(claims.sub.as_ref(), "sub")?;
        if subject.len() > MAX_SUBJECT_BYTES || subject.chars().any(char::is_control) {
            return Err(TokenError::Claim("sub"));
        }
        let tenant = claims::text(claims.tenant.as_ref(), "tenant")?
            .parse()
            .map_err(|_| TokenError::Claim("tenant"))?;
        let scopes = match claims.scope.as_ref() {
            None => return Err(TokenError::MissingClaim("scope")),
            Some(Value::String(scope)) => Scopes::from_claim(scope),
            Some(_) => return Err(TokenError::Claim("scope")),
        };
        Ok(VerifiedToken {
            principal: Principal {
                subject: subject.to_owned(),
                tenant,
                scopes,
                jkt: bound_to(claims.cnf.as_ref())?.to_owned(),
                expires_at,
            },
            refused_from,
        })
    }
}

/// What a token of one of `keys` claims.
fn signed_claims(token: &str, keys: &Keys) -> Result<Claims, TokenError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::TooLarge);
    }
    let token = Jws::parse(token).ok_or(TokenError::Malformed)?;
    if !token.header.typ.as_deref().is_some_and(is_access_token) {
        return Err(TokenError::Type);
    }
    let algorithm = Algorithm::named(&token.header.alg)?;
    if token.header.crit.is_some() {
        return Err(TokenError::Critical);
    }
    let id = token.header.kid.as_deref().ok_or(TokenError::NoKeyId)?;
    let key = match keys.find(id, algorithm) {
        KeyLookup::Found(key) => key,
        KeyLookup::UnknownId => return Err(TokenError::UnknownKey),
        KeyLookup::OtherAlgorithm => return Err(TokenError::KeyAlgorithm),
    };
    if !key.verifies(token.signed, &token.signature) {
        return Err(TokenError::Signature);
    }
    serde_json::from_slice(&token.payload).map_err(|_| TokenError::Malformed)
}

/// RFC 9068 §4; media types are compared without regard to case. `JWT` is what Authorities write that predate it. It is
/// no way around the type: an ID token has no `cnf`, and its audience is the client.
fn is_access_token(typ: &str) -> bool {
    ["at+jwt", "application/at+jwt", "JWT"]
        .iter()
        .any(|one| typ.eq_ignore_ascii_case(one))
}

/// Whether `aud`, one text or several, names `audience`.
fn names(aud: Option<&Value>, audience: &str) -> Result<bool, TokenError> {
    match aud {
        None => Err(TokenError::MissingClaim("aud")),
        Some(Value::String(one)) => Ok(one == audience),
        Some(Value::Array(several)) if several.iter().all(Value::is_string) => {
            Ok(several.iter().any(|one| one == audience))
        }
        Some(_) => Err(TokenError::Claim("aud")),
    }
}

fn bound_to(cnf: Option<&Value>) -> Result<&str, TokenError> {
    match cnf {
        None => Err(TokenError::Unbound),
        Some(Value::Object(cnf)) => match cnf.get("jkt") {
            None => Err(TokenError::Unbound),
            Some(Value::String(jkt)) if jkt.len() == THUMBPRINT_CHARS => Ok(jkt),
            Some(_) => Err(TokenError::Claim("cnf.jkt")),
        },
        Some(_) => Err(TokenError::Claim("cnf")),
    }
}
