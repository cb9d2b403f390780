//! The key file of a bundle that is sealed with AES-256-GCM: its data key, wrapped anew.

use export_ports::{PortError, PortErrorKind};
use serde::{Deserialize, Serialize};

use crate::{Context, DataKey, KeyWrap, WrappedKey};

const SCHEMA: &str = "export-center/data-keys/v1";

/// The most bytes of a key file that are read.
pub const MAX_KEY_FILE_BYTES: usize = 256 * 1024;

/// Wrapped forms of one run's data key, in a file beside the bundle (`NAME.keys.json`). The bundle itself, and so its
/// signatures, stay as they are.
///
/// It is RFC 8785 JSON: `context` (`run`, `tenant`), `keys` and `schema` (`export-center/data-keys/v1`). It is no secret
/// and not signed: a key that does not belong to the bundle does not open it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFile {
    /// What the key belongs to.
    pub context: Context,
    /// Its wrapped forms.
    pub keys: Vec<WrappedKey>,
    schema: String,
}

/// Why a file is no key file.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// More bytes than any key file has.
    #[error("the key file has {bytes} bytes; at most {MAX_KEY_FILE_BYTES} are read")]
    TooLarge {
        /// How many there are.
        bytes: usize,
    },
    /// It is not in the format.
    #[error("this is not a key file of a bundle")]
    Malformed(#[source] serde_json::Error),
    /// It is in a format of another version.
    #[error("the key file is of another version: it says {found:?}, and {SCHEMA:?} is read")]
    Schema {
        /// What it says.
        found: String,
    },
}

impl KeyFile {
    /// A file that holds `keys`.
    #[must_use]
    pub fn new(context: Context, keys: Vec<WrappedKey>) -> Self {
        Self {
            context,
            keys,
            schema: SCHEMA.to_owned(),
        }
    }

    /// Writes the file. Members are in order, and every string is plain ASCII.
    ///
    /// # Errors
    /// When a string cannot be written, which none that was read is.
    pub fn to_json(&self) -> Result<Vec<u8>, KeyFileError> {
        serde_json::to_vec(self).map_err(KeyFileError::Malformed)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it is none.
    pub fn from_json(bytes: &[u8]) -> Result<Self, KeyFileError> {
        if bytes.len() > MAX_KEY_FILE_BYTES {
            return Err(KeyFileError::TooLarge { bytes: bytes.len() });
        }
        let file: Self = serde_json::from_slice(bytes).map_err(KeyFileError::Malformed)?;
        if file.schema != SCHEMA {
            return Err(KeyFileError::Schema {
                found: crate::wrap::excerpt(&file.schema),
            });
        }
        Ok(file)
    }

    /// The data key, unwrapped by `key`.
    ///
    /// # Errors
    /// `Invalid` when none of the wrapped forms is for `key`; else what the last of them failed with.
    pub async fn unwrap(&self, key: &dyn KeyWrap) -> Result<DataKey, PortError> {
        unwrap_any(&self.keys, key, &self.context).await
    }
}

/// The data key in the first of `wrapped` that `key` unwraps.
pub(crate) async fn unwrap_any(
    wrapped: &[WrappedKey],
    key: &dyn KeyWrap,
    context: &Context,
) -> Result<DataKey, PortError> {
    let mut last = None;
    for wrapped in wrapped.iter().filter(|wrapped| key.may_unwrap(wrapped)) {
        match key.unwrap(wrapped, context).await {
            Ok(key) => return Ok(key),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| {
        let doing = format!("unwrapping the data key of run {}", context.run.as_str());
        PortError::because(
            PortErrorKind::Invalid,
            doing,
            format!(
                "it is not wrapped for {} ({})",
                key.key_id(),
                key.provider()
            ),
        )
    }))
}
