//! The key of a run, from which the keys of its files are derived.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::error::Unspecified;
use zeroize::Zeroizing;

use crate::SealError;
use crate::kdf::derive;
use crate::random::{Random, draw};

/// The 32-byte key of a run's files. It leaves this crate only wrapped ([`KeyWrap`](crate::KeyWrap)), is
/// overwritten when it is dropped, and shows only its [id](Self::id).
pub struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    /// Makes a new one. A run has one, and no two runs have the same.
    ///
    /// # Errors
    /// When there are no random bytes.
    pub fn generate(random: &mut Random<'_>) -> Result<Self, SealError> {
        Ok(Self(Zeroizing::new(draw(random)?)))
    }

    /// The key with these bytes, for implementations of [`KeyWrap`](crate::KeyWrap).
    #[must_use]
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The bytes, for implementations of [`KeyWrap`](crate::KeyWrap): nobody else needs them.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What names the key without telling it: 32 hexadecimal digits of HKDF-SHA256 (no salt, info
    /// `export-center/data-key-id/v1`).
    #[must_use]
    pub fn id(&self) -> String {
        key_id(&self.0, b"export-center/data-key-id/v1")
    }

    /// What a file's header says of the key.
    pub(crate) fn commitment(&self, salt: &[u8]) -> Result<Zeroizing<[u8; 32]>, Unspecified> {
        derive(&self.0[..], salt, &[b"export-center/commitment/v1"])
    }

    /// Whether a file's header means this key.
    pub(crate) fn is_committed(&self, salt: &[u8], commitment: &[u8]) -> bool {
        self.commitment(salt)
            .and_then(|ours| verify_slices_are_equal(&ours[..], commitment))
            .is_ok()
    }
}

/// What names `key`, in hexadecimal digits.
pub(crate) fn key_id(key: &[u8; 32], info: &[u8]) -> String {
    // So few bytes are always to be had.
    derive::<16>(key, b"", &[info]).map_or_else(|_| String::new(), |id| hex::encode(&id[..]))
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({})", self.id())
    }
}
