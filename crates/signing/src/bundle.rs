//! Sigstore bundles, version 0.3, signed with a key.
//!
//! A bundle is one JSON file that holds a signature and what it is about. The `sigstore` crate only writes bundles with
//! certificates and a transparency log entry, so ours are put together here. Source: sigstore/protobuf-specs,
//! `sigstore_bundle.proto`, in the JSON mapping of Protocol Buffers.
//!
//! Readers written in Go refuse unknown fields, and one in Python refuses a bundle without `tlogEntries`. So we write
//! exactly the fields below. The signature of an envelope has no `keyid`, because some readers compare it with a
//! fingerprint of another kind.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::dsse;
use crate::fingerprint::Fingerprint;
use crate::signature::{Signature, SignatureFormatError};

/// The media type of a bundle of version 0.3.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// The most bytes of a bundle that are read.
pub const MAX_BUNDLE_BYTES: usize = 16 * 1024 * 1024;

const SHA256_NAME: &str = "SHA2_256";

/// A bundle that was signed with a key, as far as we use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The key that the bundle names, if its hint is a fingerprint. Nobody vouches for it.
    pub key: Option<Fingerprint>,
    /// What was signed.
    pub content: Content,
}

/// What a bundle holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A signature over a message outside the bundle.
    Message {
        /// SHA-256 of the message, as the bundle states it.
        digest: [u8; 32],
        /// The signature over the message.
        signature: Signature,
    },
    /// A DSSE envelope.
    Dsse {
        /// The type of the payload.
        payload_type: String,
        /// The payload itself.
        payload: Vec<u8>,
        /// The signature over the [pre-authentication encoding](dsse::pae) of both.
        signature: Signature,
    },
}

/// Why a bundle cannot be used. The file is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedBundle {
    /// More bytes than are read.
    #[error("the bundle has {bytes} bytes; at most {MAX_BUNDLE_BYTES} are read")]
    TooLarge {
        /// How many bytes there were.
        bytes: usize,
    },
    /// The file is not JSON of the right shape.
    #[error("this is not a Sigstore bundle: {reason}")]
    Json {
        /// What the JSON parser said.
        reason: String,
    },
    /// Another version, or something else altogether.
    #[error("the bundle has the media type {found:?}; supported is {MEDIA_TYPE}")]
    MediaType {
        /// The media type in the file.
        found: String,
    },
    /// Signed in another way than with a key.
    #[error("the bundle was not signed with a key: it holds no verificationMaterial.publicKey")]
    NotSignedWithKey,
    /// Neither or both of the two kinds of content.
    #[error("the bundle must hold either a message signature or a DSSE envelope")]
    Content,
    /// The bundle holds the other kind of content.
    #[error("the bundle holds {found}; expected was {expected}")]
    OtherContent {
        /// What was asked for.
        expected: &'static str,
        /// What is in the file.
        found: &'static str,
    },
    /// The envelope has no signature or several.
    #[error("the DSSE envelope has {found} signatures; expected is exactly one")]
    SignatureCount {
        /// How many there are.
        found: usize,
    },
    /// The envelope holds something else than an in-toto statement.
    #[error(
        "the DSSE envelope has the payload type {found:?}; expected is {}",
        dsse::IN_TOTO_PAYLOAD_TYPE
    )]
    PayloadType {
        /// The type in the file.
        found: String,
    },
    /// The message digest is not a SHA-256.
    #[error("the bundle's message digest is not SHA2_256 with 32 bytes in base64")]
    Digest,
    /// The payload is not base64.
    #[error("the payload of the DSSE envelope is not in padded standard base64")]
    Payload,
    /// The signature cannot be read.
    #[error("cannot read the signature in the bundle: {0}")]
    Signature(#[from] SignatureFormatError),
}

/// The fields that are read. What stands next to them is another tool's business.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    media_type: String,
    verification_material: VerificationMaterial,
    message_signature: Option<MessageSignature>,
    dsse_envelope: Option<Envelope>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VerificationMaterial {
    public_key: Option<PublicKeyIdentifier>,
}

#[derive(Deserialize)]
struct PublicKeyIdentifier {
    #[serde(default)]
    hint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageSignature {
    message_digest: MessageDigest,
    signature: String,
}

#[derive(Deserialize)]
struct MessageDigest {
    algorithm: String,
    digest: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Deserialize)]
struct EnvelopeSignature {
    sig: String,
}

/// The bundle of a message signature: compact JSON without a newline.
///
/// `signature` is over the message, `message_sha256` its digest, `key` the key that signed.
#[must_use]
pub fn message_bundle(
    signature: &Signature,
    message_sha256: &[u8; 32],
    key: &Fingerprint,
) -> Vec<u8> {
    let digest = STANDARD.encode(message_sha256);
    let signature = signature.to_base64();
    write(
        key,
        &format!(
            r#""messageSignature":{{"messageDigest":{{"algorithm":"{SHA256_NAME}","digest":"{digest}"}},"signature":"{signature}"}}"#
        ),
    )
}

/// The bundle of an in-toto statement in a DSSE envelope: compact JSON without a newline.
///
/// `signature` is over [`statement_to_sign`](crate::to_sign::statement_to_sign), `key` the key that signed. Readers
/// accept at most 1024 subjects in a statement, and no fields that in-toto does not define.
#[must_use]
pub fn dsse_bundle(statement: &[u8], signature: &Signature, key: &Fingerprint) -> Vec<u8> {
    let payload = STANDARD.encode(statement);
    let payload_type = dsse::IN_TOTO_PAYLOAD_TYPE;
    let signature = signature.to_base64();
    write(
        key,
        &format!(
            r#""dsseEnvelope":{{"payload":"{payload}","payloadType":"{payload_type}","signatures":[{{"sig":"{signature}"}}]}}"#
        ),
    )
}

/// All values are constants or base64, which need no escaping in JSON; so writing cannot fail, as a serialiser can.
fn write(key: &Fingerprint, content: &str) -> Vec<u8> {
    let hint = key.to_hint();
    format!(
        r#"{{"mediaType":"{MEDIA_TYPE}","verificationMaterial":{{"publicKey":{{"hint":"{hint}"}},"tlogEntries":[]}},{content}}}"#
    )
    .into_bytes()
}

/// The start of a text from the file, for a message: the whole could be megabytes.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(100).collect()
}

impl Bundle {
    /// Reads a bundle of version 0.3 that was signed with a key, ours or another tool's. Fields that we do not use are
    /// passed over.
    ///
    /// # Errors
    /// [`MalformedBundle`] if it is too large, of another version, without exactly one signature, or damaged.
    pub fn parse(bundle: &[u8]) -> Result<Self, MalformedBundle> {
        if bundle.len() > MAX_BUNDLE_BYTES {
            return Err(MalformedBundle::TooLarge {
                bytes: bundle.len(),
            });
        }
        let document: Document =
            serde_json::from_slice(bundle).map_err(|error| MalformedBundle::Json {
                reason: excerpt(&error.to_string()),
            })?;
        if document.media_type != MEDIA_TYPE {
            return Err(MalformedBundle::MediaType {
                found: excerpt(&document.media_type),
            });
        }
        let key = document
            .verification_material
            .public_key
            .ok_or(MalformedBundle::NotSignedWithKey)?;
        let content = match (document.message_signature, document.dsse_envelope) {
            (Some(message), None) => message.read()?,
            (None, Some(envelope)) => envelope.read()?,
            _ => return Err(MalformedBundle::Content),
        };
        Ok(Self {
            key: Fingerprint::from_hint(&key.hint).ok(),
            content,
        })
    }
}

impl MessageSignature {
    fn read(self) -> Result<Content, MalformedBundle> {
        let MessageDigest { algorithm, digest } = self.message_digest;
        // 32 bytes take 44 characters.
        if algorithm != SHA256_NAME || digest.len() != 44 {
            return Err(MalformedBundle::Digest);
        }
        let digest = STANDARD
            .decode(digest)
            .map_err(|_| MalformedBundle::Digest)?;
        let digest = digest.try_into().map_err(|_| MalformedBundle::Digest)?;
        Ok(Content::Message {
            digest,
            signature: Signature::from_base64(&self.signature)?,
        })
    }
}

impl Envelope {
    fn read(self) -> Result<Content, MalformedBundle> {
        let [signature] = self.signatures.as_slice() else {
            return Err(MalformedBundle::SignatureCount {
                found: self.signatures.len(),
            });
        };
        let signature = Signature::from_base64(&signature.sig)?;
        let payload = STANDARD
            .decode(self.payload)
            .map_err(|_| MalformedBundle::Payload)?;
        Ok(Content::Dsse {
            payload_type: self.payload_type,
            payload,
            signature,
        })
    }
}

#[cfg(test)]
#[path = "bundle_tests.rs"]
mod tests;
