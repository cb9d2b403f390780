//! The compact serialisation of a signed object (RFC 7515 §7.1).

use serde::Deserialize;
use serde_json::{Map, Value};

use super::from_base64url;

/// A signed object that was taken apart, and not checked yet.
pub(crate) struct Jws<'a> {
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    /// What the signature is over.
    pub(crate) signed: &'a [u8],
}

/// The protected header. A member that stands here twice is refused (RFC 7515 §4).
#[derive(Deserialize)]
pub(crate) struct Header {
    pub(crate) alg: String,
    pub(crate) typ: Option<String>,
    pub(crate) kid: Option<String>,
    pub(crate) jwk: Option<Map<String, Value>>,
    /// Extensions that must be understood; none is.
    pub(crate) crit: Option<Value>,
}

impl<'a> Jws<'a> {
    /// Takes `text` apart; `None` when it is not three base64url parts, the first of them a JSON object with an `alg`.
    /// The caller has bounded its length.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        if payload.contains('.') {
            return None;
        }
        Some(Self {
            header: serde_json::from_slice(&from_base64url(header)?).ok()?,
            payload: from_base64url(payload)?,
            signature: from_base64url(signature)?,
            signed: signed.as_bytes(),
        })
    }
}
