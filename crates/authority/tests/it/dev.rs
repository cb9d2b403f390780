//! The development authority: from a login to a request that is accepted.

use export_authority::client::ProofKey;
use export_authority::dev::{DevAuthority, TokenAnswer, TokenEndpoint, TokenFault};
use export_authority::keys::Keys;
use export_authority::{ProofError, PublicUrl, RequestParts, Scope};
use serde_json::Value;

use crate::world::{AUDIENCE, ISSUER, NOW, PATH, URL, checks};

const TOKEN_URL: &str = "http://127.0.0.1:8080/dev/token";
const FORM: &str = "grant_type=client_credentials&tenant=acme&subject=auditor";

fn endpoint() -> TokenEndpoint {
    TokenEndpoint {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        public: PublicUrl::parse("http://127.0.0.1:8080").unwrap(),
        url_path: "/dev/token".to_owned(),
        ttl_seconds: 900,
        scopes: Scope::API.into_iter().collect(),
    }
}

fn ask(authority: &DevAuthority, key: &ProofKey, form: &str) -> TokenAnswer {
    let proof = key.proof("POST", TOKEN_URL, None, NOW, "login").unwrap();
    endpoint().answer(
        authority,
        form.as_bytes(),
        &[proof.as_bytes()],
        NOW,
        "token-1",
    )
}

fn json(answer: &TokenAnswer) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

#[test]
fn a_login_gives_a_token_that_is_accepted_with_the_same_key() {
    let authority = DevAuthority::generate().unwrap();
    let authority = DevAuthority::from_pem(&authority.to_pem().unwrap()).unwrap();
    let key = ProofKey::generate().unwrap();
    let answer = ask(
        &authority,
        &key,
        &format!("{FORM}&scope=export:read+export:download"),
    );
    assert_eq!(answer.status, 200);
    assert_eq!(answer.proof.as_ref().unwrap().jkt, key.thumbprint());
    let answer = json(&answer);
    assert_eq!(answer["token_type"], "DPoP");
    assert_eq!(answer["expires_in"], 900);
    assert_eq!(answer["scope"], "export:read export:download");

    let token = answer["access_token"].as_str().unwrap();
    let proof = key.proof("GET", URL, Some(token), NOW, "first").unwrap();
    let authorization = format!("DPoP {token}");
    let parts = RequestParts {
        method: "GET",
        url_path: PATH,
        authorization: &[authorization.as_bytes()],
        dpop: &[proof.as_bytes()],
    };
    let keys = Keys::parse(&authority.jwks()).unwrap();
    let found = checks().authenticate(&keys, &parts, NOW).unwrap();
    assert_eq!(found.principal.subject, "auditor");
    assert_eq!(found.principal.tenant.as_str(), "acme");
    assert!(found.principal.allows(Scope::Download) && !found.principal.allows(Scope::Run));
}

#[test]
fn without_scope_those_of_the_service_are_given() {
    let authority = DevAuthority::generate().unwrap();
    let answer = json(&ask(&authority, &ProofKey::generate().unwrap(), FORM));
    assert_eq!(
        answer["scope"],
        "export:profile:manage export:run export:read export:download"
    );
}

#[test]
fn each_wrong_request_has_its_error() {
    let authority = DevAuthority::generate().unwrap();
    let key = ProofKey::generate().unwrap();
    for (form, error) in [
        ("", "invalid_request"),
        ("grant_type=client_credentials&subject=a", "invalid_request"),
        (
            "grant_type=client_credentials&tenant=acme",
            "invalid_request",
        ),
        (
            "grant_type=client_credentials&tenant=&subject=a",
            "invalid_request",
        ),
        (
            "grant_type=client_credentials&tenant=a&tenant=b&subject=a",
            "invalid_request",
        ),
        (
            "grant_type=client_credentials&tenant=..%2Fa&subject=a",
            "invalid_request",
        ),
        (
            "grant_type=client_credentials&tenant=a&subject=a%0D%0Ab",
            "invalid_request",
        ),
        (&"x".repeat(20_000), "invalid_request"),
        (
            "grant_type=password&tenant=a&subject=a",
            "unsupported_grant_type",
        ),
        (
            "grant_type=client_credentials&tenant=a&subject=a&scope=admin",
            "invalid_scope",
        ),
    ] {
        let answer = ask(&authority, &key, form);
        assert_eq!(
            (answer.status, answer.proof.as_ref()),
            (400, None),
            "{form:.80}"
        );
        assert_eq!(json(&answer)["error"], error, "{form:.80}");
        assert!(json(&answer)["error_description"].is_string());
    }
}

#[test]
fn a_token_is_given_for_a_good_proof_only() {
    let authority = DevAuthority::generate().unwrap();
    let key = ProofKey::generate().unwrap();
    let elsewhere = key.proof("POST", URL, None, NOW, "a").unwrap();
    let get = key.proof("GET", TOKEN_URL, None, NOW, "a").unwrap();
    for dpop in [
        vec![],
        vec![elsewhere.as_bytes()],
        vec![get.as_bytes()],
        vec![get.as_bytes(); 2],
    ] {
        let answer = endpoint().answer(&authority, FORM.as_bytes(), &dpop, NOW, "t");
        assert_eq!(answer.status, 400);
        assert_eq!(json(&answer)["error"], "invalid_dpop_proof");
    }
    let replayed = TokenAnswer::from(TokenFault::Proof(ProofError::Replayed));
    assert_eq!(json(&replayed)["error"], "invalid_dpop_proof");
}
