//! An Authority for development: a key, its key set, and a token endpoint that believes what it is told.
//!
//! It gives whoever asks a token for whatever they ask. So the host serves it on loopback only, refuses to start it on
//! any other address, and says so when it starts; nothing here can see where it is served. Its tokens are as good as any
//! Authority's: they go through the same checks, and none of these is softened for it.

mod endpoint;

use export_model::{Tenant, Timestamp};
use serde_json::json;
use zeroize::Zeroizing;

pub use endpoint::{MAX_FORM_BYTES, TOKEN_HEADERS, TokenAnswer, TokenEndpoint, TokenFault};

use crate::scope::Scopes;
use crate::signing_key::{KeyError, SigningKey};

/// The issuer's key (P-256). Its `Debug` form shows the thumbprint only.
#[derive(Debug)]
pub struct DevAuthority {
    key: SigningKey,
}

/// What a token is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who it speaks for.
    pub subject: String,
    /// Their tenant.
    pub tenant: Tenant,
    /// What it allows.
    pub scopes: Scopes,
    /// How long, from now on.
    pub ttl_seconds: u32,
    /// The thumbprint of the key that it is bound to.
    pub jkt: String,
}

impl DevAuthority {
    /// Makes a new key. The randomness is the operating system's.
    ///
    /// # Errors
    /// [`KeyError::Library`] if none can be made.
    pub fn generate() -> Result<Self, KeyError> {
        SigningKey::generate().map(|key| Self { key })
    }

    /// Reads a key: PKCS#8 in PEM.
    ///
    /// # Errors
    /// [`KeyError::NotAKey`] if it is anything else, or on another curve.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        SigningKey::from_pem(text).map(|key| Self { key })
    }

    /// Writes the key as PKCS#8 in PEM. Whoever keeps it keeps it readable for its owner only.
    ///
    /// # Errors
    /// [`KeyError::Library`] if it cannot be encoded.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        self.key.to_pem()
    }

    /// The key set to publish (RFC 7517 §5); the same bytes for the same key. A key's `kid` is its thumbprint.
    #[must_use]
    pub fn jwks(&self) -> Vec<u8> {
        let mut jwk = self.key.public_jwk();
        jwk["use"] = "sig".into();
        jwk["alg"] = "ES256".into();
        jwk["kid"] = self.key.thumbprint().into();
        json!({ "keys": [jwk] }).to_string().into_bytes()
    }

    /// Makes an access token (RFC 9068, with `cnf.jkt` of RFC 9449 §6.1) with the id `token_id`.
    ///
    /// # Errors
    /// [`KeyError::Library`] if it cannot be signed.
    pub fn mint(
        &self,
        grant: &Grant,
        issuer: &str,
        audience: &str,
        now: Timestamp,
        token_id: &str,
    ) -> Result<String, KeyError> {
        let seconds = now.0.div_euclid(1000);
        let header = json!({ "typ": "at+jwt", "alg": "ES256", "kid": self.key.thumbprint() });
        let claims = json!({
            "iss": issuer,
            "aud": audience,
            "sub": grant.subject,
            "client_id": grant.subject,
            "tenant": grant.tenant,
            "scope": grant.scopes.to_string(),
            "iat": seconds,
            "nbf": seconds,
            "exp": seconds.saturating_add(i64::from(grant.ttl_seconds)),
            "jti": token_id,
            "cnf": { "jkt": grant.jkt },
        });
        self.key.sign(&header, &claims)
    }
}
