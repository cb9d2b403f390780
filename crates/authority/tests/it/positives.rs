//! Requests that are accepted.

use export_authority::{Denied, Scope, TokenError};
use export_model::{Sha256Digest, Timestamp};
use serde_json::json;

use crate::world::{NOW, Request};

#[test]
fn a_good_request_says_who_it_is_from_and_what_to_remember() {
    let request = Request::good();
    let found = request.verdict().unwrap();
    assert_eq!(found.principal.subject, "auditor");
    assert_eq!(found.principal.tenant.as_str(), "acme");
    assert!(found.principal.allows(Scope::Read) && found.principal.allows(Scope::Run));
    assert_eq!(
        found.principal.require(Scope::Download),
        Err(Denied::Scope(Scope::Download))
    );
    assert_eq!(found.principal.jkt, request.client.thumbprint());
    assert_eq!(found.principal.expires_at, NOW.plus_millis(600_000));
    let remembered = format!("{}\0proof 1", request.client.thumbprint());
    assert_eq!(found.replay, Sha256Digest::of(remembered.as_bytes()));
    assert_eq!(found.replay_until, NOW.plus_millis(125_000));
}

type Change = fn(&mut Request);

#[test]
fn what_does_not_matter_is_accepted() {
    let cases: &[(&str, Change)] = &[
        ("one audience", |r| {
            r.token_claims["aud"] = json!("export-center")
        }),
        ("the type JWT", |r| r.token_header["typ"] = json!("JWT")),
        ("the long type", |r| {
            r.token_header["typ"] = json!("application/AT+JWT")
        }),
        ("a scheme in lower case", |r| {
            let token = r.token();
            r.token = Some(token.clone());
            r.authorization = Some(vec![format!("dpop  {token}").into_bytes()]);
        }),
        ("a query and a fragment in htu", |r| {
            r.proof_claims["htu"] = json!("https://export.example/api/export/runs/1?a=b#c");
        }),
        ("another spelling of htu", |r| {
            r.proof_claims["htu"] = json!("HTTPS://EXPORT.example:443/api/./export/%72uns/1");
        }),
        ("an escaped path", |r| {
            r.url_path = "/api/export/files/a%2fb".to_owned();
            r.proof_claims["htu"] = json!("https://export.example/api/export/files/a%2Fb");
        }),
        ("other claims and header members", |r| {
            r.proof_claims["nonce"] = json!("x");
            r.proof_header["x"] = json!({ "y": [1] });
            r.token_claims["client_id"] = json!("x");
        }),
        ("a proof of 120 seconds ago", |r| {
            r.now = NOW.plus_millis(120_000)
        }),
        ("a clock that is 5 seconds ahead", |r| {
            r.now = NOW.plus_millis(-5_000)
        }),
        ("a token within the leeway of exp", |r| {
            r.token_claims["exp"] = json!(NOW.0 / 1000 - 59);
        }),
        ("a token within the leeway of nbf", |r| {
            r.token_claims["nbf"] = json!(NOW.0 / 1000 + 60);
        }),
        ("times with fractions", |r| {
            r.token_claims["exp"] = json!(1_795_000_600.5);
            r.proof_claims["iat"] = json!(1_795_000_000.25);
        }),
        ("an id of 256 characters", |r| {
            r.proof_claims["jti"] = json!("é".repeat(256))
        }),
        ("no scope of ours", |r| r.token_claims["scope"] = json!("")),
        ("a private-looking claim", |r| {
            r.proof_claims["d"] = json!("x")
        }),
    ];
    for (name, change) in cases {
        let mut request = Request::good();
        change(&mut request);
        assert!(request.verdict().is_ok(), "{name}: {:?}", request.verdict());
    }
}

#[test]
fn a_token_that_is_known_is_still_refused_when_it_expires() {
    let mut request = Request::good();
    request.token_claims["exp"] = json!(NOW.0 / 1000 - 30);
    let token = request.token();
    request.token = Some(token);
    let (authorization, dpop) = request.fields();
    let parts = export_authority::RequestParts {
        method: "GET",
        url_path: crate::world::PATH,
        authorization: &[&authorization[0]],
        dpop: &[&dpop[0]],
    };
    let (checks, keys) = (crate::world::checks(), request.keys());
    let at = |ms| checks.authenticate(&keys, &parts, Timestamp(NOW.0 + ms));
    assert!(at(0).is_ok());
    assert!(at(29_999).is_ok());
    assert_eq!(at(30_000), Err(Denied::Token(TokenError::Expired)));
}
