//! The private half of a key, held in a file.
//!
//! This is the key of offline and development runs; a service signs with its key management service instead. The
//! `sigstore` crate makes and uses the key; this module decides what a file is before handing it over, because the
//! crate answers every unusable file, and a wrong password too, with "unsupported key type" (after deriving the
//! password's key three times).

mod encrypted;

use std::fmt;

use pkcs8::der::Decode as _;
use pkcs8::{LineEnding, PrivateKeyInfoRef, SecretDocument};
use sigstore::crypto::signing_key::ecdsa::EllipticCurve;
use sigstore::crypto::signing_key::ecdsa::ec::{EcdsaKeys, EcdsaSigner};
use sigstore::crypto::signing_key::{
    COSIGN_PRIVATE_KEY_PEM_LABEL, KeyPair as _, PRIVATE_KEY_PEM_LABEL,
    SIGSTORE_PRIVATE_KEY_PEM_LABEL, Signer as _,
};
use zeroize::Zeroizing;

use crate::algorithm;
use crate::bundle::excerpt;
use crate::public::PublicKey;
use crate::signature::Signature;

/// The most bytes of a private key file that are read.
pub const MAX_KEY_BYTES: usize = 64 * 1024;

/// An ECDSA private key on P-256. Its `Debug` form shows the fingerprint of the public half only.
pub struct SigningKey {
    signer: EcdsaSigner,
    public: PublicKey,
}

/// Why a private key could not be made, read, written or used.
///
/// All but [`Library`](Self::Library) are about the key or password given. No variant carries secret bytes.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// More bytes than any private key has.
    #[error("the private key has {bytes} bytes; at most {MAX_KEY_BYTES} are read")]
    TooLarge {
        /// How many bytes there were.
        bytes: usize,
    },
    /// The bytes are not a private key, or only a damaged one.
    #[error("this is not a private key: {reason}")]
    NotAKey {
        /// What was found or is missing.
        reason: String,
    },
    /// The key is encrypted and no password was given.
    #[error("the private key is encrypted: give its password")]
    NeedsPassword,
    /// The password does not open the key. A damaged file cannot be told from a wrong password.
    #[error("the password does not open the private key (or the file is damaged)")]
    WrongPassword,
    /// A private key that is not an ECDSA key on P-256 in PKCS#8 or cosign's form.
    #[error(
        "this private key is {found}; only ECDSA keys on P-256 are supported, as PKCS#8 or in cosign's encrypted form"
    )]
    UnsupportedKey {
        /// What kind of key it is.
        found: String,
    },
    /// The key is encrypted in a way that is not supported, such as the N = 131072 that some Go programs choose.
    #[error(
        "the private key is encrypted with {found}; supported are {supported}: encrypt the key again with these"
    )]
    UnsupportedEncryption {
        /// What the file states.
        found: String,
        /// What can be read.
        supported: &'static str,
    },
    /// The cryptographic library failed; the key given is not known to be at fault.
    #[error("cannot {doing}")]
    Library {
        /// The step, as a verb phrase.
        doing: &'static str,
        /// What the library said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl KeyError {
    fn not_a_key(reason: impl Into<String>) -> Self {
        Self::NotAKey {
            reason: reason.into(),
        }
    }

    fn library(doing: &'static str) -> impl FnOnce(sigstore::errors::SigstoreError) -> Self {
        move |source| Self::Library {
            doing,
            source: Box::new(source),
        }
    }
}

impl SigningKey {
    /// Makes a new key. The randomness comes from the operating system, through the `sigstore` crate.
    ///
    /// # Errors
    /// [`KeyError::Library`] if the key cannot be made.
    pub fn generate() -> Result<Self, KeyError> {
        let keys = EcdsaKeys::new(EllipticCurve::P256)
            .map_err(KeyError::library("make a new private key"))?;
        Self::from_keys(&keys)
    }

    /// Reads a key file: PKCS#8 (`PRIVATE KEY`, RFC 7468 §10), or cosign's encrypted form
    /// (`ENCRYPTED SIGSTORE PRIVATE KEY`, `ENCRYPTED COSIGN PRIVATE KEY`). Of several PEM blocks, the first counts.
    ///
    /// A password is not looked at if the key is not encrypted. An encrypted key may have an empty password.
    ///
    /// # Errors
    /// [`KeyError`] if the file is too large, is not a private key, is not on P-256, or does not open. An encrypted key
    /// is examined before [`KeyError::NeedsPassword`], so a caller can ask for the password after that error.
    pub fn from_pem(pem: &[u8], password: Option<&[u8]>) -> Result<Self, KeyError> {
        if pem.len() > MAX_KEY_BYTES {
            return Err(KeyError::TooLarge { bytes: pem.len() });
        }
        // The library's message may quote the file.
        let block = pem::parse(pem)
            .map_err(|_| KeyError::not_a_key("there is no complete PEM block in it"))?;
        let label = block.tag().to_owned();
        let content = Zeroizing::new(block.into_contents());
        match label.as_str() {
            PRIVATE_KEY_PEM_LABEL => Self::from_pkcs8(&content),
            SIGSTORE_PRIVATE_KEY_PEM_LABEL | COSIGN_PRIVATE_KEY_PEM_LABEL => {
                encrypted::check(&content)?;
                let password = password.ok_or(KeyError::NeedsPassword)?;
                Self::from_pkcs8(&encrypted::open(&content, password)?)
            }
            other => Err(refused_label(other)),
        }
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let info = PrivateKeyInfoRef::from_der(der)
            .map_err(|_| KeyError::not_a_key("its content is not PKCS#8"))?;
        algorithm::require_p256(&info.algorithm)
            .map_err(|found| KeyError::UnsupportedKey { found })?;
        let keys = EcdsaKeys::from_pkcs8_der(der)
            .map_err(|_| KeyError::not_a_key("its numbers are not a key pair on P-256"))?;
        Self::from_keys(&keys)
    }

    fn from_keys(keys: &EcdsaKeys) -> Result<Self, KeyError> {
        let signer = keys
            .to_signer()
            .map_err(KeyError::library("prepare the private key for signing"))?;
        let spki = keys
            .public_key_to_der()
            .map_err(KeyError::library("derive the public key"))?;
        let public = PublicKey::from_der(&spki).map_err(|source| KeyError::Library {
            doing: "derive the public key",
            source: Box::new(source),
        })?;
        Ok(Self { signer, public })
    }

    /// Writes a key file: cosign's encrypted form if a password is given (even an empty one), else PKCS#8.
    ///
    /// Lines end with LF. The encryption is scrypt with N = 32768, r = 8, p = 1 and NaCl secretbox, which cosign and all
    /// Sigstore clients can open.
    ///
    /// # Errors
    /// [`KeyError::Library`] if the key cannot be encoded or encrypted.
    pub fn to_pem(&self, password: Option<&[u8]>) -> Result<Zeroizing<String>, KeyError> {
        let der = self
            .signer
            .ecdsa_keys()
            .private_key_to_der()
            .map_err(KeyError::library("encode the private key"))?;
        match password {
            Some(password) => encrypted::seal(&der, password),
            None => SecretDocument::try_from(der.as_slice())
                .and_then(|document| document.to_pem(PRIVATE_KEY_PEM_LABEL, LineEnding::LF))
                .map_err(|source| KeyError::Library {
                    doing: "encode the private key",
                    source: Box::new(source),
                }),
        }
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs the SHA-256 of a message. Each call gives another signature.
    ///
    /// # Errors
    /// [`KeyError::Library`] if the signature cannot be computed.
    pub fn sign(&self, message: &[u8]) -> Result<Signature, KeyError> {
        let der = self
            .signer
            .sign(message)
            .map_err(KeyError::library("sign with the private key"))?;
        Signature::from_der(der).map_err(|source| KeyError::Library {
            doing: "sign with the private key",
            source: Box::new(source),
        })
    }
}

/// A PEM block with another label: a private key in a form we do not read, or no private key at all.
fn refused_label(label: &str) -> KeyError {
    let unsupported = |found: &str| KeyError::UnsupportedKey {
        found: found.to_owned(),
    };
    match label {
        "RSA PRIVATE KEY" => unsupported("an RSA key"),
        "DSA PRIVATE KEY" => unsupported("a DSA key"),
        "OPENSSH PRIVATE KEY" => unsupported("in OpenSSH's form"),
        "EC PRIVATE KEY" | "EC PARAMETERS" => {
            unsupported("in SEC 1 form (convert it with `openssl pkcs8 -topk8 -nocrypt`)")
        }
        "ENCRYPTED PRIVATE KEY" => unsupported(
            "PKCS#8 with a password of its own (remove it with `openssl pkcs8`, or let cosign import the key)",
        ),
        other => KeyError::not_a_key(format!(
            "the PEM block is labelled `{}`",
            excerpt(other).escape_debug()
        )),
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SigningKey(private half of {})",
            self.public.fingerprint()
        )
    }
}

#[cfg(test)]
mod tests;
