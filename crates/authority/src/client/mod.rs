//! The client's side: a key of its own, a token that is bound to it, and a new proof for each request.

#[cfg(feature = "http")]
mod connections;
#[cfg(feature = "http")]
mod grant;
mod secret;

#[cfg(feature = "http")]
pub use connections::{Patience, connections, is_loopback, lost};
#[cfg(feature = "http")]
pub use grant::{ClientGrant, GivenToken, NoToken, ask_for_token};
pub use secret::Secret;

use export_model::{Sha256Digest, Timestamp};
use serde_json::json;
use zeroize::Zeroizing;

use crate::jose::base64url;
use crate::signing_key::{KeyError, SigningKey};

/// The key that a client's tokens are bound to (P-256). Its `Debug` form shows the thumbprint only.
#[derive(Debug)]
pub struct ProofKey(SigningKey);

impl ProofKey {
    /// Makes a new key. The randomness is the operating system's.
    ///
    /// # Errors
    /// [`KeyError::Library`] if none can be made.
    pub fn generate() -> Result<Self, KeyError> {
        SigningKey::generate().map(Self)
    }

    /// Reads a key: PKCS#8 in PEM (RFC 7468 §10).
    ///
    /// # Errors
    /// [`KeyError::NotAKey`] if it is anything else, or on another curve.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        SigningKey::from_pem(text).map(Self)
    }

    /// Writes the key as PKCS#8 in PEM, with LF line ends. Whoever keeps it keeps it readable for its owner only.
    ///
    /// # Errors
    /// [`KeyError::Library`] if it cannot be encoded.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        self.0.to_pem()
    }

    /// The RFC 7638 thumbprint of the public half: the `cnf.jkt` of tokens that are bound to this key.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        self.0.thumbprint()
    }

    /// A proof (RFC 9449 §4.2) for one request: `method` as it is sent, `url` without query and fragment (which are left
    /// out), and the access token that goes with it, or none where one is asked for. `jti` is unique to the proof: at
    /// least 96 random bits, at most 256 characters.
    ///
    /// # Errors
    /// [`KeyError::Library`] if it cannot be signed.
    pub fn proof(
        &self,
        method: &str,
        url: &str,
        access_token: Option<&str>,
        now: Timestamp,
        jti: &str,
    ) -> Result<String, KeyError> {
        let url = url.split(['?', '#']).next().unwrap_or_default();
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.0.public_jwk() });
        let mut claims = json!({
            "jti": jti,
            "htm": method,
            "htu": url,
            "iat": now.0.div_euclid(1000),
        });
        if let Some(token) = access_token {
            claims["ath"] = base64url(Sha256Digest::of(token.as_bytes()).0).into();
        }
        self.0.sign(&header, &claims)
    }
}
