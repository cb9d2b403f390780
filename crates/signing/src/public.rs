//! The public half of a key.
//!
//! A key is accepted in one form only, the 91-byte `SubjectPublicKeyInfo` with an uncompressed point. The same point
//! written otherwise would have another fingerprint, and a fingerprint must name one key.
//!
//! Signatures are checked by aws-lc-rs, the library below the `sigstore` crate. It is used directly because it can
//! refuse a point outside the curve when the key is read, and can check a signature against a digest; the `sigstore`
//! crate offers neither.

use std::fmt;

use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey};
use pem::{EncodeConfig, LineEnding, Pem};
use pkcs8::der::Decode as _;
use pkcs8::spki::SubjectPublicKeyInfoRef;
use sha2::{Digest as _, Sha256};

use crate::algorithm;
use crate::bundle::excerpt;
use crate::fingerprint::Fingerprint;
use crate::signature::Signature;
use crate::verify::VerifyError;

/// The most bytes of a public key file that are read.
pub const MAX_PUBLIC_KEY_BYTES: usize = 16 * 1024;

const PEM_LABEL: &str = "PUBLIC KEY";
/// The first byte of a point that gives both coordinates (SEC 1 §2.3.3), and the size of such a point on P-256.
const UNCOMPRESSED: u8 = 0x04;
const POINT_BYTES: usize = 65;

/// An ECDSA public key on P-256.
#[derive(Clone)]
pub struct PublicKey {
    spki_der: Vec<u8>,
    fingerprint: Fingerprint,
    parsed: ParsedPublicKey,
}

/// Why a public key could not be read. The key given is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// More bytes than any public key has.
    #[error("the public key has {bytes} bytes; at most {MAX_PUBLIC_KEY_BYTES} are read")]
    TooLarge {
        /// How many bytes there were.
        bytes: usize,
    },
    /// The bytes are not a public key.
    #[error("this is not a public key: {reason}")]
    NotAKey {
        /// What was found or is missing.
        reason: String,
    },
    /// A public key that is not an ECDSA key on P-256.
    #[error("this public key is {found}; only ECDSA keys on P-256 are supported")]
    UnsupportedKey {
        /// What kind of key it is.
        found: String,
    },
}

impl PublicKey {
    /// Reads a PEM file with the label `PUBLIC KEY` (RFC 7468 §13). Of several blocks, the first counts.
    ///
    /// # Errors
    /// [`PublicKeyError`] if the file is too large, is not a public key, or the key is not on P-256.
    pub fn from_pem(pem: &[u8]) -> Result<Self, PublicKeyError> {
        check_size(pem)?;
        let block = pem::parse(pem).map_err(|_| PublicKeyError::NotAKey {
            reason: "there is no complete PEM block in it".to_owned(),
        })?;
        if block.tag() != PEM_LABEL {
            return Err(PublicKeyError::NotAKey {
                reason: format!(
                    "the PEM block is labelled `{}`, expected `{PEM_LABEL}`",
                    excerpt(block.tag()).escape_debug()
                ),
            });
        }
        Self::from_der(block.contents())
    }

    /// Reads a DER `SubjectPublicKeyInfo`, as a key management service returns it.
    ///
    /// # Errors
    /// [`PublicKeyError`] if the bytes are too many, are not a public key, or the key is not on P-256.
    pub fn from_der(der: &[u8]) -> Result<Self, PublicKeyError> {
        check_size(der)?;
        let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| PublicKeyError::NotAKey {
            reason: "it is not a DER SubjectPublicKeyInfo".to_owned(),
        })?;
        algorithm::require_p256(&spki.algorithm)
            .map_err(|found| PublicKeyError::UnsupportedKey { found })?;
        let point = spki.subject_public_key.as_bytes().unwrap_or_default();
        if point.len() != POINT_BYTES || point[0] != UNCOMPRESSED {
            return Err(PublicKeyError::UnsupportedKey {
                found: "an EC key that is not an uncompressed point".to_owned(),
            });
        }
        let parsed = ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).map_err(|_| {
            PublicKeyError::NotAKey {
                reason: "its point is not on the curve P-256".to_owned(),
            }
        })?;
        Ok(Self {
            spki_der: der.to_vec(),
            fingerprint: Fingerprint::of_spki(der),
            parsed,
        })
    }

    /// The PEM form, 64 characters a line, lines ended by LF: byte for byte what `openssl pkey -pubout` writes.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let block = Pem::new(PEM_LABEL, self.spki_der.as_slice());
        pem::encode_config(&block, EncodeConfig::new().set_line_ending(LineEnding::LF))
    }

    /// The DER `SubjectPublicKeyInfo`, 91 bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.spki_der
    }

    /// The name of this key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The name of this key as it stands in a Sigstore bundle: base64 of the SHA-256 of [`der`](Self::der).
    #[must_use]
    pub fn hint(&self) -> String {
        self.fingerprint.to_hint()
    }

    /// Checks a signature over a message.
    ///
    /// # Errors
    /// [`VerifyError::BadSignature`] if this key did not make this signature over this message.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), VerifyError> {
        self.verify_digest(&Sha256::digest(message).into(), signature)
    }

    /// Checks a signature over a message of which only the SHA-256 is at hand.
    ///
    /// The digest must have been computed from the content itself, not read from a document next to the signature.
    ///
    /// # Errors
    /// [`VerifyError::BadSignature`] if this key did not make this signature over a message with this digest.
    pub fn verify_digest(
        &self,
        sha256: &[u8; 32],
        signature: &Signature,
    ) -> Result<(), VerifyError> {
        let refused = |_| VerifyError::BadSignature {
            key: self.fingerprint,
        };
        let digest = Digest::import_less_safe(sha256, &SHA256).map_err(refused)?;
        self.parsed
            .verify_digest_sig(&digest, signature.as_der())
            .map_err(refused)
    }

    /// Checks a signature given in padded standard base64.
    ///
    /// # Errors
    /// [`VerifyError::MalformedSignature`] if the text holds no signature, [`VerifyError::BadSignature`] if the
    /// signature does not fit.
    pub fn verify_base64(&self, message: &[u8], signature: &str) -> Result<(), VerifyError> {
        self.verify(message, &Signature::from_base64(signature)?)
    }
}

fn check_size(input: &[u8]) -> Result<(), PublicKeyError> {
    if input.len() > MAX_PUBLIC_KEY_BYTES {
        return Err(PublicKeyError::TooLarge { bytes: input.len() });
    }
    Ok(())
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki_der == other.spki_der
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint)
    }
}

#[cfg(test)]
#[path = "public_tests.rs"]
mod tests;
