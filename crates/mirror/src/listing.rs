//! `payload/tree.jsonl`: a line for every document of a tree, in canonical order.
//!
//! The order is (`kind`, `subject_key`, `_id`), each by UTF-8 bytes, which is the order in which a
//! ledger's index is walked. So listings are written, compared and applied as streams.

use std::io::{self, Read};

use export_model::{Kind, Sha256Digest};
use sha2::{Digest as _, Sha256};

pub use crate::line::Entry;
use crate::line::{Line, LineReader, push_hex, push_number};
use crate::{ListingError, path};

/// Appends the line of a document, with its line end.
pub fn write_line(
    out: &mut Vec<u8>,
    kind: Kind,
    subject_key: &str,
    id: &str,
    sha256: &Sha256Digest,
    size: u64,
) {
    Line {
        op: None,
        kind,
        subject_key,
        id,
        sha256,
        size,
    }
    .write(out);
}

/// Reads a listing, uncompressed. It takes only what [`write_line`] writes, in strictly ascending
/// order.
pub struct ListingReader<R>(LineReader<R>);

impl<R: Read> ListingReader<R> {
    /// Reads from `inner`, which it buffers.
    pub fn new(inner: R) -> Self {
        Self(LineReader::new(inner, "listing", false))
    }

    /// Reads from `inner` a listing that [`write_line`] is known to have written, because somebody
    /// else compares the digest of what is read: of each line only what is needed is looked at, and
    /// that it comes after the one before.
    pub fn of_known(inner: R) -> Self {
        Self(LineReader::new(inner, "listing", false).of_known())
    }

    /// The next document; none at the end.
    ///
    /// # Errors
    /// When the bytes cannot be read, or are no line of a listing.
    #[expect(clippy::should_implement_trait, reason = "it lends what it gives")]
    pub fn next(&mut self) -> Result<Option<Entry<'_>>, ListingError> {
        self.0.advance()?;
        Ok(self.0.current())
    }

    /// Goes to the next document, which [`current`](Self::current) then gives; false at the end.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn advance(&mut self) -> Result<bool, ListingError> {
        self.0.advance()
    }

    /// The document that was read last; none before the first and after the end.
    pub fn current(&self) -> Option<Entry<'_>> {
        self.0.current()
    }

    /// Lines read so far.
    pub fn lines(&self) -> u64 {
        self.0.number()
    }
}

/// A reader of a listing that is compressed with zstd.
///
/// # Errors
/// When no decoder can be made.
pub fn open_zstd<R: Read>(compressed: R) -> io::Result<ListingReader<impl Read>> {
    Ok(ListingReader::new(zstd::stream::read::Decoder::new(
        compressed,
    )?))
}

/// How many documents of a kind there are, and the digest of their lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub documents: u64,
    /// Their bytes together.
    pub bytes: u64,
    /// SHA-256 over their lines of the listing.
    pub digest: Sha256Digest,
}

impl Default for Tally {
    /// No documents.
    fn default() -> Self {
        Self {
            documents: 0,
            bytes: 0,
            digest: Sha256Digest::of(b""),
        }
    }
}

/// What a listing amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// SHA-256 over all lines.
    pub tree_digest: Sha256Digest,
    /// How many documents there are.
    pub documents: u64,
    /// Their bytes together.
    pub bytes: u64,
    /// Each kind that has documents, in canonical order.
    pub kinds: Vec<(Kind, Tally)>,
}

impl Summary {
    /// The tally of `kind`, of no documents where it has none.
    #[must_use]
    pub fn tally(&self, kind: Kind) -> Tally {
        let found = self.kinds.iter().find(|(own, _)| *own == kind);
        found.map_or_else(Tally::default, |(_, tally)| *tally)
    }
}

/// Hashes a listing as its lines pass.
#[derive(Clone, Default)]
pub struct ListingHasher {
    tree: Sha256,
    open: Option<Open>,
    kinds: Vec<(Kind, Tally)>,
}

/// The kind whose lines are passing, and what there is of it.
#[derive(Clone)]
struct Open {
    kind: Kind,
    /// None of the first kind, which is all of the tree until the next comes: most trees are almost
    /// all of one kind, and are hashed once.
    lines: Option<Sha256>,
    documents: u64,
    bytes: u64,
}

impl ListingHasher {
    /// Adds a line, with its line end: that of a document of `kind` and `size`.
    pub fn add(&mut self, kind: Kind, size: u64, line: &[u8]) {
        if self.open.as_ref().is_none_or(|open| open.kind != kind) {
            self.close();
            self.open = Some(Open {
                kind,
                lines: (!self.kinds.is_empty()).then(Sha256::new),
                documents: 0,
                bytes: 0,
            });
        }
        self.tree.update(line);
        if let Some(open) = &mut self.open {
            if let Some(lines) = &mut open.lines {
                lines.update(line);
            }
            open.documents += 1;
            open.bytes = open.bytes.saturating_add(size);
        }
    }

    /// Adds the line of `entry`.
    pub fn add_entry(&mut self, entry: &Entry<'_>) {
        self.add(entry.kind, entry.size, entry.line);
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            let lines = open.lines.unwrap_or_else(|| self.tree.clone());
            let tally = Tally {
                documents: open.documents,
                bytes: open.bytes,
                digest: Sha256Digest(lines.finalize().into()),
            };
            self.kinds.push((open.kind, tally));
        }
    }

    /// What all lines amount to.
    #[must_use]
    pub fn finish(mut self) -> Summary {
        self.close();
        Summary {
            tree_digest: Sha256Digest(self.tree.finalize().into()),
            documents: self.kinds.iter().map(|(_, tally)| tally.documents).sum(),
            bytes: self
                .kinds
                .iter()
                .fold(0, |sum: u64, (_, tally)| sum.saturating_add(tally.bytes)),
            kinds: self.kinds,
        }
    }
}

/// The path of a kind's manifest in the tree.
#[must_use]
pub fn manifest_path(kind: Kind) -> String {
    path::manifest(kind)
}

/// `manifests/<kind>.json`: `{"bytes","digest","documents","kind"}` as RFC 8785 writes it.
#[must_use]
pub fn manifest_file(kind: Kind, tally: &Tally) -> Vec<u8> {
    let mut out = b"{\"bytes\":".to_vec();
    push_number(&mut out, tally.bytes);
    out.extend_from_slice(b",\"digest\":\"sha256:");
    push_hex(&mut out, &tally.digest);
    out.extend_from_slice(b"\",\"documents\":");
    push_number(&mut out, tally.documents);
    out.extend_from_slice(b",\"kind\":\"");
    out.extend_from_slice(kind.as_str().as_bytes());
    out.extend_from_slice(b"\"}");
    out
}

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;
