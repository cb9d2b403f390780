//! What a reader holds.

use std::collections::BTreeMap;
use std::fmt;

use crate::age::{self, FileKey, Identity, KIND};
use crate::gcm;
use crate::header::Found;
use crate::stream::Cipher;
use crate::{DataKey, FileKeys, OpenErrorKind};

/// Keys that may open sealed files. An empty one opens nothing.
///
/// A file key that a key file has for a path is used before any identity is tried.
#[derive(Default)]
pub struct Keyring {
    identities: Vec<Identity>,
    data_keys: Vec<DataKey>,
    file_keys: BTreeMap<String, FileKey>,
}

impl Keyring {
    /// One without keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds identities, for files sealed with age.
    #[must_use]
    pub fn with_identities(mut self, identities: impl IntoIterator<Item = Identity>) -> Self {
        self.identities.extend(identities);
        self
    }

    /// Adds the data key of a run, for files sealed with AES-256-GCM.
    #[must_use]
    pub fn with_data_key(mut self, key: DataKey) -> Self {
        self.data_keys.push(key);
        self
    }

    /// Adds the file keys of a bundle, for its files sealed with age, by their paths.
    #[must_use]
    pub fn with_file_keys(mut self, keys: FileKeys) -> Self {
        self.file_keys.extend(keys.into_files());
        self
    }

    /// Whether there is no key at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.identities.is_empty() && self.data_keys.is_empty() && self.file_keys.is_empty()
    }

    /// The cipher of the file at `path`.
    pub(crate) fn open(&self, found: &Found<'_>, path: &str) -> Result<Cipher, OpenErrorKind> {
        match found {
            Found::Age { header, nonce } => {
                let key = self.file_key(header, path)?;
                key.cipher(nonce).map_err(|_| OpenErrorKind::Library {
                    doing: "derive a payload's key",
                })
            }
            Found::Gcm(bytes) => {
                let header = gcm::Header::parse(bytes)?;
                for key in &self.data_keys {
                    if let Some(cipher) = gcm::open(key, &header, &bytes[..], path)? {
                        return Ok(cipher);
                    }
                }
                Err(match self.data_keys.len() {
                    0 => OpenErrorKind::NoKey {
                        needed: "data key (nor a key that unwraps it)",
                    },
                    _ => wrong(self.data_keys.len(), "data key"),
                })
            }
        }
    }

    /// The key of the file at `path` that has this header.
    pub(crate) fn file_key(&self, header: &[u8], path: &str) -> Result<FileKey, OpenErrorKind> {
        let header = age::Header::parse(header)?;
        if let Some(key) = self.file_keys.get(path) {
            return if key.has_made(&header.mac, header.authenticated)? {
                Ok(key.clone())
            } else {
                Err(OpenErrorKind::WrongKey {
                    given: "the one that the key file has for it (or its header was altered)"
                        .to_owned(),
                })
            };
        }
        for stanza in &header.stanzas {
            if stanza.kind != KIND {
                continue;
            }
            if let Some(key) = age::unwrap(stanza, &self.identities)? {
                return if key.has_made(&header.mac, header.authenticated)? {
                    Ok(key)
                } else {
                    Err(OpenErrorKind::HeaderAltered)
                };
            }
        }
        Err(self.nobody(&header))
    }

    /// Why no key opens a header, in words for whoever has none of its keys.
    fn nobody(&self, header: &age::Header<'_>) -> OpenErrorKind {
        let all = |kind: &[u8]| header.stanzas.iter().all(|stanza| stanza.kind == kind);
        let advice = "decrypt it with `age -d`";
        if all(b"scrypt") {
            let found = "sealed with a passphrase";
            return OpenErrorKind::Unsupported { found, advice };
        }
        if all(b"mlkem768x25519") {
            let found = "sealed to post-quantum recipients only";
            return OpenErrorKind::Unsupported { found, advice };
        }
        match self.identities.len() {
            0 => OpenErrorKind::NoKey {
                needed: "age identity",
            },
            tried => wrong(tried, "age identity"),
        }
    }
}

fn wrong(count: usize, what: &str) -> OpenErrorKind {
    OpenErrorKind::WrongKey {
        given: match count {
            1 => format!("the {what} that was given"),
            _ => format!("each {what} of the {count} that were given"),
        },
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("identities", &self.identities)
            .field("data_keys", &self.data_keys)
            .field("file_keys", &self.file_keys.len())
            .finish()
    }
}
