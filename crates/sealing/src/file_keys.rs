//! The key file of a bundle that is sealed with age: the keys of its files, sealed to other recipients.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::age::{FileKey, Recipient};
use crate::header::{Beginning, Found};
use crate::random::Random;
use crate::{Context, Keyring, OpenError, OpenErrorKind, Opener, SealError, Sealer};

const SCHEMA: &str = "export-center/file-keys/v1";

/// The most bytes of a key file that are read, sealed or open.
pub const MAX_FILE_KEYS_BYTES: usize = 16 << 20;

/// The keys of a bundle's files, by the files' paths, for a file beside the bundle (`NAME.keys.age`).
///
/// That file is an age file, which `age -d` opens too. In it is RFC 8785 JSON: `context` (`run`, `tenant`), `files` (a path,
/// and 16 bytes in base64) and `schema` (`export-center/file-keys/v1`). Whoever opens it can read every file that it names,
/// and no other. A file's header proves that a key is its own, so a key for another file opens nothing.
pub struct FileKeys {
    context: Context,
    files: BTreeMap<String, FileKey>,
}

/// Why there is no key file, or why a file is none. Nothing of its content is repeated.
#[derive(Debug, thiserror::Error)]
pub enum FileKeysError {
    /// More bytes than any key file has.
    #[error("the key file has more than {MAX_FILE_KEYS_BYTES} bytes")]
    TooLarge,
    /// It cannot be opened.
    #[error("cannot open the key file")]
    Open(#[source] OpenErrorKind),
    /// What is in it is not in the format.
    #[error("what is sealed in the key file is no list of keys: {reason}")]
    Malformed {
        /// What is wrong.
        reason: &'static str,
    },
    /// It cannot be sealed.
    #[error("cannot seal the key file")]
    Seal(#[source] SealError),
    /// A file's header cannot be read.
    #[error("cannot read the beginning of {path}")]
    Read {
        /// The file's path in its bundle.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file's key cannot be told.
    #[error(transparent)]
    File(OpenError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    context: Context,
    files: BTreeMap<String, Zeroizing<String>>,
    schema: String,
}

impl FileKeys {
    /// No keys yet, of a run's files.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self {
            context,
            files: BTreeMap::new(),
        }
    }

    /// Adds the key of the file at `path`, which `keys` open. Of `sealed`, no more than the header is needed and no more than
    /// [`MAX_HEADER_BYTES`](crate::MAX_HEADER_BYTES) and a few are read.
    ///
    /// # Errors
    /// When it cannot be read, is not sealed with age, or not to any of `keys`.
    pub fn add(
        &mut self,
        path: &str,
        sealed: impl Read,
        keys: &Keyring,
    ) -> Result<(), FileKeysError> {
        let mut beginning = Beginning::default();
        let mut input = [0; 4096];
        let mut sealed = sealed.take(Beginning::LIMIT as u64);
        let file = |kind: OpenErrorKind| FileKeysError::File(kind.at(path));
        loop {
            let count = match sealed.read(&mut input) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.map_err(|source| FileKeysError::Read {
                    path: path.to_owned(),
                    source,
                })?,
            };
            if count == 0 {
                return Err(file(beginning.ended()));
            }
            beginning.push(&input[..count]);
            let Some((found, _)) = beginning.find().map_err(file)? else {
                continue;
            };
            let Found::Age { header, .. } = found else {
                return Err(file(OpenErrorKind::Unsupported {
                    found: "sealed with AES-256-GCM",
                    advice: "its data key is wrapped anew instead",
                }));
            };
            let key = keys.file_key(header, path).map_err(file)?;
            self.files.insert(path.to_owned(), key);
            return Ok(());
        }
    }

    /// What the files belong to.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The paths of the files, in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Writes the file, for `recipients`.
    ///
    /// # Errors
    /// As [`Sealer::age`], and when there are too many files.
    pub fn seal(
        &self,
        recipients: &[Recipient],
        random: &mut Random<'_>,
    ) -> Result<Vec<u8>, FileKeysError> {
        let encoded = |key: &FileKey| Zeroizing::new(STANDARD.encode(&key.0[..]));
        let files = self.files.iter();
        let document = Document {
            context: self.context.clone(),
            files: files
                .map(|(path, key)| (path.clone(), encoded(key)))
                .collect(),
            schema: SCHEMA.to_owned(),
        };
        let json = serde_json::to_vec(&document).map_err(|_| FileKeysError::Malformed {
            reason: "it cannot be written as JSON",
        })?;
        let json = Zeroizing::new(json);
        if json.len() > MAX_FILE_KEYS_BYTES / 2 {
            return Err(FileKeysError::TooLarge);
        }
        let mut sealed = Vec::new();
        let mut sealer = Sealer::age(recipients, random).map_err(FileKeysError::Seal)?;
        sealer
            .update(&json, &mut sealed)
            .and_then(|()| sealer.finish(&mut sealed))
            .map_err(FileKeysError::Seal)?;
        Ok(sealed)
    }

    /// Reads a file with the identities in `keys`.
    ///
    /// # Errors
    /// When it is none, or is sealed to others.
    pub fn open(sealed: &[u8], keys: &Arc<Keyring>) -> Result<Self, FileKeysError> {
        if sealed.len() > MAX_FILE_KEYS_BYTES {
            return Err(FileKeysError::TooLarge);
        }
        let bad = |reason| FileKeysError::Malformed { reason };
        // So long that it never grows, which would leave copies behind.
        let mut json = Zeroizing::new(Vec::with_capacity(sealed.len()));
        // Its own path is in no list of keys.
        let mut opener = Opener::new(Arc::clone(keys), "");
        opener
            .update(sealed, &mut json)
            .and_then(|()| opener.finish(&mut json))
            .map_err(|error| FileKeysError::Open(error.kind))?;
        let document: Document =
            serde_json::from_slice(&json).map_err(|_| bad("it is not JSON of that form"))?;
        if document.schema != SCHEMA {
            return Err(bad("it is of another version"));
        }
        let mut files = BTreeMap::new();
        for (path, key) in document.files {
            let key = STANDARD.decode(key.as_bytes()).map(Zeroizing::new).ok();
            let key = key.and_then(|key| FileKey::from_bytes(&key));
            files.insert(path, key.ok_or(bad("a key is not 16 bytes in base64"))?);
        }
        Ok(Self {
            context: document.context,
            files,
        })
    }

    pub(crate) fn into_files(self) -> BTreeMap<String, FileKey> {
        self.files
    }
}

impl fmt::Debug for FileKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let run = self.context.run.as_str();
        write!(f, "FileKeys({} files of run {run})", self.files.len())
    }
}
