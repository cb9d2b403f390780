//! `NAME.parts.json`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use export_canonical::jcs::{is_jcs, to_jcs};
use export_model::Sha256Digest;
use serde::{Deserialize, Serialize};

use super::{MAX_PARTS, PartsError, part_name, reading};

/// The value of `schema`.
const SCHEMA: &str = "export-center/parts/v1";
/// The most bytes of a list that are read.
const MAX_INDEX_BYTES: u64 = 4 << 20;

/// The list of a file's parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartsIndex {
    /// Always the same.
    pub schema: String,
    /// The file's name.
    pub name: String,
    /// Its size.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256Digest,
    /// Its parts, in order.
    pub parts: Vec<PartEntry>,
}

/// A part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartEntry {
    /// The name of its file.
    pub name: String,
    /// Its size.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256Digest,
}

impl PartsIndex {
    pub(super) fn new(name: &str, size: u64, sha256: Sha256Digest, parts: Vec<PartEntry>) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            name: name.to_owned(),
            size,
            sha256,
            parts,
        }
    }

    pub(super) fn to_bytes(&self, path: &Path) -> Result<Vec<u8>, PartsError> {
        to_jcs(self).map_err(|error| PartsError::Index {
            path: path.to_owned(),
            what: error.to_string(),
        })
    }

    /// Reads the list at `path`; one that does not fit together is refused.
    ///
    /// # Errors
    /// When it cannot be read, or is not one that is written here.
    pub fn read(path: &Path) -> Result<Self, PartsError> {
        let refused = |what: String| PartsError::Index {
            path: path.to_owned(),
            what,
        };
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_INDEX_BYTES).read_to_end(&mut bytes))
            .map_err(reading(path))?;
        is_jcs(&bytes).map_err(|error| refused(error.to_string()))?;
        let index: Self =
            serde_json::from_slice(&bytes).map_err(|error| refused(error.to_string()))?;
        if index.schema != SCHEMA {
            return Err(refused(format!("its schema is not `{SCHEMA}`")));
        }
        let plain = !index.name.is_empty()
            && !index.name.starts_with('.')
            && !index.name.contains(['/', '\\', '\0']);
        let named = (1..)
            .zip(&index.parts)
            .all(|(number, part)| part.name == part_name(&index.name, number));
        let size = index
            .parts
            .iter()
            .fold(0, |sum: u64, part| sum.saturating_add(part.size));
        let count = index.parts.len() as u64;
        if !plain || !named || size != index.size || !(1..=MAX_PARTS).contains(&count) {
            return Err(refused("its names or sizes do not fit together".to_owned()));
        }
        Ok(index)
    }
}
