//! A request that is accepted, and every part of it to be changed.

use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use export_authority::keys::{FetchError, Fetched, JwksSource, Keys};
use export_authority::{
    AccessTokens, Authenticated, Checks, Denied, PublicUrl, RequestParts, thumbprint,
};
use export_model::{Sha256Digest, Timestamp};
use serde_json::{Value, json};

pub(crate) const NOW: Timestamp = Timestamp(1_795_000_000_000);
pub(crate) const SECONDS: i64 = NOW.0 / 1000;
pub(crate) const ISSUER: &str = "https://authority.example";
pub(crate) const AUDIENCE: &str = "export-center";
pub(crate) const PUBLIC: &str = "https://export.example/";
pub(crate) const PATH: &str = "/api/export/runs/1";
pub(crate) const URL: &str = "https://export.example/api/export/runs/1";

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
        json!({ "kty": "EC", "crv": "P-256", "x": base64url(&point[1..33]), "y": base64url(&point[33..]) })
    }

    pub(crate) fn thumbprint(&self) -> String {
        thumbprint(self.jwk().to_string().as_bytes()).unwrap()
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = unsigned(header, claims);
        let signature = self
            .0
            .sign(&SystemRandom::new(), signed.as_bytes())
            .unwrap();
        format!("{signed}.{}", base64url(signature))
    }

    /// The classic confusion: the public key, which anybody knows, as the secret of an HMAC.
    pub(crate) fn sign_with_public_key_as_secret(&self, header: &Value, claims: &Value) -> String {
        let signed = unsigned(header, claims);
        let secret = hmac::Key::new(hmac::HMAC_SHA256, self.0.public_key().as_ref());
        format!(
            "{signed}.{}",
            base64url(hmac::sign(&secret, signed.as_bytes()))
        )
    }
}

pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    format!(
        "{}.{}",
        base64url(header.to_string()),
        base64url(claims.to_string())
    )
}

pub(crate) fn key_set(keys: &[(&str, &Key)]) -> Vec<u8> {
    let keys: Vec<Value> = keys
        .iter()
        .map(|(id, key)| {
            let mut jwk = key.jwk();
            jwk["kid"] = (*id).into();
            jwk
        })
        .collect();
    json!({ "keys": keys }).to_string().into_bytes()
}

/// What a token and a proof say before a test changes it.
pub(crate) struct Request {
    pub(crate) authority: Key,
    pub(crate) client: Key,
    pub(crate) token_header: Value,
    pub(crate) token_claims: Value,
    pub(crate) proof_header: Value,
    pub(crate) proof_claims: Value,
    /// Instead of the token that the above gives.
    pub(crate) token: Option<String>,
    /// Instead of the fields that the above give.
    pub(crate) authorization: Option<Vec<Vec<u8>>>,
    pub(crate) dpop: Option<Vec<Vec<u8>>>,
    pub(crate) method: String,
    pub(crate) url_path: String,
    pub(crate) now: Timestamp,
}

impl Request {
    pub(crate) fn good() -> Self {
        let authority = Key::new();
        let client = Key::new();
        Self {
            token_header: json!({ "typ": "at+jwt", "alg": "ES256", "kid": "one" }),
            token_claims: json!({
                "iss": ISSUER,
                "aud": [AUDIENCE, "other"],
                "sub": "auditor",
                "tenant": "acme",
                "scope": "openid export:read export:run",
                "nbf": SECONDS,
                "exp": SECONDS + 600,
                "cnf": { "jkt": client.thumbprint() },
            }),
            proof_header: json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": client.jwk() }),
            proof_claims: json!({ "jti": "proof 1", "htm": "GET", "htu": URL, "iat": SECONDS }),
            token: None,
            authorization: None,
            dpop: None,
            method: "GET".to_owned(),
            url_path: PATH.to_owned(),
            now: NOW,
            authority,
            client,
        }
    }

    pub(crate) fn keys(&self) -> Keys {
        Keys::parse(&key_set(&[("one", &self.authority)])).unwrap()
    }

    pub(crate) fn token(&self) -> String {
        self.token
            .clone()
            .unwrap_or_else(|| self.authority.sign(&self.token_header, &self.token_claims))
    }

    /// The claims with the hash of `token`, unless the test has set `ath` itself (null takes it out).
    pub(crate) fn claims_for(&self, token: &str) -> Value {
        let mut claims = self.proof_claims.clone();
        let members = claims.as_object_mut().unwrap();
        match members.get("ath") {
            Some(Value::Null) => {
                members.remove("ath");
            }
            Some(_) => {}
            None => {
                let hash = Sha256Digest::of(token.as_bytes());
                members.insert("ath".to_owned(), base64url(hash.0).into());
            }
        }
        claims
    }

    pub(crate) fn proof_for(&self, token: &str) -> String {
        self.client
            .sign(&self.proof_header, &self.claims_for(token))
    }

    /// The header fields: `Authorization`, `DPoP`.
    pub(crate) fn fields(&self) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let token = self.token();
        let authorization = self
            .authorization
            .clone()
            .unwrap_or_else(|| vec![format!("DPoP {token}").into_bytes()]);
        let dpop = self
            .dpop
            .clone()
            .unwrap_or_else(|| vec![self.proof_for(&token).into_bytes()]);
        (authorization, dpop)
    }

    pub(crate) fn verdict(&self) -> Result<Authenticated, Denied> {
        let (authorization, dpop) = self.fields();
        let authorization: Vec<&[u8]> = authorization.iter().map(Vec::as_slice).collect();
        let dpop: Vec<&[u8]> = dpop.iter().map(Vec::as_slice).collect();
        let parts = RequestParts {
            method: &self.method,
            url_path: &self.url_path,
            authorization: &authorization,
            dpop: &dpop,
        };
        checks().authenticate(&self.keys(), &parts, self.now)
    }
}

pub(crate) fn rules() -> AccessTokens {
    AccessTokens {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        leeway_seconds: 60,
    }
}

pub(crate) fn checks() -> Checks {
    Checks::new(rules(), PublicUrl::parse(PUBLIC).unwrap())
}

/// A source that gives the answers of a script, counts, and waits at a gate where there is one.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) answers: std::sync::Mutex<Vec<Result<Fetched, FetchError>>>,
    pub(crate) asked: std::sync::atomic::AtomicUsize,
    pub(crate) gate: Option<tokio::sync::Semaphore>,
}

impl Script {
    pub(crate) fn answers(self, answer: Result<(Vec<u8>, Option<u64>), &str>) -> Self {
        self.then(answer);
        self
    }

    pub(crate) fn then(&self, answer: Result<(Vec<u8>, Option<u64>), &str>) {
        self.answers.lock().unwrap().push(
            answer
                .map(|(body, seconds)| Fetched {
                    body,
                    max_age: seconds.map(Duration::from_secs),
                })
                .map_err(|why| FetchError(why.to_owned())),
        );
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(std::sync::atomic::Ordering::SeqCst)
    }
}

#[async_trait]
impl JwksSource for Script {
    async fn fetch(&self) -> Result<Fetched, FetchError> {
        self.asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if let Some(gate) = &self.gate {
            gate.acquire().await.unwrap().forget();
        }
        // The last answer is given again.
        let mut answers = self.answers.lock().unwrap();
        if answers.len() > 1 {
            answers.remove(0)
        } else {
            answers[0].clone()
        }
    }
}
