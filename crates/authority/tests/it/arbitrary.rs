//! Whatever bytes come: a verdict, never a panic.

use export_authority::dev::{DevAuthority, TokenEndpoint};
use export_authority::keys::Keys;
use export_authority::{PublicUrl, RequestParts, thumbprint};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::world::{NOW, Request, URL, base64url, checks};

/// Values of any type, of which some are what a member should be.
fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        proptest::collection::vec(any::<u8>(), 0..70).prop_map(|bytes| base64url(bytes).into()),
        prop_oneof![
            Just("EC"),
            Just("P-256"),
            Just("P-384"),
            Just("OKP"),
            Just("Ed25519"),
            Just("RSA"),
            Just("ES256"),
            Just("EdDSA"),
            Just("dpop+jwt"),
            Just("at+jwt"),
            Just("one"),
            Just("GET"),
            Just(URL),
        ]
        .prop_map(Value::from),
        ".{0,5}".prop_map(|text| json!({ "jkt": text, "kty": "EC" })),
        ".{0,5}".prop_map(|text| json!([text])),
    ]
}

fn any_object(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    proptest::collection::vec((proptest::sample::select(names), any_value()), 0..8).prop_map(
        |members| {
            members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()
        },
    )
}

const JWK: &[&str] = &[
    "kty", "crv", "x", "y", "n", "e", "d", "alg", "kid", "use", "key_ops",
];

proptest! {
    #[test]
    fn header_fields(
        authorization in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..3),
        dpop in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..3),
        method in ".{0,10}",
        url_path in ".{0,40}",
    ) {
        let authorization: Vec<&[u8]> = authorization.iter().map(Vec::as_slice).collect();
        let dpop: Vec<&[u8]> = dpop.iter().map(Vec::as_slice).collect();
        let parts = RequestParts { method: &method, url_path: &url_path, authorization: &authorization, dpop: &dpop };
        let keys = Request::good().keys();
        prop_assert!(checks().authenticate(&keys, &parts, NOW).is_err());
    }

    #[test]
    fn headers_and_claims_of_tokens_and_proofs(
        token_header in any_object(&["typ", "alg", "kid", "crit"]),
        token_claims in any_object(&["iss", "aud", "exp", "nbf", "sub", "tenant", "scope", "cnf"]),
        proof_header in any_object(&["typ", "alg", "jwk", "crit"]),
        jwk in any_object(JWK),
        proof_claims in any_object(&["htm", "htu", "iat", "jti"]),
        which in 0..4,
    ) {
        let mut request = Request::good();
        match which {
            0 => request.token_header = token_header,
            1 => request.token_claims = token_claims,
            2 => {
                request.proof_header = proof_header;
                request.proof_header["jwk"] = jwk;
            }
            _ => request.proof_claims = proof_claims,
        }
        if let Err(denied) = request.verdict() {
            let header = denied.www_authenticate().unwrap();
            prop_assert!(header.bytes().all(|b| (b' '..=b'~').contains(&b)));
        }
    }

    #[test]
    fn paths(url_path in "/.{0,60}") {
        let mut request = Request::good();
        request.url_path = url_path;
        let _ = request.verdict();
    }

    #[test]
    fn key_sets(bytes in proptest::collection::vec(any::<u8>(), 0..200), jwk in any_object(JWK)) {
        let _ = Keys::parse(&bytes);
        let _ = Keys::parse(json!({ "keys": [jwk] }).to_string().as_bytes());
        let _ = thumbprint(jwk.to_string().as_bytes());
    }

    #[test]
    fn forms(form in proptest::collection::vec(any::<u8>(), 0..200)) {
        let endpoint = TokenEndpoint {
            issuer: "i".to_owned(),
            audience: "a".to_owned(),
            public: PublicUrl::parse("http://127.0.0.1:1").unwrap(),
            url_path: "/token".to_owned(),
            ttl_seconds: 1,
            scopes: export_authority::Scopes::all(),
        };
        let authority = DevAuthority::generate().unwrap();
        prop_assert_eq!(endpoint.answer(&authority, &form, &[], NOW, "id").status, 400);
    }
}
