use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pem::Pem;
use serde_json::{Value, json};
use sigstore::crypto::SigningScheme;
use sigstore::crypto::signing_key::SigStoreKeyPair;

use super::*;

const COSIGN_KEY: &[u8] = include_bytes!("../../tests/fixtures/cosign-n65536-empty-password.key");
const OLD_LABEL_KEY: &[u8] =
    include_bytes!("../../tests/fixtures/cosign-label-n32768-password-123.key");

fn foreign(scheme: SigningScheme) -> SigStoreKeyPair {
    scheme
        .create_signer()
        .unwrap()
        .to_sigstore_keypair()
        .unwrap()
}

fn refusal(pem: &[u8], password: Option<&[u8]>) -> KeyError {
    SigningKey::from_pem(pem, password).unwrap_err()
}

/// An encrypted key file whose JSON body was changed.
fn altered(change: impl FnOnce(&mut Value)) -> String {
    let block = pem::parse(COSIGN_KEY).unwrap();
    let mut body = serde_json::from_slice(block.contents()).unwrap();
    change(&mut body);
    pem::encode(&Pem::new(block.tag(), body.to_string()))
}

#[test]
fn signs_what_its_public_key_verifies() {
    let key = SigningKey::generate().unwrap();
    let (first, second) = (key.sign(b"message").unwrap(), key.sign(b"message").unwrap());
    key.public_key().verify(b"message", &first).unwrap();
    key.public_key().verify(b"message", &second).unwrap();
    assert_ne!(first, second);
    assert_ne!(
        key.public_key(),
        SigningKey::generate().unwrap().public_key()
    );
}

#[test]
fn plain_pem_reads_back() {
    let key = SigningKey::generate().unwrap();
    let pem = key.to_pem(None).unwrap();
    assert!(
        pem.starts_with("-----BEGIN PRIVATE KEY-----\n")
            && pem.ends_with("-----END PRIVATE KEY-----\n")
    );
    assert!(!pem.contains('\r'));
    for password in [None, Some(&b"not looked at"[..])] {
        let read = SigningKey::from_pem(pem.as_bytes(), password).unwrap();
        assert_eq!(read.public_key(), key.public_key());
        key.public_key()
            .verify(b"message", &read.sign(b"message").unwrap())
            .unwrap();
    }
}

#[test]
fn encrypted_pem_reads_back_with_its_password_only() {
    let key = SigningKey::generate().unwrap();
    let pem = key.to_pem(Some(b"correct horse")).unwrap();
    assert!(
        pem.starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n") && !pem.contains('\r')
    );
    let pem = pem.as_bytes();
    assert_eq!(
        SigningKey::from_pem(pem, Some(b"correct horse"))
            .unwrap()
            .public_key(),
        key.public_key()
    );
    for wrong in [&b""[..], b"correct hors", b"\xff"] {
        assert!(matches!(refusal(pem, Some(wrong)), KeyError::WrongPassword));
    }
    assert!(matches!(refusal(pem, None), KeyError::NeedsPassword));
}

#[test]
fn an_empty_password_is_a_password() {
    let key = SigningKey::generate().unwrap();
    let pem = key.to_pem(Some(b"")).unwrap();
    assert!(matches!(
        refusal(pem.as_bytes(), None),
        KeyError::NeedsPassword
    ));
    assert_eq!(
        SigningKey::from_pem(pem.as_bytes(), Some(b""))
            .unwrap()
            .public_key(),
        key.public_key()
    );
}

#[test]
fn keys_of_other_programs_are_read() {
    for (pem, password) in [(COSIGN_KEY, &b""[..]), (OLD_LABEL_KEY, b"123")] {
        let key = SigningKey::from_pem(pem, Some(password)).unwrap();
        key.public_key()
            .verify(b"message", &key.sign(b"message").unwrap())
            .unwrap();
        assert!(matches!(
            refusal(pem, Some(b"wrong")),
            KeyError::WrongPassword
        ));
    }
}

#[test]
fn unsupported_derivation_is_told_before_the_password_is_asked_for() {
    for (parameters, found) in [
        (
            json!({"N": 131_072, "r": 8, "p": 1}),
            "scrypt with N=131072, r=8, p=1",
        ),
        (
            json!({"N": 32_768, "r": 16, "p": 1}),
            "scrypt with N=32768, r=16, p=1",
        ),
        (
            json!({"N": 65_536, "r": 8, "p": 4}),
            "scrypt with N=65536, r=8, p=4",
        ),
        (
            json!({"N": u64::MAX, "r": 8, "p": 1}),
            "scrypt with N=18446744073709551615, r=8, p=1",
        ),
    ] {
        let pem = altered(|body| body["kdf"]["params"] = parameters);
        for password in [None, Some(&b""[..])] {
            let refused = refusal(pem.as_bytes(), password).to_string();
            assert!(
                refused.contains(found) && refused.contains("N=32768 or N=65536"),
                "{refused}"
            );
        }
    }
    let refused = refusal(
        altered(|body| body["kdf"]["name"] = json!("argon2id")).as_bytes(),
        None,
    )
    .to_string();
    assert!(refused.contains("the key derivation argon2id"), "{refused}");
    let refused = refusal(
        altered(|body| body["cipher"]["name"] = json!("a\nb")).as_bytes(),
        None,
    )
    .to_string();
    assert!(refused.contains(r"the cipher a\nb"), "{refused}");
}

#[test]
fn damaged_bodies_are_no_key() {
    let short_nonce = STANDARD.encode([0; 23]);
    for (pem, reason) in [
        (
            altered(|body| body["cipher"]["nonce"] = json!(short_nonce)),
            "its nonce has 23 bytes, expected 24",
        ),
        (
            altered(|body| body["cipher"]["nonce"] = json!("*")),
            "its nonce is not base64",
        ),
        (
            altered(|body| body["kdf"]["salt"] = json!("")),
            "its salt has 0 bytes",
        ),
        (
            altered(|body| body["kdf"]["salt"] = json!(STANDARD.encode([0; 1025]))),
            "its salt has 1025 bytes",
        ),
        (
            altered(|body| body["ciphertext"] = json!("-")),
            "its ciphertext is not base64",
        ),
        (
            altered(|body| body["kdf"]["params"]["N"] = json!(-1)),
            "not the JSON of an encrypted key",
        ),
        (
            altered(|body| *body = json!({})),
            "not the JSON of an encrypted key",
        ),
    ] {
        let refused = refusal(pem.as_bytes(), Some(b""));
        assert!(matches!(refused, KeyError::NotAKey { .. }), "{refused}");
        assert!(refused.to_string().contains(reason), "{refused}");
    }
    let empty = altered(|body| body["ciphertext"] = json!(""));
    assert!(matches!(
        refusal(empty.as_bytes(), Some(b"")),
        KeyError::WrongPassword
    ));
}

#[test]
fn other_kinds_of_key_are_named() {
    for (scheme, expected) in [
        (SigningScheme::RSA_PKCS1_SHA256(2048), "an RSA key"),
        (SigningScheme::ECDSA_P384_SHA384_ASN1, "an EC key on P-384"),
        (SigningScheme::ECDSA_P521_SHA512_ASN1, "an EC key on P-521"),
        (SigningScheme::ED25519, "an Ed25519 key"),
    ] {
        let pair = foreign(scheme);
        let der = pair.private_key_to_der().unwrap();
        let plain = pem::encode(&Pem::new(PRIVATE_KEY_PEM_LABEL, der.to_vec()));
        let encrypted = pair.private_key_to_encrypted_pem(b"x").unwrap();
        for (pem, password) in [
            (plain.as_bytes(), None),
            (encrypted.as_bytes(), Some(&b"x"[..])),
        ] {
            match refusal(pem, password) {
                KeyError::UnsupportedKey { found } => assert_eq!(found, expected),
                other => panic!("{other}"),
            }
        }
    }
}

#[test]
fn other_forms_are_named() {
    for (label, expected) in [
        ("RSA PRIVATE KEY", "an RSA key"),
        ("EC PRIVATE KEY", "openssl pkcs8 -topk8 -nocrypt"),
        ("EC PARAMETERS", "openssl pkcs8 -topk8 -nocrypt"),
        ("OPENSSH PRIVATE KEY", "in OpenSSH's form"),
        ("ENCRYPTED PRIVATE KEY", "PKCS#8 with a password of its own"),
    ] {
        let refused = refusal(pem::encode(&Pem::new(label, [1])).as_bytes(), Some(b"x"));
        assert!(
            matches!(refused, KeyError::UnsupportedKey { .. }),
            "{refused}"
        );
        assert!(refused.to_string().contains(expected), "{refused}");
    }
}

#[test]
fn other_bytes_are_no_key() {
    let key = SigningKey::generate().unwrap();
    let pem = key.to_pem(None).unwrap();
    let public = key.public_key().to_pem();
    let mut other_half = pem::parse(pem.as_bytes()).unwrap().into_contents();
    let last = other_half.len() - 1;
    other_half[last] ^= 1;
    let mismatched = pem::encode(&Pem::new(PRIVATE_KEY_PEM_LABEL, other_half));
    let garbage = pem::encode(&Pem::new(PRIVATE_KEY_PEM_LABEL, [0x30, 0x80]));
    for input in [
        &b""[..],
        b"hello",
        &pem.as_bytes()[..pem.len() / 2],
        &pem.as_bytes()[..pem.len() - 10],
        &COSIGN_KEY[..COSIGN_KEY.len() - 60],
        public.as_bytes(),
        mismatched.as_bytes(),
        garbage.as_bytes(),
        b"\xff\xfe-----BEGIN PRIVATE KEY-----",
    ] {
        let refused = refusal(input, None);
        assert!(
            matches!(refused, KeyError::NotAKey { .. }),
            "{refused:?} for {}",
            input.escape_ascii()
        );
    }
    assert!(matches!(
        refusal(&vec![b'x'; MAX_KEY_BYTES + 1], None),
        KeyError::TooLarge { .. }
    ));
}

#[test]
fn the_debug_form_shows_no_secret() {
    let key = SigningKey::generate().unwrap();
    assert_eq!(
        format!("{key:?}"),
        format!(
            "SigningKey(private half of {})",
            key.public_key().fingerprint()
        )
    );
}

#[test]
fn keys_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<SigningKey>();
    shared::<PublicKey>();
}
