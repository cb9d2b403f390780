use serde_json::json;

use super::*;

fn key(jwk: serde_json::Value) -> Result<PublicKey, JwkError> {
    let serde_json::Value::Object(members) = jwk else {
        panic!("an object")
    };
    PublicKey::from_jwk(&members, None)
}

#[test]
fn base64url_has_one_spelling() {
    assert_eq!(from_base64url("AQ"), Some(vec![1]));
    for other in ["AQ==", "AR", "AQ\n", "A", "+/8"] {
        assert_eq!(from_base64url(other), None, "{other}");
    }
}

#[test]
fn three_parts_or_nothing() {
    let header = base64url(br#"{"alg":"ES256"}"#);
    assert!(Jws::parse(&format!("{header}.e30.AA")).is_some());
    let twice = base64url(br#"{"alg":"ES256","alg":"none"}"#);
    for bad in [
        "".to_owned(),
        header.clone(),
        format!("{header}.e30"),
        format!("{header}.e30.AA.AA"),
        format!("{header}.e30.AA="),
        format!(".{header}.e30"),
        format!("{twice}.e30.AA"),
        format!("{}.e30.AA", base64url(b"[]")),
        format!("{}.e30.AA", base64url(br#"{"alg":1}"#)),
    ] {
        assert!(Jws::parse(&bad).is_none(), "{bad}");
    }
}

#[test]
fn keys_that_are_no_keys_are_refused() {
    let x = base64url([1; 32]);
    let cases = [
        (json!({}), JwkError::Malformed),
        (json!({ "kty": 1 }), JwkError::Malformed),
        (json!({ "kty": "oct", "k": "AA" }), JwkError::Unsupported),
        (
            json!({ "kty": "EC", "crv": "secp256k1", "x": x, "y": x }),
            JwkError::Unsupported,
        ),
        (
            json!({ "kty": "EC", "crv": "P-256", "x": x }),
            JwkError::Malformed,
        ),
        // Not on the curve.
        (
            json!({ "kty": "EC", "crv": "P-256", "x": x, "y": x }),
            JwkError::Malformed,
        ),
        (
            json!({ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" }),
            JwkError::Malformed,
        ),
        (
            json!({ "kty": "OKP", "crv": "X25519", "x": x }),
            JwkError::Unsupported,
        ),
        (
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "AA" }),
            JwkError::Malformed,
        ),
        (
            json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "alg": "ES256" }),
            JwkError::OtherAlgorithm,
        ),
        (
            json!({ "kty": "RSA", "n": base64url([0xff; 128]), "e": "AQAB" }),
            JwkError::Malformed,
        ),
        (
            json!({ "kty": "RSA", "n": base64url([0xff; 1024]), "e": "AQAB" }),
            JwkError::Malformed,
        ),
    ];
    for (jwk, expected) in cases {
        assert_eq!(key(jwk.clone()).err(), Some(expected), "{jwk}");
    }
}

#[test]
fn private_members_are_seen() {
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        let jwk = [
            ("kty".to_owned(), json!("EC")),
            (name.to_owned(), json!(null)),
        ]
        .into_iter()
        .collect();
        assert!(has_private_members(&jwk), "{name}");
    }
}
