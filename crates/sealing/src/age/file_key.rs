//! The key of one file, from which its authentication code and its payload's key are derived.

use std::fmt;

use aws_lc_rs::aead::{CHACHA20_POLY1305, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::kdf::derive;
use crate::random::{Random, draw};
use crate::stream::{Cipher, Nonces};
use crate::{OpenErrorKind, SealError};

/// Bytes of a file key.
pub(super) const FILE_KEY_BYTES: usize = 16;

/// Bytes of plaintext in a chunk.
const CHUNK_BYTES: usize = 64 * 1024;

/// The key of one file sealed with age. Whoever has it can read that file and no other. It is overwritten
/// when it is dropped, and its `Debug` form is empty.
#[derive(Clone)]
pub struct FileKey(pub(crate) Zeroizing<[u8; FILE_KEY_BYTES]>);

impl FileKey {
    pub(crate) fn generate(random: &mut Random<'_>) -> Result<Self, SealError> {
        Ok(Self(Zeroizing::new(draw(random)?)))
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    fn mac_key(&self) -> Result<hmac::Key, Unspecified> {
        let key = derive::<32>(&self.0[..], b"", &[b"header"])?;
        Ok(hmac::Key::new(hmac::HMAC_SHA256, &key[..]))
    }

    /// The authentication code of a header, from its beginning to its last `---`.
    pub(super) fn mac(&self, header: &[u8]) -> Result<hmac::Tag, SealError> {
        let key = self.mac_key().map_err(|_| SealError::Library {
            doing: "derive a header's key",
        })?;
        Ok(hmac::sign(&key, header))
    }

    /// Whether `mac` is the code of a header.
    pub(crate) fn has_made(&self, mac: &[u8], header: &[u8]) -> Result<bool, OpenErrorKind> {
        let key = self.mac_key().map_err(|_| OpenErrorKind::Library {
            doing: "derive a header's key",
        })?;
        Ok(hmac::verify(&key, header, mac).is_ok())
    }

    /// The cipher of the payload that begins with `nonce`.
    pub(crate) fn cipher(&self, nonce: &[u8]) -> Result<Cipher, Unspecified> {
        let key = derive::<32>(&self.0[..], nonce, &[b"payload"])?;
        let key = UnboundKey::new(&CHACHA20_POLY1305, &key[..])?;
        Ok(Cipher::new(key, Nonces::Counter, Vec::new(), CHUNK_BYTES))
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileKey(…)")
    }
}
