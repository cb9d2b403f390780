//! Key sets: what is used, what is passed over, what is refused.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use export_authority::TokenError;
use export_authority::keys::{FileJwks, JwksSource as _, Keys, KeysError, MAX_SET_BYTES};
use serde_json::{Value, json};

use crate::world::{Key, NOW, Request, base64url, key_set, rules, unsigned};

fn verdict(keys: &[Value], token: &str) -> Result<(), TokenError> {
    let keys = Keys::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
    rules().verify(token, &keys, NOW).map(drop)
}

#[test]
fn what_others_use_is_passed_over() {
    let (key, x) = (Key::new(), base64url([1; 32]));
    let mut published = key.jwk();
    published["kid"] = json!("published");
    published["d"] = json!(x);
    let mut good = key.jwk();
    good["kid"] = json!("one");
    let mut encryption = good.clone();
    encryption["use"] = json!("enc");
    let mut wrapping = good.clone();
    wrapping["key_ops"] = json!(["wrapKey"]);
    let mut unknown = good.clone();
    unknown["alg"] = json!("ES999");
    let others = [
        encryption,
        wrapping,
        unknown,
        published,
        key.jwk(),
        json!({ "kty": "oct", "kid": "one", "k": x }),
        json!({ "kty": "AKP", "kid": "one", "alg": "ML-DSA-44", "pub": x }),
        json!({ "kty": "EC", "kid": "one", "crv": "secp256k1", "x": x, "y": x }),
        json!(17),
    ];
    let all: Vec<Value> = others.iter().cloned().chain([good]).collect();
    let keys = Keys::parse(json!({ "keys": all }).to_string().as_bytes()).unwrap();
    assert_eq!((keys.len(), keys.passed_over()), (1, others.len()));
    let none = Keys::parse(json!({ "keys": others }).to_string().as_bytes());
    assert_eq!(none.err(), Some(KeysError::NoneUsable));
}

#[test]
fn documents_that_are_no_key_set_are_refused() {
    let key = Key::new();
    let many: Vec<(&str, &Key)> = vec![("one", &key); 101];
    for (document, why) in [
        (vec![b' '; MAX_SET_BYTES + 1], KeysError::TooLarge),
        (b"<html>".to_vec(), KeysError::NotAKeySet),
        (b"{}".to_vec(), KeysError::NotAKeySet),
        (br#"{"keys":{}}"#.to_vec(), KeysError::NotAKeySet),
        (br#"{"keys":[]}"#.to_vec(), KeysError::NoneUsable),
        (key_set(&many), KeysError::TooMany),
    ] {
        assert_eq!(Keys::parse(&document).err(), Some(why));
    }
    assert_eq!(Keys::parse(&key_set(&many[..100])).unwrap().len(), 100);
}

#[test]
fn every_algorithm_that_is_offered_works() {
    let request = Request::good();
    let token = |alg: &str, sign: &dyn Fn(&[u8]) -> Vec<u8>| {
        let header = json!({ "typ": "at+jwt", "alg": alg, "kid": "k" });
        let signed = unsigned(&header, &request.token_claims);
        format!("{signed}.{}", base64url(sign(signed.as_bytes())))
    };
    let random = SystemRandom::new();

    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let point = p384.public_key().as_ref();
    let jwk = json!({ "kty": "EC", "kid": "k", "crv": "P-384", "x": base64url(&point[1..49]), "y": base64url(&point[49..]) });
    let es384 = token("ES384", &|bytes| {
        p384.sign(&random, bytes).unwrap().as_ref().to_vec()
    });
    assert_eq!(verdict(&[jwk], &es384), Ok(()));

    let ed = Ed25519KeyPair::generate().unwrap();
    let jwk = json!({ "kty": "OKP", "kid": "k", "crv": "Ed25519", "x": base64url(ed.public_key().as_ref()) });
    for name in ["EdDSA", "Ed25519"] {
        let eddsa = token(name, &|bytes| ed.sign(bytes).as_ref().to_vec());
        assert_eq!(
            verdict(std::slice::from_ref(&jwk), &eddsa),
            Ok(()),
            "{name}"
        );
    }

    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let sign = |how: &'static dyn RsaEncoding, bytes: &[u8]| {
        let mut signature = vec![0; rsa.public_modulus_len()];
        rsa.sign(how, &random, bytes, &mut signature).unwrap();
        signature
    };
    let (n, e) = rsa_numbers(rsa.public_key().as_ref());
    let mut jwk = json!({ "kty": "RSA", "kid": "k", "n": n, "e": e });
    let rs256 = token("RS256", &|bytes| sign(&RSA_PKCS1_SHA256, bytes));
    let ps256 = token("PS256", &|bytes| sign(&RSA_PSS_SHA256, bytes));
    // A key that does not say what it is for checks RS256 only.
    assert_eq!(verdict(&[jwk.clone()], &rs256), Ok(()));
    assert_eq!(
        verdict(&[jwk.clone()], &ps256),
        Err(TokenError::KeyAlgorithm)
    );
    jwk["alg"] = json!("PS256");
    assert_eq!(verdict(&[jwk.clone()], &ps256), Ok(()));
    assert_eq!(verdict(&[jwk], &rs256), Err(TokenError::KeyAlgorithm));
}

/// Modulus and exponent of a 2048-bit RSAPublicKey (RFC 8017 §A.1.1): a sequence of two integers.
fn rsa_numbers(der: &[u8]) -> (String, String) {
    // 30 82 len len, 02 82 01 01 00 modulus, 02 03 exponent.
    assert_eq!(der[4..9], [2, 0x82, 1, 1, 0]);
    assert_eq!(der[265..267], [2, 3]);
    (base64url(&der[9..265]), base64url(&der[267..270]))
}

#[tokio::test]
async fn a_file_is_a_source() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let source = FileJwks::new(path.clone());
    let error = source.fetch().await.unwrap_err().to_string();
    assert!(error.contains("jwks.json"), "{error}");
    std::fs::write(&path, key_set(&[("one", &Key::new())])).unwrap();
    assert!(Keys::parse(&source.fetch().await.unwrap().body).is_ok());
    std::fs::write(&path, vec![b' '; MAX_SET_BYTES + 1]).unwrap();
    let error = source.fetch().await.unwrap_err().to_string();
    assert!(error.contains("256 KiB"), "{error}");
}
