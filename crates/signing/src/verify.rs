//! Checks a bundle against the key that the reader trusts.
//!
//! The key always comes from the reader. A bundle only names one, with a hint that nobody signed, so the hint never
//! chooses the key: it serves to say "signed by another key" instead of "bad signature".

use sha2::{Digest as _, Sha256};

use crate::bundle::{Bundle, Content, MalformedBundle, excerpt};
use crate::dsse;
use crate::fingerprint::Fingerprint;
use crate::public::PublicKey;
use crate::signature::SignatureFormatError;

/// Why a signature was not accepted. The files or the key given are at fault.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The bundle cannot be read, or is of another kind than asked for.
    #[error(transparent)]
    Malformed(#[from] MalformedBundle),
    /// The detached signature cannot be read.
    #[error(transparent)]
    MalformedSignature(#[from] SignatureFormatError),
    /// The bundle says that another key signed it.
    #[error("the bundle names the key {named}, but the key given is {given}")]
    WrongKey {
        /// The key that the bundle names.
        named: Fingerprint,
        /// The key that the reader trusts.
        given: Fingerprint,
    },
    /// The bundle is about other content.
    #[error("the bundle is about content with SHA-256 {stated}, but this content has {actual}")]
    DigestMismatch {
        /// The digest in the bundle, in hexadecimal.
        stated: String,
        /// The digest of the content given, in hexadecimal.
        actual: String,
    },
    /// The signature was not made over this content by this key.
    #[error("the signature does not fit: the key {key} did not sign exactly this content")]
    BadSignature {
        /// The key that the reader trusts.
        key: Fingerprint,
    },
}

/// Checks a bundle with a message signature, such as `export.json.sigstore.json`, against the message.
///
/// # Errors
/// [`VerifyError::Malformed`], [`VerifyError::WrongKey`], [`VerifyError::DigestMismatch`] or
/// [`VerifyError::BadSignature`], whichever is found first in this order.
pub fn verify_message_bundle(
    bundle: &[u8],
    message: &[u8],
    key: &PublicKey,
) -> Result<(), VerifyError> {
    verify_digest_bundle(bundle, &Sha256::digest(message).into(), key)
}

/// Like [`verify_message_bundle`], for a message of which only the SHA-256 is at hand.
///
/// The digest must have been computed from the content itself.
///
/// # Errors
/// As [`verify_message_bundle`].
pub fn verify_digest_bundle(
    bundle: &[u8],
    sha256: &[u8; 32],
    key: &PublicKey,
) -> Result<(), VerifyError> {
    let bundle = Bundle::parse(bundle)?;
    let Content::Message { digest, signature } = &bundle.content else {
        return Err(MalformedBundle::OtherContent {
            expected: "a message signature",
            found: "a DSSE envelope",
        }
        .into());
    };
    check_hint(&bundle, key)?;
    if digest != sha256 {
        return Err(VerifyError::DigestMismatch {
            stated: hex::encode(digest),
            actual: hex::encode(sha256),
        });
    }
    key.verify_digest(sha256, signature)
}

/// Checks a bundle with an in-toto statement in a DSSE envelope, such as `provenance.json.sigstore.json`, and gives the
/// statement's bytes. What the statement says is for the caller to judge, its subjects first.
///
/// # Errors
/// [`VerifyError::Malformed`], [`VerifyError::WrongKey`] or [`VerifyError::BadSignature`], whichever is found first in
/// this order.
pub fn verify_dsse_bundle(bundle: &[u8], key: &PublicKey) -> Result<Vec<u8>, VerifyError> {
    let bundle = Bundle::parse(bundle)?;
    check_hint(&bundle, key)?;
    let Content::Dsse {
        payload_type,
        payload,
        signature,
    } = bundle.content
    else {
        return Err(MalformedBundle::OtherContent {
            expected: "a DSSE envelope",
            found: "a message signature",
        }
        .into());
    };
    if payload_type != dsse::IN_TOTO_PAYLOAD_TYPE {
        return Err(MalformedBundle::PayloadType {
            found: excerpt(&payload_type),
        }
        .into());
    }
    dsse::verify(key, &payload_type, &payload, &signature)?;
    Ok(payload)
}

fn check_hint(bundle: &Bundle, key: &PublicKey) -> Result<(), VerifyError> {
    match bundle.key {
        Some(named) if named != key.fingerprint() => Err(VerifyError::WrongKey {
            named,
            given: key.fingerprint(),
        }),
        // No hint, or one of another tool's making: the signature alone decides.
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
