//! Tokens and proofs: each way to get one wrong is refused with its own reason, and a proof is good
//! for one request, wherever it arrives.

use std::collections::BTreeSet;

use export_api::http::{BASE, ServiceConfig};
use export_authority::CredentialsError as Credentials;
use export_authority::{Denied, ProofError as Proof, Scope, TokenError as Token};
use export_scenarios::SMALL;
use serde_json::{Value, json};

use crate::support::forge::{Forged, Key, base64url, unsigned};
use crate::support::wire::exchange;
use crate::support::{Api, Ask, run};

const PATH: &str = "/api/export/adapters";

type Change = fn(&mut Forged<'_>);

fn remove(value: &mut Value, name: &str) {
    value.as_object_mut().unwrap().remove(name);
}

fn seconds(r: &Forged<'_>) -> i64 {
    r.token_claims["nbf"].as_i64().unwrap()
}

fn of_credentials() -> Vec<(Change, Denied)> {
    let cases: Vec<(Change, Credentials)> = vec![
        (|r| r.authorization = Some(vec![]), Credentials::Missing),
        (
            |r| r.authorization = Some(vec![b"DPoP a".to_vec(), b"DPoP b".to_vec()]),
            Credentials::Several,
        ),
        (
            |r| r.authorization = Some(vec![format!("Bearer {}", r.token()).into_bytes()]),
            Credentials::Bearer,
        ),
        (
            |r| r.authorization = Some(vec![b"Basic YTpi".to_vec()]),
            Credentials::OtherScheme,
        ),
        (
            |r| r.authorization = Some(vec![b"DPoP a b".to_vec()]),
            Credentials::Malformed,
        ),
        (
            |r| r.authorization = Some(vec![b"DPoP \xff".to_vec()]),
            Credentials::Malformed,
        ),
    ];
    cases.into_iter().map(|(c, why)| (c, why.into())).collect()
}

fn of_tokens() -> Vec<(Change, Denied)> {
    let cases: Vec<(Change, Token)> = vec![
        (
            |r| r.token = Some("a".repeat(16 * 1024 + 1)),
            Token::TooLarge,
        ),
        (|r| r.token = Some("opaque".to_owned()), Token::Malformed),
        (|r| r.token_header["typ"] = json!("dpop+jwt"), Token::Type),
        (
            |r| {
                r.token_header["alg"] = json!("none");
                r.token = Some(format!("{}.", unsigned(&r.token_header, &r.token_claims)));
            },
            Token::Unsigned,
        ),
        (
            |r| {
                r.token_header["alg"] = json!("HS256");
                r.token = Some(r.authority.hmac(&r.token_header, &r.token_claims));
            },
            Token::Symmetric,
        ),
        (
            |r| r.token_header["alg"] = json!("ES256K"),
            Token::Algorithm,
        ),
        (|r| r.token_header["crit"] = json!(["b64"]), Token::Critical),
        (|r| remove(&mut r.token_header, "kid"), Token::NoKeyId),
        (|r| r.token_header["kid"] = json!("two"), Token::UnknownKey),
        (
            |r| r.token_header["alg"] = json!("RS256"),
            Token::KeyAlgorithm,
        ),
        (
            |r| r.token = Some(Key::new().sign(&r.token_header, &r.token_claims)),
            Token::Signature,
        ),
        (
            |r| {
                // Another tenant in claims that were signed.
                let token = r.token();
                let mut parts: Vec<&str> = token.split('.').collect();
                let mut claims = r.token_claims.clone();
                claims["tenant"] = json!("globex");
                let claims = base64url(claims.to_string());
                parts[1] = &claims;
                r.token = Some(parts.join("."));
            },
            Token::Signature,
        ),
        (
            |r| r.token_claims["iss"] = json!("https://authority.test/"),
            Token::Issuer,
        ),
        (
            |r| r.token_claims["aud"] = json!(["other"]),
            Token::Audience,
        ),
        (
            |r| r.token_claims["exp"] = json!(seconds(r) - 60),
            Token::Expired,
        ),
        (
            |r| r.token_claims["nbf"] = json!(seconds(r) + 61),
            Token::NotYetValid,
        ),
        (|r| remove(&mut r.token_claims, "cnf"), Token::Unbound),
        (
            |r| r.token_claims["tenant"] = json!("../acme"),
            Token::Claim("tenant"),
        ),
        (
            |r| r.token_claims["sub"] = json!("a\r\nset-cookie: b"),
            Token::Claim("sub"),
        ),
        (
            |r| r.token_claims["scope"] = json!(["export:read"]),
            Token::Claim("scope"),
        ),
        (
            |r| r.token_claims["exp"] = json!(1e300),
            Token::Claim("exp"),
        ),
    ];
    cases.into_iter().map(|(c, why)| (c, why.into())).collect()
}

fn of_proofs() -> Vec<(Change, Denied)> {
    let cases: Vec<(Change, Proof)> = vec![
        (|r| r.dpop = Some(vec![]), Proof::Missing),
        (
            |r| r.dpop = Some(vec![b"a".to_vec(), b"b".to_vec()]),
            Proof::Several,
        ),
        (
            |r| r.dpop = Some(vec![vec![b'a'; 8 * 1024 + 1]]),
            Proof::TooLarge,
        ),
        (|r| r.dpop = Some(vec![b"a.b".to_vec()]), Proof::Malformed),
        (|r| r.dpop = Some(vec![b"\xff".to_vec()]), Proof::Malformed),
        (|r| r.proof_header["typ"] = json!("JWT"), Proof::Type),
        (
            |r| {
                r.proof_header["alg"] = json!("none");
                r.proof_by(|r, claims| format!("{}.", unsigned(&r.proof_header, claims)));
            },
            Proof::Unsigned,
        ),
        (
            |r| {
                r.proof_header["alg"] = json!("HS256");
                r.proof_by(|r, claims| r.client.hmac(&r.proof_header, claims));
            },
            Proof::Symmetric,
        ),
        (|r| r.proof_header["alg"] = json!("ES512"), Proof::Algorithm),
        (|r| r.proof_header["crit"] = json!(["b64"]), Proof::Critical),
        (|r| remove(&mut r.proof_header, "jwk"), Proof::NoKey),
        (
            |r| r.proof_header["jwk"]["d"] = json!("AA"),
            Proof::PrivateKey,
        ),
        (|r| r.proof_header["jwk"]["x"] = json!("AA"), Proof::Key),
        (
            |r| r.proof_header["alg"] = json!("EdDSA"),
            Proof::KeyAlgorithm,
        ),
        (
            |r| r.proof_by(|r, claims| Key::new().sign(&r.proof_header, claims)),
            Proof::Signature,
        ),
        (|r| r.proof_claims["htm"] = json!("DELETE"), Proof::Method),
        (|r| r.proof_claims["htm"] = json!("get"), Proof::MethodCase),
        (
            |r| r.proof_claims["htu"] = json!("https://export.test/api/export/key"),
            Proof::Url,
        ),
        (
            |r| r.proof_claims["htu"] = json!("https://evil.test/api/export/adapters"),
            Proof::Url,
        ),
        (
            // What the request itself says of its host is not believed.
            |r| r.proof_claims["htu"] = json!("http://export/api/export/adapters"),
            Proof::Url,
        ),
        (
            |r| r.proof_claims["iat"] = json!(seconds(r) - 121),
            Proof::TooOld,
        ),
        (
            |r| r.proof_claims["iat"] = json!(seconds(r) + 6),
            Proof::FromTheFuture,
        ),
        (
            |r| r.proof_claims["iat"] = json!("now"),
            Proof::Claim("iat"),
        ),
        (|r| r.proof_claims["jti"] = json!(""), Proof::Claim("jti")),
        (
            |r| r.proof_claims["jti"] = json!("a".repeat(257)),
            Proof::LongId,
        ),
        (
            |r| r.proof_claims["ath"] = Value::Null,
            Proof::MissingClaim("ath"),
        ),
        (
            |r| r.proof_claims["ath"] = json!(base64url([0; 32])),
            Proof::OtherToken,
        ),
        (
            |r| r.token_claims["cnf"] = json!({ "jkt": Key::new().thumbprint() }),
            Proof::OtherKey,
        ),
    ];
    cases.into_iter().map(|(c, why)| (c, why.into())).collect()
}

async fn refused(api: &Api, forged: &Forged<'_>, expected: &Denied) -> String {
    let mut ask = Ask::get(PATH);
    for (name, value) in forged.fields() {
        ask = ask.with(name, value);
    }
    // As bytes: an ordinary client would not send some of them.
    let answer = exchange(api.at[0], &ask.on_the_wire()).await.unwrap();
    let problem = answer.json();
    let detail = problem["detail"].as_str().unwrap().to_owned();
    assert_eq!(answer.head.status, 401, "{expected}: {problem:#}");
    assert_eq!(detail, expected.to_string());
    assert_eq!(problem["error_code"], expected.code().as_str(), "{detail}");
    let challenge = answer.head.field("www-authenticate").unwrap();
    assert_eq!(challenge, expected.www_authenticate().unwrap());
    detail
}

#[test]
fn each_is_refused_with_its_own_reason() {
    run(async {
        let api = Api::new(&SMALL).await;
        let seconds = api.now().0 / 1_000;
        let mut reasons = BTreeSet::new();
        for (change, expected) in of_credentials()
            .into_iter()
            .chain(of_tokens())
            .chain(of_proofs())
        {
            let mut forged = Forged::new(&api.forge, PATH, seconds);
            change(&mut forged);
            reasons.insert(refused(&api, &forged, &expected).await);
        }
        for name in ["iss", "aud", "exp", "nbf", "sub", "tenant", "scope"] {
            let mut forged = Forged::new(&api.forge, PATH, seconds);
            remove(&mut forged.token_claims, name);
            reasons.insert(refused(&api, &forged, &Token::MissingClaim(name).into()).await);
        }
        for name in ["htm", "htu", "iat", "jti"] {
            let mut forged = Forged::new(&api.forge, PATH, seconds);
            remove(&mut forged.proof_claims, name);
            reasons.insert(refused(&api, &forged, &Proof::MissingClaim(name).into()).await);
        }
        assert!(reasons.len() >= 55, "{} reasons", reasons.len());
        // What is not changed is let in.
        let forged = Forged::new(&api.forge, PATH, seconds);
        let mut ask = Ask::get(PATH);
        for (name, value) in forged.fields() {
            ask = ask.with(name, value);
        }
        ask.at(api.at[0]).await.ok(200);
    });
}

#[test]
fn a_proof_is_good_once_on_whichever_replica() {
    run(async {
        let api = Api::with(&SMALL, 2, ServiceConfig::default()).await;
        let caller = api.caller("acme");
        let ask = caller.signed(Ask::get("/adapters"));
        ask.at(api.at[0]).await.ok(200);
        for at in [api.at[0], api.at[1], api.at[0], api.at[1]] {
            let reply = ask.at(at).await;
            let problem = reply.refused(401, "ERR_DPOP_REPLAYED");
            assert_eq!(problem["detail"], "the DPoP proof was used before");
            let challenge = reply.header("www-authenticate");
            assert!(challenge.contains("invalid_dpop_proof"), "{challenge}");
        }
        // Also where many come at once, and where the scope is missing.
        for round in 0..10 {
            let caller = match round % 2 {
                0 => caller.clone(),
                _ => api.caller_with("acme", &[Scope::Run], 600),
            };
            let ask = caller.signed(Ask::get("/adapters"));
            let asked: Vec<_> = (0..8)
                .map(|n| {
                    let (ask, at) = (ask.clone(), api.at[n % 2]);
                    tokio::spawn(async move { ask.at(at).await.status })
                })
                .collect();
            let mut statuses = Vec::new();
            for asking in asked {
                statuses.push(asking.await.unwrap());
            }
            statuses.sort_unstable();
            let first = if round % 2 == 0 { 200 } else { 403 };
            let mut expected = vec![first];
            expected.resize(8, 401);
            expected.sort_unstable();
            assert_eq!(statuses, expected);
        }
    });
}

#[test]
fn a_proof_is_of_its_own_method_and_path() {
    run(async {
        let api = Api::new(&SMALL).await;
        let caller = api.caller("acme");
        let submitted = caller.submit("small").await;
        let one = format!("/runs/{}", crate::support::id(&submitted));
        let moved = |from: Ask, method: &str, path: &str| {
            let mut ask = caller.signed(from);
            ask.method = method.to_owned();
            ask.path = format!("{BASE}{path}");
            ask
        };
        let cancel = format!("{one}/cancel");
        for (ask, error) in [
            (moved(Ask::get(&one), "POST", &cancel), Proof::Method),
            (moved(Ask::get("/runs"), "GET", &one), Proof::Url),
            (
                moved(Ask::new("POST", &cancel), "POST", &format!("{one}/retry")),
                Proof::Url,
            ),
            // RFC 9449 §4.2: the method of the request, also of one without a body.
            (moved(Ask::head(&one), "GET", &one), Proof::Method),
        ] {
            let reply = ask.at(api.at[0]).await;
            let problem = reply.refused(401, "ERR_DPOP_INVALID");
            assert_eq!(problem["detail"], error.to_string());
        }
        let reply = moved(Ask::get(&one), "HEAD", &one).at(api.at[0]).await;
        assert_eq!(reply.status, 401);
        // A query is not part of it (RFC 9449 §4.2).
        let mut ask = caller.signed(Ask::get("/runs"));
        ask.path.push_str("?limit=1");
        ask.at(api.at[0]).await.ok(200);
        let reply = caller.send(Ask::head(&one)).await;
        assert_eq!((reply.status, reply.body.len()), (200, 0));
        // The run was not touched.
        let status = caller.get(&one).await.ok(200);
        assert_eq!(status["status"], "pending");
    });
}
