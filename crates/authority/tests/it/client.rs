//! The client's key and proofs.

use export_authority::client::ProofKey;
use export_authority::{DpopProof, Expected, KeyError};

use crate::world::{NOW, URL};

#[test]
fn a_kept_key_is_the_same_key() {
    let key = ProofKey::generate().unwrap();
    let pem = key.to_pem().unwrap();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n") && !pem.contains('\r'));
    let again = ProofKey::from_pem(&pem).unwrap();
    assert_eq!(again.thumbprint(), key.thumbprint());
    assert_eq!(key.thumbprint().len(), 43);
    assert_ne!(ProofKey::generate().unwrap().thumbprint(), key.thumbprint());
}

#[test]
fn a_debug_form_holds_nothing_of_the_key() {
    let key = ProofKey::generate().unwrap();
    let shown = format!("{key:?}");
    assert_eq!(
        shown,
        format!("ProofKey(SigningKey(private half of {}))", key.thumbprint())
    );
}

#[test]
fn what_is_no_key_is_refused() {
    let pem = ProofKey::generate().unwrap().to_pem().unwrap();
    for bad in [
        String::new(),
        "x".repeat(100_000),
        pem.replace("PRIVATE", "PUBLIC"),
        pem.replace("PRIVATE", "ENCRYPTED PRIVATE"),
        pem[..pem.len() / 2].to_owned(),
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned(),
    ] {
        assert_eq!(ProofKey::from_pem(&bad).err(), Some(KeyError::NotAKey));
    }
}

#[test]
fn a_proof_leaves_out_query_and_fragment() {
    let key = ProofKey::generate().unwrap();
    for url in [URL.to_owned(), format!("{URL}?a#b"), format!("{URL}#b?a")] {
        let proof = key.proof("GET", &url, None, NOW, "one").unwrap();
        let expected = Expected {
            method: "GET",
            url: URL,
            token: None,
        };
        let proof = DpopProof::verify(&[proof.as_bytes()], &expected, NOW).unwrap();
        assert_eq!(proof.jkt, key.thumbprint());
    }
}
