//! DPoP proofs (RFC 9449 §4): that whoever sent a request holds a certain key.
//!
//! What a proof claims is checked in a fixed order, each step with its own refusal: form, kind, algorithm, key,
//! signature; then what it is about; then when it was made; then which token and key it belongs to. That it was not used
//! before is for the caller to find out, in a store that all replicas share.

use export_model::{Sha256Digest, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use crate::claims::{self, ClaimFault};
use crate::jose::{Algorithm, JwkError, Jws, PublicKey, UnusableAlgorithm, has_private_members};
use crate::public_url::normalise;

/// The most bytes of a proof: 8 KiB.
pub const MAX_PROOF_BYTES: usize = 8 * 1024;
/// The most characters of a proof's `jti`.
pub const MAX_JTI_CHARS: usize = 256;
/// How old a proof may be, in milliseconds.
const PAST_MS: i64 = 120_000;
/// How far ahead of ours its sender's clock may be, in milliseconds.
const FUTURE_MS: i64 = 5_000;

/// Why a proof is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each variant's message says what it means")]
pub enum ProofError {
    #[error("the request has no DPoP proof")]
    Missing,
    #[error("the request has more than one DPoP proof")]
    Several,
    #[error("the DPoP proof has more than 8 KiB")]
    TooLarge,
    #[error("the DPoP proof is not a signed JWT")]
    Malformed,
    #[error("the type of the DPoP proof is not dpop+jwt")]
    Type,
    #[error("the DPoP proof is not signed: its algorithm is none")]
    Unsigned,
    #[error("the DPoP proof is signed with a secret instead of a key pair")]
    Symmetric,
    #[error("the algorithm of the DPoP proof is not supported")]
    Algorithm,
    #[error("the DPoP proof has a critical extension, and none is supported")]
    Critical,
    #[error("the DPoP proof does not carry its public key")]
    NoKey,
    #[error("the DPoP proof carries a private key; that key has to be given up")]
    PrivateKey,
    #[error("the key in the DPoP proof is not a valid key of a supported kind")]
    Key,
    #[error("the key in the DPoP proof is for another algorithm than the proof names")]
    KeyAlgorithm,
    #[error("the signature of the DPoP proof does not fit the key that it carries")]
    Signature,
    #[error("the DPoP proof has no claim {0}")]
    MissingClaim(&'static str),
    #[error("the claim {0} of the DPoP proof has the wrong form")]
    Claim(&'static str),
    #[error("the DPoP proof is for another method (htm)")]
    Method,
    #[error("the DPoP proof spells the method (htm) in other letters: methods are case-sensitive")]
    MethodCase,
    #[error("the DPoP proof is for another URL (htu)")]
    Url,
    #[error("the DPoP proof is older than 120 seconds (iat)")]
    TooOld,
    #[error("the DPoP proof is from the future (iat): the clock of its sender is ahead")]
    FromTheFuture,
    #[error("the id of the DPoP proof (jti) has more than 256 characters")]
    LongId,
    #[error("the DPoP proof is for another access token (ath)")]
    OtherToken,
    #[error("the DPoP proof is by another key than the access token is bound to")]
    OtherKey,
    #[error("the DPoP proof was used before")]
    Replayed,
}

impl From<ClaimFault> for ProofError {
    fn from(fault: ClaimFault) -> Self {
        match fault {
            ClaimFault::Missing(name) => Self::MissingClaim(name),
            ClaimFault::Wrong(name) => Self::Claim(name),
        }
    }
}

impl From<UnusableAlgorithm> for ProofError {
    fn from(algorithm: UnusableAlgorithm) -> Self {
        match algorithm {
            UnusableAlgorithm::Unsigned => Self::Unsigned,
            UnusableAlgorithm::Symmetric => Self::Symmetric,
            UnusableAlgorithm::Unknown => Self::Algorithm,
        }
    }
}

impl From<JwkError> for ProofError {
    fn from(error: JwkError) -> Self {
        match error {
            JwkError::Unsupported | JwkError::Malformed => Self::Key,
            JwkError::OtherAlgorithm => Self::KeyAlgorithm,
        }
    }
}

/// What a proof has to be about.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The request's method, exactly as it was sent.
    pub method: &'a str,
    /// The request's URL as its sender sees it. A query and a fragment are left out.
    pub url: &'a str,
    /// The token that came with it; `None` where one is being asked for.
    pub token: Option<Binding<'a>>,
}

/// The token that a proof belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'a> {
    /// SHA-256 of the access token in base64url, as the proof's `ath` has it.
    pub hash: &'a str,
    /// The thumbprint of the key that the token is bound to, its `cnf.jkt`.
    pub jkt: &'a str,
}

/// A proof that holds, if it was not used before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DpopProof {
    /// The RFC 7638 thumbprint of the key that made it.
    pub jkt: String,
    /// What to remember it by: SHA-256 over the thumbprint, NUL, and its `jti`.
    pub replay: Sha256Digest,
    /// How long: from then on it is refused for its age, even by a replica whose clock is 5 seconds behind.
    pub replay_until: Timestamp,
}

#[derive(Deserialize)]
struct Claims {
    htm: Option<Value>,
    htu: Option<Value>,
    iat: Option<Value>,
    jti: Option<Value>,
    ath: Option<Value>,
}

impl DpopProof {
    /// Checks the `DPoP` header fields of one request.
    ///
    /// # Errors
    /// [`ProofError`]: the first check that failed.
    pub fn verify(
        headers: &[&[u8]],
        expected: &Expected<'_>,
        now: Timestamp,
    ) -> Result<Self, ProofError> {
        let (key, claims) = signed_claims(headers)?;
        about(&claims, expected)?;

        let made = claims::time(claims.iat.as_ref(), "iat")?;
        if made < now.plus_millis(-PAST_MS) {
            return Err(ProofError::TooOld);
        }
        if made > now.plus_millis(FUTURE_MS) {
            return Err(ProofError::FromTheFuture);
        }
        let id = claims::text(claims.jti.as_ref(), "jti")?;
        if id.chars().count() > MAX_JTI_CHARS {
            return Err(ProofError::LongId);
        }
        if let Some(token) = expected.token {
            if claims::text(claims.ath.as_ref(), "ath")? != token.hash {
                return Err(ProofError::OtherToken);
            }
            if key.thumbprint() != token.jkt {
                return Err(ProofError::OtherKey);
            }
        }
        let jkt = key.thumbprint().to_owned();
        Ok(Self {
            replay: Sha256Digest::of(&[jkt.as_bytes(), &[0], id.as_bytes()].concat()),
            replay_until: made.plus_millis(PAST_MS + FUTURE_MS),
            jkt,
        })
    }
}

/// What the one proof claims, and the key that signed it.
fn signed_claims(headers: &[&[u8]]) -> Result<(PublicKey, Claims), ProofError> {
    let proof = match headers {
        [] => return Err(ProofError::Missing),
        [one] => *one,
        _ => return Err(ProofError::Several),
    };
    if proof.len() > MAX_PROOF_BYTES {
        return Err(ProofError::TooLarge);
    }
    let proof = std::str::from_utf8(proof).map_err(|_| ProofError::Malformed)?;
    let proof = Jws::parse(proof).ok_or(ProofError::Malformed)?;
    if proof.header.typ.as_deref() != Some("dpop+jwt") {
        return Err(ProofError::Type);
    }
    let algorithm = Algorithm::named(&proof.header.alg)?;
    if proof.header.crit.is_some() {
        return Err(ProofError::Critical);
    }
    let jwk = proof.header.jwk.as_ref().ok_or(ProofError::NoKey)?;
    if has_private_members(jwk) {
        return Err(ProofError::PrivateKey);
    }
    let key = PublicKey::from_jwk(jwk, Some(algorithm))?;
    if !key.verifies(proof.signed, &proof.signature) {
        return Err(ProofError::Signature);
    }
    let claims = serde_json::from_slice(&proof.payload).map_err(|_| ProofError::Malformed)?;
    Ok((key, claims))
}

fn about(claims: &Claims, expected: &Expected<'_>) -> Result<(), ProofError> {
    let method = claims::text(claims.htm.as_ref(), "htm")?;
    if method != expected.method {
        return Err(if method.eq_ignore_ascii_case(expected.method) {
            ProofError::MethodCase
        } else {
            ProofError::Method
        });
    }
    let url = claims::text(claims.htu.as_ref(), "htu")?;
    let wanted = normalise(expected.url).ok_or(ProofError::Url)?;
    if normalise(url).is_some_and(|url| url == wanted) {
        Ok(())
    } else {
        Err(ProofError::Url)
    }
}
