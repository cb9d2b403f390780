//! Tells P-256 keys from all others, with a name for what was found instead.
//!
//! Both halves of a key carry the same algorithm identifier (RFC 5280 §4.1.1.2, RFC 5480), so both are judged here.

use pkcs8::{AlgorithmIdentifierRef, ObjectIdentifier};

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");

/// Algorithms and curves that people do have keys for; others are shown by number.
const NAMED: [(ObjectIdentifier, &str); 9] = [
    (
        ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1"),
        "an RSA key",
    ),
    (
        ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10"),
        "an RSA-PSS key",
    ),
    (ObjectIdentifier::new_unwrap("1.3.101.110"), "an X25519 key"),
    (
        ObjectIdentifier::new_unwrap("1.3.101.112"),
        "an Ed25519 key",
    ),
    (ObjectIdentifier::new_unwrap("1.3.101.113"), "an Ed448 key"),
    (
        ObjectIdentifier::new_unwrap("1.3.132.0.10"),
        "an EC key on secp256k1",
    ),
    (
        ObjectIdentifier::new_unwrap("1.3.132.0.33"),
        "an EC key on P-224",
    ),
    (
        ObjectIdentifier::new_unwrap("1.3.132.0.34"),
        "an EC key on P-384",
    ),
    (
        ObjectIdentifier::new_unwrap("1.3.132.0.35"),
        "an EC key on P-521",
    ),
];

/// Accepts the identifier of an EC key on the named curve P-256; otherwise says what it identifies.
pub(crate) fn require_p256(algorithm: &AlgorithmIdentifierRef<'_>) -> Result<(), String> {
    if algorithm.oid != EC_PUBLIC_KEY {
        return Err(describe(algorithm.oid, "a key"));
    }
    match algorithm.parameters_oid() {
        Ok(P256) => Ok(()),
        Ok(curve) => Err(describe(curve, "an EC key on the curve")),
        Err(_) => Err("an EC key without a named curve".to_owned()),
    }
}

fn describe(found: ObjectIdentifier, kind: &str) -> String {
    NAMED.iter().find(|(oid, _)| *oid == found).map_or_else(
        || format!("{kind} with the object identifier {found}"),
        |(_, name)| (*name).to_owned(),
    )
}
