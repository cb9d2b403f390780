//! A JSON Web Key Set (RFC 7517 §5), read with limits.

use std::fmt;

use export_model::Sha256Digest;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::jose::{Algorithm, PublicKey, has_private_members};

/// The most bytes of a key set: 256 KiB.
pub const MAX_SET_BYTES: usize = 256 * 1024;
/// The most keys of a set, those that are passed over included.
pub const MAX_KEYS: usize = 100;

/// The keys that tokens are checked with.
///
/// Each checks one algorithm only: the one it names, or else the usual one of its kind (RS256 for RSA). So a token
/// cannot choose how its signature is checked.
pub struct Keys {
    keys: Vec<Named>,
    passed_over: usize,
    digest: Sha256Digest,
}

struct Named {
    id: String,
    key: PublicKey,
}

/// Why a document is no key set that tokens can be checked with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// Larger than [`MAX_SET_BYTES`].
    #[error("the key set has more than 256 KiB")]
    TooLarge,
    /// Not JSON, or without the member `keys`.
    #[error("the key set is not a JSON object with an array of `keys`")]
    NotAKeySet,
    /// More keys than [`MAX_KEYS`].
    #[error("the key set has more than {MAX_KEYS} keys")]
    TooMany,
    /// No key of it is for checking signatures, has a `kid`, and is of a supported algorithm.
    #[error("the key set has no signing key with a `kid` and a supported algorithm")]
    NoneUsable,
}

/// What a set knows about a token's `kid` and `alg`.
pub(crate) enum KeyLookup<'a> {
    Found(&'a PublicKey),
    /// No key has that id.
    UnknownId,
    /// A key has that id, and is for another algorithm.
    OtherAlgorithm,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl Keys {
    /// Reads a key set.
    ///
    /// Keys of unknown types, curves, algorithms or uses are passed over, because an Authority may publish them for
    /// others (RFC 7517 §5). So are keys without a `kid`, and those published together with their private half.
    ///
    /// # Errors
    /// [`KeysError`] when the document is too large, no key set, or has no key that can be used.
    pub fn parse(document: &[u8]) -> Result<Self, KeysError> {
        if document.len() > MAX_SET_BYTES {
            return Err(KeysError::TooLarge);
        }
        let set: Document = serde_json::from_slice(document).map_err(|_| KeysError::NotAKeySet)?;
        if set.keys.len() > MAX_KEYS {
            return Err(KeysError::TooMany);
        }
        let all = set.keys.len();
        let keys: Vec<Named> = set.keys.iter().filter_map(usable).collect();
        if keys.is_empty() {
            return Err(KeysError::NoneUsable);
        }
        Ok(Self {
            passed_over: all - keys.len(),
            keys,
            digest: Sha256Digest::of(document),
        })
    }

    /// How many keys can be used.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none, which [`parse`](Self::parse) does not let happen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many keys were passed over.
    #[must_use]
    pub fn passed_over(&self) -> usize {
        self.passed_over
    }

    /// The digest of the document: two sets with the same digest are the same set.
    #[must_use]
    pub fn digest(&self) -> &Sha256Digest {
        &self.digest
    }

    pub(crate) fn find(&self, id: &str, algorithm: Algorithm) -> KeyLookup<'_> {
        // Keys of different types may share an id (RFC 7517 §4.5).
        let mut named = self.keys.iter().filter(|named| named.id == id).peekable();
        if named.peek().is_none() {
            return KeyLookup::UnknownId;
        }
        named
            .find(|named| named.key.algorithm() == algorithm)
            .map_or(KeyLookup::OtherAlgorithm, |named| {
                KeyLookup::Found(&named.key)
            })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.keys.iter().map(|named| &named.id))
            .finish()
    }
}

fn usable(jwk: &Value) -> Option<Named> {
    let jwk = jwk.as_object()?;
    if !is_for_signatures(jwk) || has_private_members(jwk) {
        return None;
    }
    Some(Named {
        id: jwk.get("kid")?.as_str()?.to_owned(),
        key: PublicKey::from_jwk(jwk, None).ok()?,
    })
}

/// RFC 7517 §4.2 and §4.3.
fn is_for_signatures(jwk: &Map<String, Value>) -> bool {
    let used = jwk.get("use").is_none_or(|used| used == "sig");
    let operations = jwk.get("key_ops").is_none_or(|operations| {
        operations
            .as_array()
            .is_some_and(|operations| operations.iter().any(|one| one == "verify"))
    });
    used && operations
}
