use sigstore::crypto::SigningScheme;
use sigstore::crypto::signing_key::SigStoreSigner;

use super::*;
use crate::key::SigningKey;

fn foreign_spki(scheme: SigningScheme) -> Vec<u8> {
    let signer: SigStoreSigner = scheme.create_signer().unwrap();
    signer
        .to_sigstore_keypair()
        .unwrap()
        .public_key_to_der()
        .unwrap()
}

fn as_pem(der: &[u8]) -> String {
    pem::encode(&Pem::new(PEM_LABEL, der))
}

#[test]
fn pem_and_der_give_the_same_key() {
    let key = SigningKey::generate().unwrap().public_key().clone();
    assert_eq!(key.der().len(), 91);
    assert_eq!(PublicKey::from_der(key.der()).unwrap(), key);
    let pem = key.to_pem();
    assert!(
        pem.starts_with("-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE"),
        "{pem}"
    );
    assert!(
        pem.ends_with("\n-----END PUBLIC KEY-----\n") && !pem.contains('\r'),
        "{pem}"
    );
    assert_eq!(PublicKey::from_pem(pem.as_bytes()).unwrap(), key);
    assert_eq!(
        PublicKey::from_pem(pem.replace('\n', "\r\n").as_bytes()).unwrap(),
        key
    );
}

#[test]
fn fingerprint_and_hint_are_the_digest_of_the_der() {
    let key = SigningKey::generate().unwrap().public_key().clone();
    assert_eq!(key.fingerprint(), Fingerprint::of_spki(key.der()));
    assert_eq!(Fingerprint::from_hint(&key.hint()), Ok(key.fingerprint()));
    assert_eq!(
        format!("{key:?}"),
        format!("PublicKey({})", key.fingerprint())
    );
}

#[test]
fn verifies_message_digest_and_base64() {
    let signer = SigningKey::generate().unwrap();
    let key = signer.public_key();
    let signature = signer.sign(b"message").unwrap();
    key.verify(b"message", &signature).unwrap();
    key.verify_digest(&Sha256::digest(b"message").into(), &signature)
        .unwrap();
    key.verify_base64(b"message", &signature.to_base64())
        .unwrap();

    let refused = VerifyError::BadSignature {
        key: key.fingerprint(),
    };
    assert_eq!(key.verify(b"massage", &signature), Err(refused));
    let other = SigningKey::generate().unwrap();
    let refused = VerifyError::BadSignature {
        key: other.public_key().fingerprint(),
    };
    assert_eq!(
        other.public_key().verify(b"message", &signature),
        Err(refused)
    );
    assert!(matches!(
        key.verify_base64(b"message", "?"),
        Err(VerifyError::MalformedSignature(_))
    ));
}

#[test]
fn every_flipped_bit_of_a_signature_is_refused() {
    let signer = SigningKey::generate().unwrap();
    let signature = signer.sign(b"message").unwrap();
    for bit in 0..signature.as_der().len() * 8 {
        let mut der = signature.as_der().to_vec();
        der[bit / 8] ^= 1 << (bit % 8);
        let accepted = Signature::from_der(der)
            .is_ok_and(|bad| signer.public_key().verify(b"message", &bad).is_ok());
        assert!(!accepted, "bit {bit}");
    }
}

#[test]
fn other_kinds_of_key_are_named() {
    for (scheme, expected) in [
        (SigningScheme::RSA_PKCS1_SHA256(2048), "an RSA key"),
        (SigningScheme::ECDSA_P384_SHA384_ASN1, "an EC key on P-384"),
        (SigningScheme::ED25519, "an Ed25519 key"),
    ] {
        let refused = PublicKey::from_pem(as_pem(&foreign_spki(scheme)).as_bytes());
        assert_eq!(
            refused,
            Err(PublicKeyError::UnsupportedKey {
                found: expected.to_owned()
            })
        );
    }
}

#[test]
fn a_point_must_be_uncompressed_and_on_the_curve() {
    let der = SigningKey::generate().unwrap().public_key().der().to_vec();
    let mut off_curve = der.clone();
    off_curve[90] ^= 1;
    let refused = PublicKey::from_der(&off_curve).unwrap_err();
    assert!(
        refused.to_string().contains("not on the curve"),
        "{refused}"
    );

    // The same point with one coordinate only: 32 bytes fewer in each length.
    let mut compressed = der[..59].to_vec();
    compressed[1] -= 32;
    compressed[24] -= 32;
    compressed[26] = 2 + (der[90] & 1);
    let refused = PublicKey::from_der(&compressed).unwrap_err();
    assert!(
        refused.to_string().contains("not an uncompressed point"),
        "{refused}"
    );
}

#[test]
fn other_bytes_are_no_key() {
    let signer = SigningKey::generate().unwrap();
    let pem = signer.public_key().to_pem();
    let private = signer.to_pem(None).unwrap();
    let trailing = [signer.public_key().der(), &[0]].concat();
    for input in [
        &b""[..],
        b"hello",
        &pem.as_bytes()[..pem.len() - 20],
        private.as_bytes(),
        as_pem(&trailing).as_bytes(),
    ] {
        let refused = PublicKey::from_pem(input).unwrap_err();
        assert!(
            matches!(refused, PublicKeyError::NotAKey { .. }),
            "{refused}"
        );
        assert!(!refused.to_string().contains("MIG"), "{refused}");
    }
    let big = vec![b'x'; MAX_PUBLIC_KEY_BYTES + 1];
    assert_eq!(
        PublicKey::from_pem(&big),
        Err(PublicKeyError::TooLarge { bytes: big.len() })
    );
    assert_eq!(
        PublicKey::from_der(&big),
        Err(PublicKeyError::TooLarge { bytes: big.len() })
    );
}
