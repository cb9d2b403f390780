//! `payload/delta.jsonl`: what changed from one tree to another.
//!
//! A line is that of the listing and says what is to be done: `add`, `change` (to these bytes) or
//! `remove` (what had these bytes). In canonical order, so that a delta is made by one walk along
//! two trees ([`Merge`]) and applied by another ([`Apply`]).

mod apply;
mod merge;

use std::io::Read;

use export_model::{Kind, Sha256Digest};
use serde::{Deserialize, Serialize};

pub use apply::{Apply, ApplyError, Step};
pub use merge::{Difference, Merge, MergeError};

use crate::ListingError;
use crate::line::{Entry, Line, LineReader, push_hex};

/// What a line of a delta asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// A document that was not there.
    Add,
    /// Other bytes for a document that was there.
    Change,
    /// A document that is no more.
    Remove,
}

impl Op {
    /// Its name, as lines spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Change => "change",
            Self::Remove => "remove",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Self> {
        [Self::Add, Self::Change, Self::Remove]
            .into_iter()
            .find(|op| op.as_str() == name)
    }
}

/// Appends the line of a change, with its line end. Of a document that is removed, digest and size
/// are those of what goes.
pub fn write_line(
    out: &mut Vec<u8>,
    op: Op,
    kind: Kind,
    subject_key: &str,
    id: &str,
    sha256: &Sha256Digest,
    size: u64,
) {
    Line {
        op: Some(op),
        kind,
        subject_key,
        id,
        sha256,
        size,
    }
    .write(out);
}

/// Appends the line that removes `entry`.
pub fn write_removal(out: &mut Vec<u8>, entry: &Entry<'_>) {
    let Entry {
        kind,
        subject_key,
        id,
        sha256,
        size,
        ..
    } = entry;
    write_line(out, Op::Remove, *kind, subject_key, id, sha256, *size);
}

/// A line of a delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// What is to be done.
    pub op: Op,
    /// To which document; digest and size are the new ones, of a removed one the old.
    pub entry: Entry<'a>,
}

/// Reads a delta, uncompressed. It takes only what [`write_line`] writes, in strictly ascending
/// order.
pub struct DeltaReader<R>(LineReader<R>);

impl<R: Read> DeltaReader<R> {
    /// Reads from `inner`, which it buffers.
    pub fn new(inner: R) -> Self {
        Self(LineReader::new(inner, "delta", true))
    }

    /// The next change; none at the end.
    ///
    /// # Errors
    /// When the bytes cannot be read, or are no line of a delta.
    #[expect(clippy::should_implement_trait, reason = "it lends what it gives")]
    pub fn next(&mut self) -> Result<Option<Change<'_>>, ListingError> {
        self.0.advance()?;
        Ok(self.current())
    }

    /// Goes to the next change, which [`current`](Self::current) then gives; false at the end.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn advance(&mut self) -> Result<bool, ListingError> {
        self.0.advance()
    }

    /// The change that was read last; none before the first and after the end.
    pub fn current(&self) -> Option<Change<'_>> {
        let entry = self.0.current()?;
        Some(Change {
            op: self.0.op()?,
            entry,
        })
    }

    /// Lines read so far.
    pub fn lines(&self) -> u64 {
        self.0.number()
    }
}

/// `payload/delta.json`: which tree a delta is of, and which it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeltaFile {
    /// `tree_digest` of the tree that it is applied to.
    pub base_tree_digest: Sha256Digest,
    /// `tree_digest` of what that becomes.
    pub result_tree_digest: Sha256Digest,
}

/// `payload/delta.json` is not one.
#[derive(Debug, thiserror::Error)]
#[error("`delta.json` is not the two digests of a delta, in canonical form")]
pub struct DeltaFileError;

impl DeltaFile {
    /// The file: RFC 8785, without a line end.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = b"{\"base_tree_digest\":\"sha256:".to_vec();
        push_hex(&mut out, &self.base_tree_digest);
        out.extend_from_slice(b"\",\"result_tree_digest\":\"sha256:");
        push_hex(&mut out, &self.result_tree_digest);
        out.extend_from_slice(b"\"}");
        out
    }

    /// Reads the file.
    ///
    /// # Errors
    /// When the bytes are not exactly what [`to_bytes`](Self::to_bytes) writes.
    pub fn parse(bytes: &[u8]) -> Result<Self, DeltaFileError> {
        let file: Self = serde_json::from_slice(bytes).map_err(|_| DeltaFileError)?;
        if file.to_bytes() == bytes {
            Ok(file)
        } else {
            Err(DeltaFileError)
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
