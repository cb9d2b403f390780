//! Tokens and proofs of any content, also those that no sound Authority or client would make.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use export_authority::thumbprint;
use export_model::Sha256Digest;
use serde_json::{Value, json};

use super::{PUBLIC, next_id};

/// The name of the key that signs forged tokens, in the Authority's key set.
pub(crate) const KEY_ID: &str = "forge";
pub(crate) const ISSUER: &str = "https://authority.test";
pub(crate) const AUDIENCE: &str = "export-center";

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A P-256 key.
pub(crate) struct Key(EcdsaKeyPair);

impl Key {
    pub(crate) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(crate) fn jwk(&self) -> Value {
        let point = self.0.public_key().as_ref();
        json!({
            "kty": "EC", "crv": "P-256",
            "x": base64url(&point[1..33]), "y": base64url(&point[33..]),
        })
    }

    pub(crate) fn thumbprint(&self) -> String {
        thumbprint(self.jwk().to_string().as_bytes()).unwrap()
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = unsigned(header, claims);
        let random = SystemRandom::new();
        let signature = self.0.sign(&random, signed.as_bytes()).unwrap();
        format!("{signed}.{}", base64url(signature))
    }

    /// The public key, which anybody knows, as the secret of an HMAC.
    pub(crate) fn hmac(&self, header: &Value, claims: &Value) -> String {
        let signed = unsigned(header, claims);
        let secret = hmac::Key::new(hmac::HMAC_SHA256, self.0.public_key().as_ref());
        let tag = hmac::sign(&secret, signed.as_bytes());
        format!("{signed}.{}", base64url(tag))
    }
}

pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let (header, claims) = (header.to_string(), claims.to_string());
    format!("{}.{}", base64url(header), base64url(claims))
}

/// A request for a path that is let in, before a test changes it.
pub(crate) struct Forged<'a> {
    pub(crate) authority: &'a Key,
    pub(crate) client: Key,
    pub(crate) token_header: Value,
    pub(crate) token_claims: Value,
    pub(crate) proof_header: Value,
    /// `ath` is added unless it stands here; null takes it out.
    pub(crate) proof_claims: Value,
    /// Instead of the token that the above gives.
    pub(crate) token: Option<String>,
    /// Instead of the fields that the above give.
    pub(crate) authorization: Option<Vec<Vec<u8>>>,
    pub(crate) dpop: Option<Vec<Vec<u8>>>,
}

impl<'a> Forged<'a> {
    pub(crate) fn new(authority: &'a Key, path: &str, seconds: i64) -> Self {
        let client = Key::new();
        Self {
            token_header: json!({ "typ": "at+jwt", "alg": "ES256", "kid": KEY_ID }),
            token_claims: json!({
                "iss": ISSUER, "aud": [AUDIENCE, "other"], "sub": "auditor", "tenant": "acme",
                "scope": "export:read", "nbf": seconds, "exp": seconds + 600,
                "cnf": { "jkt": client.thumbprint() },
            }),
            proof_header: json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": client.jwk() }),
            proof_claims: json!({
                "jti": format!("forged-{}", next_id()), "htm": "GET",
                "htu": format!("{PUBLIC}{path}"), "iat": seconds,
            }),
            token: None,
            authorization: None,
            dpop: None,
            authority,
            client,
        }
    }

    pub(crate) fn token(&self) -> String {
        self.token
            .clone()
            .unwrap_or_else(|| self.authority.sign(&self.token_header, &self.token_claims))
    }

    /// What the proof claims beside `token`.
    pub(crate) fn claims_for(&self, token: &str) -> Value {
        let mut claims = self.proof_claims.clone();
        let members = claims.as_object_mut().unwrap();
        if members.get("ath").is_some_and(Value::is_null) {
            members.remove("ath");
        } else if !members.contains_key("ath") {
            let hash = Sha256Digest::of(token.as_bytes());
            members.insert("ath".to_owned(), base64url(hash.0).into());
        }
        claims
    }

    /// Replaces the proof by what `sign` makes of its claims.
    pub(crate) fn proof_by(&mut self, sign: impl Fn(&Self, &Value) -> String) {
        let token = self.token();
        self.token = Some(token.clone());
        self.dpop = Some(vec![sign(self, &self.claims_for(&token)).into_bytes()]);
    }

    /// The header fields, as they are sent.
    pub(crate) fn fields(&self) -> Vec<(&'static str, Vec<u8>)> {
        let token = self.token();
        let authorization = self
            .authorization
            .clone()
            .unwrap_or_else(|| vec![format!("DPoP {token}").into_bytes()]);
        let dpop = self.dpop.clone().unwrap_or_else(|| {
            let proof = self
                .client
                .sign(&self.proof_header, &self.claims_for(&token));
            vec![proof.into_bytes()]
        });
        let authorization = authorization.into_iter().map(|v| ("authorization", v));
        authorization
            .chain(dpop.into_iter().map(|v| ("dpop", v)))
            .collect()
    }
}
