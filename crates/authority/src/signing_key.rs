//! An ECDSA key on P-256 that signs tokens or proofs.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use export_model::Sha256Digest;
use pem::{EncodeConfig, LineEnding, Pem};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::jose::base64url;

/// The most bytes of a key file that are read.
const MAX_KEY_BYTES: usize = 16 * 1024;
const LABEL: &str = "PRIVATE KEY";

/// Why a key could not be made, read, written or used. No message carries secret bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text given is not such a key.
    #[error("this is not an ECDSA key on P-256 as PKCS#8 in PEM (BEGIN PRIVATE KEY)")]
    NotAKey,
    /// The cryptographic library failed; the key given is not known to be at fault.
    #[error("cannot {0}")]
    Library(&'static str),
}

pub(crate) struct SigningKey {
    pair: EcdsaKeyPair,
    x: String,
    y: String,
    thumbprint: String,
}

impl SigningKey {
    /// Makes a key. The randomness is the operating system's, through aws-lc, as is that of each signature.
    pub(crate) fn generate() -> Result<Self, KeyError> {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| KeyError::Library("make a key"))
            .and_then(Self::from_pair)
    }

    pub(crate) fn from_pem(text: &str) -> Result<Self, KeyError> {
        if text.len() > MAX_KEY_BYTES {
            return Err(KeyError::NotAKey);
        }
        let block = pem::parse(text).map_err(|_| KeyError::NotAKey)?;
        let label = block.tag() == LABEL;
        let der = Zeroizing::new(block.into_contents());
        if !label {
            return Err(KeyError::NotAKey);
        }
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der)
            .map_err(|_| KeyError::NotAKey)
            .and_then(Self::from_pair)
    }

    pub(crate) fn to_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        let der = self
            .pair
            .to_pkcs8v1()
            .map_err(|_| KeyError::Library("encode the key"))?;
        let block = Pem::new(LABEL, der.as_ref());
        let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
        let text = Zeroizing::new(pem::encode_config(&block, config));
        drop(Zeroizing::new(block.into_contents()));
        Ok(text)
    }

    fn from_pair(pair: EcdsaKeyPair) -> Result<Self, KeyError> {
        // An uncompressed point: 4, x, y.
        let (x, y) = match pair.public_key().as_ref().split_first() {
            Some((4, point)) if point.len() == 64 => {
                (base64url(&point[..32]), base64url(&point[32..]))
            }
            _ => return Err(KeyError::Library("derive the public key")),
        };
        let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        Ok(Self {
            pair,
            x,
            y,
            thumbprint: base64url(Sha256Digest::of(members.as_bytes()).0),
        })
    }

    pub(crate) fn public_jwk(&self) -> Value {
        json!({ "kty": "EC", "crv": "P-256", "x": self.x, "y": self.y })
    }

    pub(crate) fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// A signed object in the compact form.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> Result<String, KeyError> {
        let mut text = format!(
            "{}.{}",
            base64url(header.to_string()),
            base64url(claims.to_string())
        );
        let signature = self
            .pair
            .sign(&SystemRandom::new(), text.as_bytes())
            .map_err(|_| KeyError::Library("sign"))?;
        text.push('.');
        text.push_str(&base64url(signature.as_ref()));
        Ok(text)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(private half of {})", self.thumbprint)
    }
}
