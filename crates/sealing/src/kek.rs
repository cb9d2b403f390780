//! A key-encryption key in a file, where there is no KMS.

use std::fmt;

use async_trait::async_trait;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac;
use export_ports::{PortError, PortErrorKind};
use zeroize::Zeroizing;

use crate::data_key::key_id;
use crate::kdf::derive;
use crate::random::{Random, draw};
use crate::secret_file;
use crate::wrap::excerpt;
use crate::{Context, DataKey, KeyWrap, SealError, WrappedKey};

const PROVIDER: &str = "key-file";
const PREFIX: &str = "EXPORT-CENTER-KEK-";

/// What a data key grows by: nonce and tag.
const WRAPPED_BYTES: usize = NONCE_LEN + 32 + 16;

/// A 32-byte key that wraps data keys, out of a text file:
///
/// ```text
/// # key id: 0f343b0931126a20f133d67c2b018a3b
/// EXPORT-CENTER-KEK-1…                        32 bytes in Bech32, capital letters
/// ```
///
/// Empty lines and lines that begin with `#` are not read. A data key is wrapped with AES-256-GCM: nonce (12 bytes) ‖
/// ciphertext (32) ‖ tag (16), with the context authenticated. The nonce is derived from the data key and the context,
/// so wrapping needs no random bytes, and wrapping the same key twice gives the same bytes.
pub struct KekFile {
    key: Zeroizing<[u8; 32]>,
}

/// Why a file holds no key-encryption key. Nothing of its content is repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a file with a key-encryption key: {reason}")]
pub struct KekError {
    reason: String,
}

impl KekFile {
    /// Makes a new one.
    ///
    /// # Errors
    /// When there are no random bytes.
    pub fn generate(random: &mut Random<'_>) -> Result<Self, SealError> {
        let key = Zeroizing::new(draw(random)?);
        Ok(Self { key })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it holds no key, more than one, or anything else.
    pub fn parse(bytes: &[u8]) -> Result<Self, KekError> {
        let bad = |reason: String| KekError { reason };
        let lines = secret_file::lines(bytes, 1).map_err(|error| bad(error.to_string()))?;
        let [(line, text)] = lines[..] else {
            return Err(bad("there is no key in it".to_owned()));
        };
        let key = crate::bech32::decode(PREFIX, text)
            .map_err(|error| bad(format!("line {line}: {error}")))?;
        let key = key[..]
            .try_into()
            .map_err(|_| bad(format!("line {line} does not stand for 32 bytes")))?;
        let key = Zeroizing::new(key);
        Ok(Self { key })
    }

    /// Writes the file. Whoever reads it can open everything that the key ever wrapped.
    #[must_use]
    pub fn to_file(&self) -> Zeroizing<String> {
        let mut key = crate::bech32::encode(&PREFIX.to_ascii_lowercase(), &self.key[..]);
        key.make_ascii_uppercase();
        Zeroizing::new(format!("# key id: {}\n{}\n", self.key_id(), *key))
    }

    fn cipher(&self) -> Result<LessSafeKey, Unspecified> {
        let key = derive::<32>(&self.key[..], b"", &[b"export-center/kek-wrap/v1"])?;
        Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key[..])?))
    }

    /// The same nonce for the same data key and context, and for nothing else.
    fn nonce(&self, key: &DataKey, context: &[u8]) -> Result<[u8; NONCE_LEN], Unspecified> {
        let secret = derive::<32>(&self.key[..], b"", &[b"export-center/kek-nonce/v1"])?;
        let mut code = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &secret[..]));
        code.update(key.bytes());
        code.update(context);
        let code = code.sign();
        code.as_ref().first_chunk().copied().ok_or(Unspecified)
    }

    fn seal(&self, key: &DataKey, context: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let nonce = self.nonce(key, context)?;
        let mut sealed = Zeroizing::new(*key.bytes());
        let tag = self.cipher()?.seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(context),
            &mut sealed[..],
        )?;
        Ok([&nonce[..], &sealed[..], tag.as_ref()].concat())
    }

    fn open(&self, wrapped: &[u8], context: &[u8]) -> Result<DataKey, Unspecified> {
        let (nonce, sealed) = wrapped.split_first_chunk().ok_or(Unspecified)?;
        if wrapped.len() != WRAPPED_BYTES {
            return Err(Unspecified);
        }
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let opened = self.cipher()?.open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(context),
            &mut sealed,
        )?;
        let key: [u8; 32] = (&*opened).try_into().map_err(|_| Unspecified)?;
        Ok(DataKey::from_bytes(Zeroizing::new(key)))
    }
}

/// What is authenticated. Neither name has a NUL.
fn associated(context: &Context) -> Vec<u8> {
    let Context { run, tenant } = context;
    let (tenant, run) = (tenant.as_str(), run.as_str());
    format!("export-center/wrapped-key/v1\0{tenant}\0{run}").into_bytes()
}

#[async_trait]
impl KeyWrap for KekFile {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    /// 32 hexadecimal digits of HKDF-SHA256 (no salt, info `export-center/kek-id/v1`).
    fn key_id(&self) -> String {
        key_id(&self.key, b"export-center/kek-id/v1")
    }

    fn may_unwrap(&self, wrapped: &WrappedKey) -> bool {
        wrapped.provider == PROVIDER && wrapped.key_id == self.key_id()
    }

    async fn wrap(&self, key: &DataKey, context: &Context) -> Result<WrappedKey, PortError> {
        let ciphertext = self.seal(key, &associated(context)).map_err(|_| {
            PortError::because(
                PortErrorKind::Unavailable,
                format!("wrapping a data key with the key file {}", self.key_id()),
                "the cryptographic library failed",
            )
        })?;
        Ok(WrappedKey {
            ciphertext,
            data_key_id: key.id(),
            key_id: self.key_id(),
            provider: PROVIDER.to_owned(),
        })
    }

    async fn unwrap(&self, wrapped: &WrappedKey, context: &Context) -> Result<DataKey, PortError> {
        let refused = |why: String| {
            let doing = format!("unwrapping a data key with the key file {}", self.key_id());
            PortError::because(PortErrorKind::Invalid, doing, why)
        };
        if !self.may_unwrap(wrapped) {
            let (provider, key_id) = (excerpt(&wrapped.provider), excerpt(&wrapped.key_id));
            return Err(refused(format!(
                "it was wrapped by {provider:?} with the key {key_id:?}"
            )));
        }
        let key = self
            .open(&wrapped.ciphertext, &associated(context))
            .map_err(|_| refused("it was altered, or belongs to another run".to_owned()))?;
        wrapped.check(key)
    }
}

impl fmt::Debug for KekFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KekFile({})", self.key_id())
    }
}
