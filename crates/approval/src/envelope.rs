//! The envelope: DSSE (secure-systems-lab/dsse, protocol v1.0.2) in its own JSON form.
//!
//! A Sigstore bundle would name the key as well, but an approval is a request's member, not a
//! release: what can be left out is. The signature's `keyid` is the key's fingerprint. Nobody
//! vouches for it; it only tells "signed by a key that nobody knows" from "altered".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use export_canonical::jcs::to_jcs;
use export_model::Sha256Digest;
use export_signing::{Fingerprint, KeyError, Signature, SigningKey, dsse};
use serde::{Deserialize, Serialize};

use crate::{Approval, Refused, TermsError};

/// The payload type of an approval.
pub const PAYLOAD_TYPE: &str = "application/vnd.export-center.approval+json";

/// The most bytes of an envelope that are read.
pub const MAX_ENVELOPE_BYTES: usize = 256 << 10;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Document {
    payload: String,
    payload_type: String,
    signatures: Vec<DocumentSignature>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentSignature {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keyid: Option<String>,
    sig: String,
}

/// An envelope, taken apart; nothing of it is verified.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Signature,
    /// The key that it names.
    pub(crate) named: Option<Fingerprint>,
    /// SHA-256 of the envelope's RFC 8785 form: the same however it was spelt on its way.
    pub(crate) sha256: Sha256Digest,
}

/// What a grantor's signer signs for an approval's document: its DSSE pre-authentication encoding.
#[must_use]
pub fn to_sign(document: &[u8]) -> Vec<u8> {
    dsse::pae(PAYLOAD_TYPE, document)
}

/// The envelope of a signed document: RFC 8785, without a line end.
#[must_use]
pub fn envelope(document: &[u8], signature: &Signature, key: &Fingerprint) -> Vec<u8> {
    // Constants, base64 and digits, which need no escaping; the members are in canonical order.
    let (payload, sig) = (STANDARD.encode(document), signature.to_base64());
    format!(
        r#"{{"payload":"{payload}","payloadType":"{PAYLOAD_TYPE}","signatures":[{{"keyid":"{key}","sig":"{sig}"}}]}}"#
    )
    .into_bytes()
}

/// Why an approval could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The approval breaks a rule.
    #[error("this cannot be approved: {0}")]
    Terms(#[from] TermsError),
    /// The key could not sign.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Makes a signed approval with a key file of the grantor.
///
/// # Errors
/// When the approval breaks a rule, or the key cannot sign.
pub fn create(approval: &Approval, key: &SigningKey) -> Result<Vec<u8>, CreateError> {
    let document = approval.to_bytes()?;
    let signature = key.sign(&to_sign(&document))?;
    Ok(envelope(
        &document,
        &signature,
        &key.public_key().fingerprint(),
    ))
}

impl Opened {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Refused> {
        let refused = |what: String| Refused::NotAnApproval { what };
        if bytes.len() > MAX_ENVELOPE_BYTES {
            let most = MAX_ENVELOPE_BYTES;
            return Err(refused(format!(
                "it has {} bytes; at most {most} are read",
                bytes.len()
            )));
        }
        let document: Document =
            serde_json::from_slice(bytes).map_err(|error| refused(error.to_string()))?;
        if document.payload_type != PAYLOAD_TYPE {
            let found: String = document.payload_type.chars().take(80).collect();
            return Err(refused(format!(
                "its payload type is `{}`; expected is {PAYLOAD_TYPE}",
                found.escape_debug()
            )));
        }
        let [signature] = document.signatures.as_slice() else {
            let count = document.signatures.len();
            return Err(refused(format!(
                "it has {count} signatures; expected is exactly one"
            )));
        };
        let named = signature.keyid.as_deref().and_then(|id| id.parse().ok());
        let signature =
            Signature::from_base64(&signature.sig).map_err(|error| refused(error.to_string()))?;
        let payload = STANDARD
            .decode(&document.payload)
            .map_err(|_| refused("its payload is not in padded standard base64".to_owned()))?;
        let canonical = to_jcs(&document).map_err(|error| refused(error.to_string()))?;
        Ok(Self {
            payload,
            signature,
            named,
            sha256: Sha256Digest::of(&canonical),
        })
    }
}
