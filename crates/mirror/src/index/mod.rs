//! Indexes over a tree: `indexes/by-<what>.jsonl`, sorted lines that `look` and programs search.
//!
//! A line is `{"identifier":"<term>","path":"<path>"}`, for the others with `purl`, `source` or
//! `subject`. What is searched for comes first, also where RFC 8785 would have it after `path`: a
//! sorted file can be searched by how its lines begin. Lines are sorted by their bytes
//! (`LC_ALL=C`), each there once. Beside each file lies `by-<what>.offsets`: for each line the
//! offset of its first byte as eight bytes, big-endian, so that a program can halve its way to a
//! term.
//!
//! The lines of all indexes together, sorted, are those of one index after those of another. So
//! one sorter, one run and one merge do for all of them.

mod build;
mod error;
mod files;
mod find;
mod layer;
mod merge;
mod sort;
mod update;

use std::fmt;

pub use build::{IndexBuilder, merge_runs, merge_to_run};
pub use error::IndexError;
pub use find::find;
pub use layer::{Extents, merge_to_layer};
pub use update::IndexUpdate;

/// Longest term that is indexed, in bytes as it is spelt in JSON: what selectors take. Longer ones
/// cannot be asked for.
pub const MAX_TERM_BYTES: usize = 4096;

/// Longest line that is read: a term, a path and what is around them.
const MOST_LINE: usize = MAX_TERM_BYTES + 512;

/// One of the indexes of a tree, in the order of their lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Index {
    /// By identifiers and aliases.
    Identifier,
    /// By package URLs.
    Purl,
    /// By `vendor/stream`.
    Source,
    /// By `subject_key`.
    Subject,
}

impl Index {
    /// Every index, in the order of their lines.
    pub const ALL: [Self; 4] = [Self::Identifier, Self::Purl, Self::Source, Self::Subject];

    /// What its terms are: the first member of its lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Identifier => "identifier",
            Self::Purl => "purl",
            Self::Source => "source",
            Self::Subject => "subject",
        }
    }

    /// The name of the file of its lines, in `indexes/`.
    #[must_use]
    pub fn lines_file(self) -> &'static str {
        match self {
            Self::Identifier => "by-identifier.jsonl",
            Self::Purl => "by-purl.jsonl",
            Self::Source => "by-source.jsonl",
            Self::Subject => "by-subject.jsonl",
        }
    }

    /// The name of the file of its offsets, in `indexes/`.
    #[must_use]
    pub fn offsets_file(self) -> &'static str {
        match self {
            Self::Identifier => "by-identifier.offsets",
            Self::Purl => "by-purl.offsets",
            Self::Source => "by-source.offsets",
            Self::Subject => "by-subject.offsets",
        }
    }

    /// How its lines begin.
    fn head(self) -> &'static [u8] {
        match self {
            Self::Identifier => b"{\"identifier\":\"",
            Self::Purl => b"{\"purl\":\"",
            Self::Source => b"{\"source\":\"",
            Self::Subject => b"{\"subject\":\"",
        }
    }

    /// The index that `line` is one of.
    fn of_line(line: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|index| line.starts_with(index.head()))
    }
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The path of a file of an index in the tree.
#[must_use]
pub fn path(file: &str) -> String {
    format!("indexes/{file}")
}

/// Whether `path` is that of a file of an index.
#[must_use]
pub fn is_path(path: &str) -> bool {
    path.strip_prefix("indexes/").is_some_and(|file| {
        Index::ALL
            .into_iter()
            .any(|index| file == index.lines_file() || file == index.offsets_file())
    })
}

/// What stands between a term and its path.
const BETWEEN: &[u8] = b"\",\"path\":\"";
/// How lines end.
const TAIL: &[u8] = b"\"}\n";

/// `indexes` in the order of their lines, each once.
fn ordered(indexes: &[Index]) -> Vec<Index> {
    let mut ordered = indexes.to_vec();
    ordered.sort_unstable();
    ordered.dedup();
    ordered
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
