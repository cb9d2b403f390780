//! The exact bytes that each signature of an export covers.
//!
//! A key file signs these bytes, a key management service signs their digest; both come from here so that they cannot
//! differ.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

use crate::dsse;

/// Bytes to be signed with ECDSA P-256 and SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageToSign<'a>(Cow<'a, [u8]>);

impl MessageToSign<'_> {
    /// What a signer that hashes by itself signs, such as [`SigningKey::sign`](crate::SigningKey::sign).
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// What a signer of digests signs, such as AWS KMS with message type `DIGEST`.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }
}

/// What the signature of `export.json` covers: the bytes of the file, as they are.
#[must_use]
pub fn export_json_to_sign(export_json: &[u8]) -> MessageToSign<'_> {
    MessageToSign(Cow::Borrowed(export_json))
}

/// What the signature of an in-toto statement covers: its DSSE pre-authentication encoding.
#[must_use]
pub fn statement_to_sign(statement: &[u8]) -> MessageToSign<'static> {
    MessageToSign(Cow::Owned(dsse::pae(dsse::IN_TOTO_PAYLOAD_TYPE, statement)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn export_json_is_signed_as_it_is() {
        let message = export_json_to_sign(b"abc");
        assert_eq!(message.bytes(), b"abc");
        assert_eq!(
            hex::encode(message.sha256()),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn a_statement_is_signed_in_its_encoding() {
        assert_eq!(
            statement_to_sign(b"{}").bytes(),
            b"DSSEv1 28 application/vnd.in-toto+json 2 {}"
        );
    }
}
