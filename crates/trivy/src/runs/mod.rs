//! Sorted runs: the rows of one part, as a file of sorted chunks.
//!
//! Whoever maps a part's records pushes their rows into a [`RunWriter`] and stores the file; whoever
//! assembles a database opens the files of all parts. Neither holds more than a chunk in memory.

mod chunk;
pub(crate) mod encode;
mod index;
pub(crate) mod key;
mod reader;
mod sorter;
mod writer;

pub use chunk::{Chunk, MAX_ROW_BYTES};
pub(crate) use chunk::{ChunkAt, ChunkStream};
pub use index::{RowCounts, RunSummary};
pub use reader::RunReader;
pub(crate) use sorter::{Scratch, ScratchChunk, ScratchSorter};
pub(crate) use writer::rfc3339;
pub use writer::{RUN_BUDGET_BYTES, RunWriter};

#[cfg(test)]
mod tests;
