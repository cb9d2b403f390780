//! `payload/unmapped.jsonl`: what could not be mapped, a line each, sorted.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::TrivyError;
use crate::assembled::{AssembledFile, HashedFile, canonical};
use crate::runs::encode::unmapped_of;

/// A line of the listing. Lines are sorted by reason, record, detail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnmappedLine {
    /// The package, range or version that it is about.
    pub detail: String,
    /// Why: a name of [`crate::row::Unmapped`].
    pub reason: String,
    /// The ledger record's `_id`.
    pub record: String,
}

pub(crate) struct Listing {
    file: HashedFile,
    reasons: BTreeMap<String, u64>,
    last: Vec<u8>,
    lines: u64,
}

impl Listing {
    pub(crate) fn create(scratch: &Path) -> Result<Self, TrivyError> {
        Ok(Self {
            file: HashedFile::create(scratch.join("unmapped.jsonl"))?,
            reasons: BTreeMap::new(),
            last: Vec::new(),
            lines: 0,
        })
    }

    /// Adds a row by its key; keys come in order, and one that comes again is one line.
    pub(crate) fn push(&mut self, key: &[u8]) -> Result<(), TrivyError> {
        if self.last == key {
            return Ok(());
        }
        self.last.clear();
        self.last.extend_from_slice(key);
        let (reason, record, detail) = unmapped_of(key).ok_or(TrivyError::Row)?;
        *self.reasons.entry(reason.clone()).or_default() += 1;
        self.lines += 1;
        let line = UnmappedLine {
            detail,
            reason,
            record,
        };
        let mut bytes = canonical("the listing of what was not mapped", &line)?;
        bytes.push(b'\n');
        self.file.add(&bytes)
    }

    /// The file, and how many lines there are of each reason.
    pub(crate) fn finish(self) -> Result<(AssembledFile, BTreeMap<String, u64>), TrivyError> {
        let file =
            self.file
                .finish("payload/unmapped.jsonl", "application/x-ndjson", self.lines)?;
        Ok((file, self.reasons))
    }
}
