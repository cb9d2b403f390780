//! A finished ECDSA P-256 signature.
//!
//! The type keeps a signature from being passed where a message or a digest belongs, and stops an answer that is no
//! signature at all at the door, before it is published.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The longest DER form: a sequence of two integers of 33 bytes each.
const MAX_DER_BYTES: usize = 72;
/// The shortest: two integers of one byte each.
const MIN_DER_BYTES: usize = 8;
const SEQUENCE: u8 = 0x30;

/// An ASN.1 DER `ECDSA-Sig-Value` (RFC 3279 §2.2.3) over SHA-256 on P-256, 8 to 72 bytes.
///
/// Its outer form has been checked. Whether it fits a message and a key is the question of
/// [`PublicKey::verify`](crate::PublicKey::verify).
#[derive(Clone, PartialEq, Eq)]
pub struct Signature(Vec<u8>);

/// Bytes or a text that do not hold a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFormatError {
    /// The bytes are not one DER sequence of the size that a P-256 signature has.
    #[error(
        "not an ECDSA P-256 signature: expected one DER sequence of {MIN_DER_BYTES} to {MAX_DER_BYTES} bytes, found {bytes} bytes"
    )]
    Der {
        /// How many bytes there were.
        bytes: usize,
    },
    /// The text is not padded standard base64.
    #[error("the signature is not in padded standard base64")]
    Base64,
    /// The text is longer than any signature.
    #[error(
        "the signature text has {bytes} bytes, more than the {limit} that a P-256 signature can take"
    )]
    TooLong {
        /// How many bytes there were.
        bytes: usize,
        /// How many are read at most.
        limit: usize,
    },
}

impl Signature {
    /// The longest base64 form, in characters.
    pub const MAX_BASE64_CHARS: usize = MAX_DER_BYTES.div_ceil(3) * 4;

    /// Takes a finished signature, for example the answer of a key management service.
    ///
    /// # Errors
    /// [`SignatureFormatError::Der`] if the bytes cannot be a P-256 signature.
    pub fn from_der(der: impl Into<Vec<u8>>) -> Result<Self, SignatureFormatError> {
        let der = der.into();
        let content = der.len().wrapping_sub(2);
        let fits = (MIN_DER_BYTES..=MAX_DER_BYTES).contains(&der.len());
        if !fits || der[0] != SEQUENCE || usize::from(der[1]) != content {
            return Err(SignatureFormatError::Der { bytes: der.len() });
        }
        Ok(Self(der))
    }

    /// Reads padded standard base64 without any white space.
    ///
    /// # Errors
    /// [`SignatureFormatError`] if the text is too long, is not base64, or holds no signature.
    pub fn from_base64(text: &str) -> Result<Self, SignatureFormatError> {
        if text.len() > Self::MAX_BASE64_CHARS {
            return Err(SignatureFormatError::TooLong {
                bytes: text.len(),
                limit: Self::MAX_BASE64_CHARS,
            });
        }
        Self::from_der(
            STANDARD
                .decode(text)
                .map_err(|_| SignatureFormatError::Base64)?,
        )
    }

    /// The DER bytes.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.0
    }

    /// The DER bytes in padded standard base64.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.0)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", self.to_base64())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A signature by form only: a sequence of the integers 1 and 2.
    pub(crate) const SMALLEST: [u8; 8] = [0x30, 6, 2, 1, 1, 2, 1, 2];

    #[test]
    fn form_is_checked() {
        assert_eq!(Signature::from_der(SMALLEST).unwrap().as_der(), SMALLEST);
        let mut longest = vec![0x30, 70];
        longest.resize(72, 0);
        Signature::from_der(longest.clone()).unwrap();

        longest[1] = 71;
        longest.push(0);
        let raw_r_s = vec![7; 64];
        let wrong_length = [&SMALLEST[..], &[0]].concat();
        for bytes in [
            vec![],
            vec![0x30],
            vec![0x30, 0],
            SMALLEST[..7].to_vec(),
            longest,
            raw_r_s,
            wrong_length,
        ] {
            let found = bytes.len();
            assert_eq!(
                Signature::from_der(bytes),
                Err(SignatureFormatError::Der { bytes: found })
            );
        }
    }

    #[test]
    fn base64_reads_back_and_is_strict() {
        let signature = Signature::from_der(SMALLEST).unwrap();
        assert_eq!(signature.to_base64(), "MAYCAQECAQI=");
        assert_eq!(Signature::from_base64("MAYCAQECAQI="), Ok(signature));
        for text in [
            "MAYCAQECAQI",
            "MAYCAQECAQI=\n",
            "MAYC AQECAQI=",
            "MAYCAQECAQJ=",
        ] {
            assert_eq!(
                Signature::from_base64(text),
                Err(SignatureFormatError::Base64),
                "{text:?}"
            );
        }
        assert_eq!(
            Signature::from_base64(&"A".repeat(97)),
            Err(SignatureFormatError::TooLong {
                bytes: 97,
                limit: 96
            })
        );
    }
}
