//! The name of a public key: the SHA-256 of its DER form.
//!
//! The same 32 bytes are written in two ways. People and our own documents see `sha256:<hex>`; a Sigstore bundle's
//! `publicKey.hint` holds them in base64, as cosign writes it. One type for both keeps them from being compared as text.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// SHA-256 over the DER `SubjectPublicKeyInfo` (RFC 5280 §4.1) of a public key.
///
/// Displayed, parsed and serialised as `sha256:` and 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Fingerprint([u8; 32]);

/// A text that does not hold a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FingerprintError {
    /// The text is not `sha256:` followed by 64 lower-case hexadecimal digits.
    #[error("not a key fingerprint: expected `sha256:` and 64 lower-case hexadecimal digits")]
    Text,
    /// The hint is not the padded standard base64 of 32 bytes.
    #[error("not a key hint: expected the base64 of 32 bytes")]
    Hint,
}

impl Fingerprint {
    /// The fingerprint of the key whose DER `SubjectPublicKeyInfo` is given.
    #[must_use]
    pub fn of_spki(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// Reads the `publicKey.hint` of a Sigstore bundle.
    ///
    /// # Errors
    /// [`FingerprintError::Hint`] unless it is the padded standard base64 of exactly 32 bytes. Other tools may write any
    /// text as a hint.
    pub fn from_hint(hint: &str) -> Result<Self, FingerprintError> {
        // 32 bytes take 44 characters; longer text is not worth decoding.
        if hint.len() != 44 {
            return Err(FingerprintError::Hint);
        }
        let bytes = STANDARD.decode(hint).map_err(|_| FingerprintError::Hint)?;
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| FingerprintError::Hint)
    }

    /// The `publicKey.hint` of a Sigstore bundle: padded standard base64.
    #[must_use]
    pub fn to_hint(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// The 32 bytes of the digest.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("sha256:").ok_or(FingerprintError::Text)?;
        if digits.bytes().any(|digit| digit.is_ascii_uppercase()) {
            return Err(FingerprintError::Text);
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| FingerprintError::Text)?;
        Ok(Self(bytes))
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = FingerprintError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of `abc` (FIPS 180-2, appendix B.1).
    const ABC: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn is_sha256_of_the_der() {
        assert_eq!(Fingerprint::of_spki(b"abc").to_string(), ABC);
        assert_eq!(
            Fingerprint::of_spki(b"abc").to_hint(),
            "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
        );
    }

    #[test]
    fn both_forms_read_back() {
        let fingerprint = Fingerprint::of_spki(b"abc");
        assert_eq!(ABC.parse(), Ok(fingerprint));
        assert_eq!(
            Fingerprint::from_hint(&fingerprint.to_hint()),
            Ok(fingerprint)
        );
        let json = serde_json::to_string(&fingerprint).unwrap();
        assert_eq!(json, format!("\"{ABC}\""));
        assert_eq!(
            serde_json::from_str::<Fingerprint>(&json).unwrap(),
            fingerprint
        );
    }

    #[test]
    fn other_texts_are_refused() {
        let upper = ABC.to_uppercase().replace("SHA256", "sha256");
        for text in [
            "",
            "sha256:",
            &ABC[..70],
            &ABC[7..],
            &upper,
            &format!("{ABC}0"),
            "sha1:00",
        ] {
            assert_eq!(
                text.parse::<Fingerprint>(),
                Err(FingerprintError::Text),
                "{text}"
            );
        }
        let hint = Fingerprint::of_spki(b"abc").to_hint();
        for text in [
            "",
            &hint[..43],
            &format!("{hint}="),
            &hint.replace('=', "A"),
            &hint.replace('/', "_"),
        ] {
            assert_eq!(
                Fingerprint::from_hint(text),
                Err(FingerprintError::Hint),
                "{text}"
            );
        }
    }
}
