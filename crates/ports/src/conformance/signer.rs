//! The suite of the signer port.

use crate::Signer;

/// Checks a backend of the signer port. `verifies` says whether a DER signature over SHA-256 of a
/// message was made by the key of an SPKI PEM.
///
/// # Panics
/// Where it does not keep a promise.
pub async fn signer(signer: &dyn Signer, verifies: impl Fn(&str, &[u8], &[u8]) -> bool) {
    let pem = signer.public_key_pem().await.unwrap();
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\n"), "{pem}");
    assert!(pem.ends_with("-----END PUBLIC KEY-----\n"), "{pem}");
    assert!(!pem.contains('\r'));
    assert_eq!(signer.public_key_pem().await.unwrap(), pem, "one key");
    assert!(!signer.key_id().is_empty());
    assert_eq!(signer.level(), signer.level());
    let long = vec![0x5a; 1 << 20];
    for message in [&b""[..], b"message", &long] {
        let signature = signer.sign(message).await.unwrap();
        assert_eq!(signature[0], 0x30, "an ASN.1 sequence");
        assert!(verifies(&pem, message, &signature));
        assert!(!verifies(&pem, b"another message", &signature));
    }
}
