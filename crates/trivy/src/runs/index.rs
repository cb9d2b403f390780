//! The end of a run's file: what is in it.
//!
//! ```text
//! magic                       8 bytes, first in the file
//! chunks
//! index                       JSON
//! offset of the index         u64, little endian
//! length of the index         u32, little endian
//! SHA-256 of the index        32 bytes
//! magic                       8 bytes
//! ```

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use export_digest::ContentHasher;
use serde::{Deserialize, Serialize};

use super::chunk::{Chunk, Counted};
use crate::TrivyError;

/// First and last in the file. The digit is the version of the format of rows.
pub(super) const MAGIC: &[u8; 8] = b"ECTRIVY1";
const TRAILER: usize = 8 + 4 + 32 + 8;
/// The longest index that is read: some 200,000 chunks.
const MAX_INDEX_BYTES: u32 = 16 * 1024 * 1024;

/// What was pushed into a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSummary {
    /// Sorted chunks, in the order of the file.
    pub chunks: Vec<Chunk>,
    /// Rows of each kind.
    pub rows: RowCounts,
    /// The newest modification time that a mapped document states, RFC 3339 in UTC.
    pub modified: Option<String>,
}

/// Rows by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowCounts {
    /// Of packages.
    pub advisories: u64,
    /// Of vulnerabilities.
    pub details: u64,
    /// Of Red Hat's repositories.
    pub repositories: u64,
    /// Of products that are not affected.
    pub vex: u64,
    /// Of jars.
    pub java: u64,
    /// What could not be mapped.
    pub unmapped: u64,
}

impl RowCounts {
    fn total(&self) -> u64 {
        [
            self.advisories,
            self.details,
            self.repositories,
            self.vex,
            self.java,
            self.unmapped,
        ]
        .iter()
        .fold(0, |sum, count| sum.saturating_add(*count))
    }
}

pub(super) fn write<W: Write>(sink: &mut Counted<W>, summary: &RunSummary) -> io::Result<()> {
    let index = serde_json::to_vec(summary)?;
    let length = u32::try_from(index.len())
        .ok()
        .filter(|length| *length <= MAX_INDEX_BYTES)
        .ok_or_else(|| io::Error::other("a run of too many chunks"))?;
    let offset = sink.written;
    sink.write_all(&index)?;
    sink.write_all(&offset.to_le_bytes())?;
    sink.write_all(&length.to_le_bytes())?;
    sink.write_all(&sha256(&index))?;
    sink.write_all(MAGIC)
}

pub(super) fn read(path: &Path, file: &mut File) -> Result<RunSummary, TrivyError> {
    let reading = |source| TrivyError::File {
        doing: "read",
        path: path.to_owned(),
        source,
    };
    let bad = |reason: &str| TrivyError::run(path, reason);
    let size = file.seek(SeekFrom::End(0)).map_err(reading)?;
    let end = size
        .checked_sub(TRAILER as u64)
        .filter(|end| *end >= MAGIC.len() as u64)
        .ok_or_else(|| bad("it is too short"))?;
    file.rewind().map_err(reading)?;
    let mut magic = [0; 8];
    file.read_exact(&mut magic).map_err(reading)?;
    let mut offset = [0; 8];
    let mut length = [0; 4];
    let mut digest = [0; 32];
    let mut last = [0; 8];
    file.seek(SeekFrom::Start(end)).map_err(reading)?;
    for field in [&mut offset[..], &mut length, &mut digest, &mut last] {
        file.read_exact(field).map_err(reading)?;
    }
    if &magic != MAGIC || &last != MAGIC {
        return Err(bad("it does not begin and end as one"));
    }
    let (offset, length) = (u64::from_le_bytes(offset), u32::from_le_bytes(length));
    if length > MAX_INDEX_BYTES || offset.checked_add(u64::from(length)) != Some(end) {
        return Err(bad("its index is not where it should be"));
    }
    file.seek(SeekFrom::Start(offset)).map_err(reading)?;
    let mut index = vec![0; length as usize];
    file.read_exact(&mut index).map_err(reading)?;
    if sha256(&index) != digest {
        return Err(bad("its index is damaged"));
    }
    let summary: RunSummary =
        serde_json::from_slice(&index).map_err(|error| bad(&format!("its index: {error}")))?;
    let mut at = MAGIC.len() as u64;
    let mut rows = 0_u64;
    for chunk in &summary.chunks {
        if chunk.offset != at || chunk.rows == 0 {
            return Err(bad("its chunks do not follow each other"));
        }
        at = at.saturating_add(chunk.length);
        rows = rows.saturating_add(chunk.rows);
    }
    if at != offset || rows != summary.rows.total() {
        return Err(bad("its index does not fit its chunks"));
    }
    Ok(summary)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hasher = ContentHasher::new();
    hasher.update(bytes);
    hasher.finalize()
}
