//! The list of a file's parts.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use export_model::Sha256Digest;
use serde::{Deserialize, Serialize};

use super::PartsError;

/// The value of `schema`.
pub const SCHEMA: &str = "export-center/parts/v1";
/// The most parts of a file, so that their numbers have four digits.
pub const MAX_PARTS: usize = 9_999;
/// The most bytes of a list that are read.
const MAX_LIST_BYTES: u64 = 4 << 20;
/// Longest name of a file that is cut up, in bytes; most file systems end at 255, and `.partial` is
/// added to a part's name.
const MAX_NAME: usize = 200;

/// A part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its name: that of the file and its number, from 1.
    pub name: String,
    /// Its bytes.
    pub size: u64,
    /// SHA-256 of them.
    pub sha256: Sha256Digest,
}

/// What a file was cut into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartList {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The file's name.
    pub name: String,
    /// Its bytes.
    pub size: u64,
    /// SHA-256 of them.
    pub sha256: Sha256Digest,
    /// Its parts, in order; one at least.
    pub parts: Vec<Part>,
}

/// The name of part `number`, from 1, of the file `name`.
#[must_use]
pub fn part_name(name: &str, number: usize) -> String {
    format!("{name}.part-{number:04}")
}

impl PartList {
    /// The name of the list's own file.
    #[must_use]
    pub fn file_name(&self) -> String {
        list_name(&self.name)
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, String> {
        export_canonical::jcs::to_jcs(self).map_err(|error| error.to_string())
    }

    /// Reads a list.
    pub(super) fn read(path: &Path) -> Result<Self, PartsError> {
        let mut bytes = Vec::new();
        match File::open(path) {
            Ok(file) => file
                .take(MAX_LIST_BYTES + 1)
                .read_to_end(&mut bytes)
                .map_err(PartsError::reading(path))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let path = path.to_owned();
                return Err(PartsError::NoList { path });
            }
            Err(error) => return Err(PartsError::reading(path)(error)),
        };
        Self::parse(&bytes).map_err(|what| PartsError::List {
            path: path.to_owned(),
            what,
        })
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() as u64 > MAX_LIST_BYTES {
            return Err(format!("it has more than {MAX_LIST_BYTES} bytes"));
        }
        let list: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if list.schema != SCHEMA {
            return Err(format!("its schema is not `{SCHEMA}`"));
        }
        if list.to_bytes()? != bytes {
            return Err("it is not in canonical form".to_owned());
        }
        check_name(&list.name).map_err(|why| format!("the file's name: {why}"))?;
        if list.parts.is_empty() || list.parts.len() > MAX_PARTS {
            return Err(format!("a file has 1 to {MAX_PARTS} parts"));
        }
        let mut size = 0_u64;
        for (at, part) in list.parts.iter().enumerate() {
            if part.name != part_name(&list.name, at + 1) {
                return Err(format!("part {} has the name of another", at + 1));
            }
            // A file that is empty is one part that is.
            if part.size == 0 && list.size > 0 {
                return Err(format!("`{}` is empty", part.name));
            }
            size = size.saturating_add(part.size);
        }
        if size != list.size {
            return Err("its parts have not as many bytes as the file".to_owned());
        }
        Ok(list)
    }
}

pub(super) fn list_name(name: &str) -> String {
    format!("{name}.parts.json")
}

/// Whether files can be named so, wherever parts are carried.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Err("it has no bytes, or more than 200");
    }
    if name == "." || name == ".." || name.contains(['/', '\\', ':']) {
        return Err("it leads to another folder");
    }
    if name.chars().any(char::is_control) {
        return Err("it has control characters");
    }
    Ok(())
}
