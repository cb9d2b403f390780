//! A mirror's formats: where a document lies, what a tree holds, what changed, the archives that
//! carry documents, and the indexes over them.
//!
//! Everything here is written and read as a stream in bounded memory, and each format has one
//! form: readers compare what they find with what would be written, so that the digest of a
//! listing or layer is a digest of its meaning. No clock, no randomness, and no I/O but on readers,
//! writers and folders that are handed in.
//!
//! - [`path`]: a document's place in the tree, from its kind and `_id` alone;
//! - [`listing`]: `tree.jsonl`, a line for every document, and what it amounts to;
//! - [`delta`]: `delta.jsonl`, made from and applied to listings;
//! - [`layer`]: documents as tar archives;
//! - [`terms`]: what a document can be found by;
//! - [`index`]: sorted lines of such terms, for people with `look` and for programs.

mod error;
mod line;
#[cfg(test)]
mod test_trees;

pub mod delta;
pub mod index;
pub mod layer;
pub mod listing;
pub mod path;
pub mod terms;

pub use error::{LineFault, ListingError};

/// The level of zstd at which lists and indexes are compressed, whatever documents are. In lines that are
/// mostly digests higher levels find matches that cost more than they save: level 3 makes them a tenth
/// larger than level 1 in two to three times the time, and level 12 does not make up for it.
pub const LISTS_LEVEL: i32 = 1;

/// Longest line of a listing or delta, in bytes.
pub const MAX_LINE_BYTES: usize = 64 << 10;
/// Largest document, in bytes: what the ledger takes as one record.
pub const MAX_DOCUMENT_BYTES: u64 = 64 << 20;
