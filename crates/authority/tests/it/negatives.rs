//! Each way to get a request wrong has its own answer.

use std::collections::BTreeMap;

use export_authority::CredentialsError as Credentials;
use export_authority::{Denied, ProofError as Proof, TokenError as Token};
use export_model::ErrorCode;
use serde_json::{Value, json};

use crate::world::{Key, NOW, Request, SECONDS, base64url, unsigned};

type Change = fn(&mut Request);

fn remove(value: &mut Value, name: &str) {
    value.as_object_mut().unwrap().remove(name);
}

/// The proof of `r` with its signature replaced.
fn resigned(r: &mut Request, sign: impl Fn(&Request, &Value) -> String) {
    let token = r.token();
    r.token = Some(token.clone());
    r.dpop = Some(vec![sign(r, &r.claims_for(&token)).into_bytes()]);
}

fn credentials() -> Vec<(&'static str, Change, Denied)> {
    let cases: Vec<(&'static str, Change, Credentials)> = vec![
        (
            "no token",
            |r| r.authorization = Some(vec![]),
            Credentials::Missing,
        ),
        (
            "two tokens",
            |r| r.authorization = Some(vec![b"DPoP a".to_vec(), b"DPoP b".to_vec()]),
            Credentials::Several,
        ),
        (
            "a bound token as Bearer",
            |r| r.authorization = Some(vec![format!("Bearer {}", r.token()).into_bytes()]),
            Credentials::Bearer,
        ),
        (
            "another scheme",
            |r| r.authorization = Some(vec![b"Basic YTpi".to_vec()]),
            Credentials::OtherScheme,
        ),
        (
            "a scheme alone",
            |r| r.authorization = Some(vec![b"DPoP".to_vec()]),
            Credentials::Malformed,
        ),
        (
            "two tokens in one",
            |r| r.authorization = Some(vec![b"DPoP a b".to_vec()]),
            Credentials::Malformed,
        ),
        (
            "bytes",
            |r| r.authorization = Some(vec![b"DPoP \xff".to_vec()]),
            Credentials::Malformed,
        ),
    ];
    cases
        .into_iter()
        .map(|(name, change, why)| (name, change, why.into()))
        .collect()
}

fn tokens() -> Vec<(&'static str, Change, Denied)> {
    let cases: Vec<(&'static str, Change, Token)> = vec![
        (
            "a huge token",
            |r| r.token = Some("a".repeat(16 * 1024 + 1)),
            Token::TooLarge,
        ),
        (
            "no JWT",
            |r| r.token = Some("opaque".to_owned()),
            Token::Malformed,
        ),
        (
            "claims that are no object",
            |r| r.token_claims = json!([1]),
            Token::Malformed,
        ),
        (
            "a proof as token",
            |r| r.token_header["typ"] = json!("dpop+jwt"),
            Token::Type,
        ),
        (
            "no type",
            |r| remove(&mut r.token_header, "typ"),
            Token::Type,
        ),
        (
            "none",
            |r| {
                r.token_header["alg"] = json!("none");
                r.token = Some(format!("{}.", unsigned(&r.token_header, &r.token_claims)));
            },
            Token::Unsigned,
        ),
        (
            "HS256 with the public key",
            |r| {
                r.token_header["alg"] = json!("HS256");
                r.token = Some(
                    r.authority
                        .sign_with_public_key_as_secret(&r.token_header, &r.token_claims),
                );
            },
            Token::Symmetric,
        ),
        (
            "an unknown algorithm",
            |r| r.token_header["alg"] = json!("ES256K"),
            Token::Algorithm,
        ),
        (
            "an extension",
            |r| r.token_header["crit"] = json!(["b64"]),
            Token::Critical,
        ),
        (
            "no key id",
            |r| remove(&mut r.token_header, "kid"),
            Token::NoKeyId,
        ),
        (
            "an unknown key id",
            |r| r.token_header["kid"] = json!("two"),
            Token::UnknownKey,
        ),
        (
            "another algorithm of the key",
            |r| r.token_header["alg"] = json!("RS256"),
            Token::KeyAlgorithm,
        ),
        (
            "another Authority's signature",
            |r| r.token = Some(Key::new().sign(&r.token_header, &r.token_claims)),
            Token::Signature,
        ),
        (
            "claims that were changed",
            |r| {
                let token = r.token();
                let mut parts: Vec<&str> = token.split('.').collect();
                let mut claims = r.token_claims.clone();
                claims["tenant"] = json!("other");
                let claims = base64url(claims.to_string());
                parts[1] = &claims;
                r.token = Some(parts.join("."));
            },
            Token::Signature,
        ),
        (
            "another issuer",
            |r| r.token_claims["iss"] = json!("https://authority.example/"),
            Token::Issuer,
        ),
        (
            "another audience",
            |r| r.token_claims["aud"] = json!(["other"]),
            Token::Audience,
        ),
        (
            "expired",
            |r| r.token_claims["exp"] = json!(SECONDS - 60),
            Token::Expired,
        ),
        (
            "not yet valid",
            |r| r.token_claims["nbf"] = json!(SECONDS + 61),
            Token::NotYetValid,
        ),
        (
            "no cnf",
            |r| remove(&mut r.token_claims, "cnf"),
            Token::Unbound,
        ),
        (
            "another kind of cnf",
            |r| r.token_claims["cnf"] = json!({ "x5t#S256": "a" }),
            Token::Unbound,
        ),
        (
            "no tenant's name",
            |r| r.token_claims["tenant"] = json!("../acme"),
            Token::Claim("tenant"),
        ),
        (
            "a subject with a line end",
            |r| r.token_claims["sub"] = json!("a\r\nb"),
            Token::Claim("sub"),
        ),
        (
            "an absurd time",
            |r| r.token_claims["exp"] = json!(1e300),
            Token::Claim("exp"),
        ),
        (
            "a negative time",
            |r| r.token_claims["nbf"] = json!(-1),
            Token::Claim("nbf"),
        ),
        (
            "scopes as a list",
            |r| r.token_claims["scope"] = json!(["export:run"]),
            Token::Claim("scope"),
        ),
        (
            "an audience of numbers",
            |r| r.token_claims["aud"] = json!([1]),
            Token::Claim("aud"),
        ),
        (
            "a short thumbprint",
            |r| r.token_claims["cnf"] = json!({ "jkt": "" }),
            Token::Claim("cnf.jkt"),
        ),
        (
            "a thumbprint that is none",
            |r| r.token_claims["cnf"] = json!("jkt"),
            Token::Claim("cnf"),
        ),
    ];
    cases
        .into_iter()
        .map(|(name, change, why)| (name, change, why.into()))
        .collect()
}

fn proofs() -> Vec<(&'static str, Change, Denied)> {
    let cases: Vec<(&'static str, Change, Proof)> = vec![
        ("no proof", |r| r.dpop = Some(vec![]), Proof::Missing),
        (
            "two proofs",
            |r| r.dpop = Some(vec![b"a".to_vec(), b"b".to_vec()]),
            Proof::Several,
        ),
        (
            "a huge proof",
            |r| r.dpop = Some(vec![vec![b'a'; 8 * 1024 + 1]]),
            Proof::TooLarge,
        ),
        (
            "no JWT",
            |r| r.dpop = Some(vec![b"a.b".to_vec()]),
            Proof::Malformed,
        ),
        (
            "bytes",
            |r| r.dpop = Some(vec![b"\xff".to_vec()]),
            Proof::Malformed,
        ),
        (
            "two proofs in one field",
            |r| {
                resigned(r, |r, c| {
                    let one = r.client.sign(&r.proof_header, c);
                    format!("{one}, {one}")
                })
            },
            Proof::Malformed,
        ),
        (
            "another type",
            |r| r.proof_header["typ"] = json!("JWT"),
            Proof::Type,
        ),
        (
            "no type",
            |r| remove(&mut r.proof_header, "typ"),
            Proof::Type,
        ),
        (
            "none",
            |r| {
                r.proof_header["alg"] = json!("none");
                resigned(r, |r, claims| {
                    format!("{}.", unsigned(&r.proof_header, claims))
                });
            },
            Proof::Unsigned,
        ),
        (
            "HS256",
            |r| {
                r.proof_header["alg"] = json!("HS256");
                resigned(r, |r, claims| {
                    r.client
                        .sign_with_public_key_as_secret(&r.proof_header, claims)
                });
            },
            Proof::Symmetric,
        ),
        (
            "an unknown algorithm",
            |r| r.proof_header["alg"] = json!("ES512"),
            Proof::Algorithm,
        ),
        (
            "an extension",
            |r| r.proof_header["crit"] = json!(["b64"]),
            Proof::Critical,
        ),
        (
            "no key",
            |r| remove(&mut r.proof_header, "jwk"),
            Proof::NoKey,
        ),
        (
            "a private key",
            |r| r.proof_header["jwk"]["d"] = json!("AA"),
            Proof::PrivateKey,
        ),
        (
            "a secret",
            |r| r.proof_header["jwk"] = json!({ "kty": "oct", "k": "AA" }),
            Proof::PrivateKey,
        ),
        (
            "a broken key",
            |r| r.proof_header["jwk"]["x"] = json!("AA"),
            Proof::Key,
        ),
        (
            "a key for another algorithm",
            |r| r.proof_header["alg"] = json!("EdDSA"),
            Proof::KeyAlgorithm,
        ),
        (
            "a signature by another key",
            |r| resigned(r, |r, claims| Key::new().sign(&r.proof_header, claims)),
            Proof::Signature,
        ),
        (
            "claims that were changed",
            |r| {
                resigned(r, |r, claims| {
                    let proof = r.client.sign(&r.proof_header, claims);
                    let mut changed = claims.clone();
                    changed["jti"] = json!("another");
                    let signature = proof.rsplit_once('.').unwrap().1;
                    format!("{}.{signature}", unsigned(&r.proof_header, &changed))
                });
            },
            Proof::Signature,
        ),
        (
            "another method",
            |r| r.method = "DELETE".to_owned(),
            Proof::Method,
        ),
        (
            "the method in lower case",
            |r| r.proof_claims["htm"] = json!("get"),
            Proof::MethodCase,
        ),
        (
            "another path",
            |r| r.url_path = "/api/export/runs/2".to_owned(),
            Proof::Url,
        ),
        (
            "another host",
            |r| r.proof_claims["htu"] = json!("https://evil.example/api/export/runs/1"),
            Proof::Url,
        ),
        (
            "another scheme",
            |r| r.proof_claims["htu"] = json!("http://export.example/api/export/runs/1"),
            Proof::Url,
        ),
        (
            "a path alone",
            |r| r.proof_claims["htu"] = json!("/api/export/runs/1"),
            Proof::Url,
        ),
        (
            "a user in the URL",
            |r| r.proof_claims["htu"] = json!("https://a@export.example/api/export/runs/1"),
            Proof::Url,
        ),
        (
            "too late",
            |r| r.now = NOW.plus_millis(120_001),
            Proof::TooOld,
        ),
        (
            "too early",
            |r| r.now = NOW.plus_millis(-5_001),
            Proof::FromTheFuture,
        ),
        (
            "a time in words",
            |r| r.proof_claims["iat"] = json!("now"),
            Proof::Claim("iat"),
        ),
        (
            "an empty id",
            |r| r.proof_claims["jti"] = json!(""),
            Proof::Claim("jti"),
        ),
        (
            "an id of 257 characters",
            |r| r.proof_claims["jti"] = json!("a".repeat(257)),
            Proof::LongId,
        ),
        (
            "no token hash",
            |r| r.proof_claims["ath"] = Value::Null,
            Proof::MissingClaim("ath"),
        ),
        (
            "another token's hash",
            |r| r.proof_claims["ath"] = json!(base64url([0; 32])),
            Proof::OtherToken,
        ),
        (
            "another key, with a good proof",
            |r| {
                r.client = Key::new();
                r.proof_header["jwk"] = r.client.jwk();
            },
            Proof::OtherKey,
        ),
        (
            "a token of another key",
            |r| r.token_claims["cnf"] = json!({ "jkt": Key::new().thumbprint() }),
            Proof::OtherKey,
        ),
    ];
    cases
        .into_iter()
        .map(|(name, change, why)| (name, change, why.into()))
        .collect()
}

#[test]
fn each_is_refused_with_its_own_reason() {
    let mut sentences: BTreeMap<String, Denied> = BTreeMap::new();
    let mut cases = 0;
    for (name, change, expected) in credentials().into_iter().chain(tokens()).chain(proofs()) {
        let mut request = Request::good();
        change(&mut request);
        assert_eq!(request.verdict().unwrap_err(), expected, "{name}");
        assert_eq!(expected.http_status(), 401, "{name}");
        let header = expected.www_authenticate().unwrap();
        assert!(header.starts_with(r#"DPoP algs="ES256 "#), "{header}");
        assert!(
            header.bytes().all(|b| (b' '..=b'~').contains(&b)),
            "{header}"
        );
        let other = sentences.insert(expected.to_string(), expected.clone());
        assert!(
            other.is_none_or(|other| other == expected),
            "one sentence for two reasons: {expected}"
        );
        cases += 1;
    }
    assert!(
        cases >= 25 && sentences.len() >= 25,
        "{cases} cases, {} reasons",
        sentences.len()
    );
}

#[test]
fn every_required_claim_is_missed_by_its_name() {
    for name in ["iss", "aud", "exp", "nbf", "sub", "tenant", "scope"] {
        let mut request = Request::good();
        remove(&mut request.token_claims, name);
        assert_eq!(request.verdict(), Err(Token::MissingClaim(name).into()));
    }
    for name in ["htm", "htu", "iat", "jti"] {
        let mut request = Request::good();
        remove(&mut request.proof_claims, name);
        assert_eq!(request.verdict(), Err(Proof::MissingClaim(name).into()));
    }
}

#[test]
fn the_codes_tell_what_to_do() {
    for (denied, code, error) in [
        (
            Denied::from(Credentials::Bearer),
            ErrorCode::Unauthenticated,
            "invalid_token",
        ),
        (
            Token::Issuer.into(),
            ErrorCode::TokenInvalid,
            "invalid_token",
        ),
        (
            Token::Expired.into(),
            ErrorCode::TokenExpired,
            "invalid_token",
        ),
        (
            Proof::Method.into(),
            ErrorCode::DpopInvalid,
            "invalid_dpop_proof",
        ),
        (
            Proof::Replayed.into(),
            ErrorCode::DpopReplayed,
            "invalid_dpop_proof",
        ),
    ] {
        assert_eq!(denied.code(), code);
        assert_eq!(code.exit_code(), 8);
        let header = denied.www_authenticate().unwrap();
        assert!(
            header.contains(&format!(
                "error=\"{error}\", error_description=\"{denied}\""
            )),
            "{header}"
        );
    }
}

/// The checks are made in a fixed order: of several faults the first is told.
#[test]
fn of_several_faults_the_first_is_told() {
    let order: &[(Change, Proof)] = &[
        (|r| r.proof_header["typ"] = json!("JWT"), Proof::Type),
        (
            |r| r.proof_header["jwk"]["d"] = json!("AA"),
            Proof::PrivateKey,
        ),
        (|r| r.client = Key::new(), Proof::Signature),
        (|r| r.proof_claims["htm"] = json!("PUT"), Proof::Method),
        (
            |r| r.proof_claims["htu"] = json!("https://evil.example/"),
            Proof::Url,
        ),
        (
            |r| r.proof_claims["iat"] = json!(SECONDS - 121),
            Proof::TooOld,
        ),
        (
            |r| r.proof_claims["jti"] = json!("a".repeat(257)),
            Proof::LongId,
        ),
        (
            |r| r.proof_claims["ath"] = json!("other"),
            Proof::OtherToken,
        ),
    ];
    for first in 0..order.len() {
        let mut request = Request::good();
        for (change, _) in &order[first..] {
            change(&mut request);
        }
        assert_eq!(request.verdict(), Err(order[first].1.into()));
    }
}
