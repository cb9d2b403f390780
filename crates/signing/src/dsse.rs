//! Dead Simple Signing Envelope: what is signed, and how it is checked.
//!
//! DSSE signs the type of a payload together with the payload, so that a signature over one kind of document can never
//! be shown as one over another kind. The envelope itself is written by [`bundle`](crate::bundle).
//! Source: secure-systems-lab/dsse, protocol v1.0.2.

use crate::key::{KeyError, SigningKey};
use crate::public::PublicKey;
use crate::signature::Signature;
use crate::verify::VerifyError;

/// The payload type of an in-toto statement, such as SLSA provenance.
pub const IN_TOTO_PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The pre-authentication encoding: `DSSEv1 <bytes of type> <type> <bytes of payload> <payload>`, lengths in decimal.
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut encoded = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    )
    .into_bytes();
    encoded.extend_from_slice(payload);
    encoded
}

/// Signs a payload with a key file.
///
/// # Errors
/// [`KeyError::Library`] if the signature cannot be computed.
pub fn sign(key: &SigningKey, payload_type: &str, payload: &[u8]) -> Result<Signature, KeyError> {
    key.sign(&pae(payload_type, payload))
}

/// Checks the signature over a payload of the given type.
///
/// # Errors
/// [`VerifyError::BadSignature`] if the key did not make this signature over this payload and type.
pub fn verify(
    key: &PublicKey,
    payload_type: &str,
    payload: &[u8],
    signature: &Signature,
) -> Result<(), VerifyError> {
    key.verify(&pae(payload_type, payload), signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_the_example_of_the_protocol() {
        assert_eq!(
            pae("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn lengths_are_in_bytes() {
        assert_eq!(pae("\u{e9}", b""), "DSSEv1 2 \u{e9} 0 ".as_bytes());
        assert_eq!(pae("", &[0xff, 0x00]), b"DSSEv1 0  2 \xff\x00");
    }

    #[test]
    fn the_type_is_part_of_the_signature() {
        let key = SigningKey::generate().unwrap();
        let signature = sign(&key, "text/plain", b"hello").unwrap();
        verify(key.public_key(), "text/plain", b"hello", &signature).unwrap();
        for (payload_type, payload) in [("text/html", b"hello"), ("text/plain", b"Hello")] {
            let refused = verify(key.public_key(), payload_type, payload, &signature).unwrap_err();
            assert!(
                matches!(refused, VerifyError::BadSignature { .. }),
                "{refused}"
            );
        }
    }
}
