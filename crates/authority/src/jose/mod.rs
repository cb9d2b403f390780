//! Signed JSON as far as tokens and proofs need it: the compact form (RFC 7515), public keys (RFC 7517, 7518, 8037)
//! and their thumbprints (RFC 7638). The cryptography is aws-lc's.
//!
//! There is one reader of each header. A library that parses headers for itself would see another document than the
//! checks that look for private key members or critical extensions, which it drops.

mod algorithm;
mod compact;
mod public_key;

pub use algorithm::Algorithm;
pub(crate) use algorithm::UnusableAlgorithm;
pub(crate) use compact::Jws;
pub use public_key::thumbprint;
pub(crate) use public_key::{JwkError, PublicKey, has_private_members};
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Base64url without padding (RFC 7515 §2).
pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads base64url. Padding, other alphabets and stray bits at the end are refused, so that each value has one
/// spelling.
pub(crate) fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
