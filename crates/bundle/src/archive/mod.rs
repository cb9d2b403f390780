//! `bundle.tar`: the members of a bundle as one archive.
//!
//! The archive is a pure function of its members: ustar (POSIX.1-2001), owner and times zero, PAX
//! headers only where a path or a size does not fit, two zero blocks at the end and nothing after.
//! [`ArchiveLayout`] says which byte is what without holding any content, so a writer can stream
//! members from wherever they lie and go on at any offset after a stop. [`ArchiveReader`] accepts
//! exactly such archives: each header is compared with the one that would be written, so that no
//! two archives hold the same bundle and nothing can hide in one.

mod layout;
mod reader;

pub use layout::{ArchiveLayout, LayoutError, Segment, Segments};
pub use reader::{ArchiveError, ArchiveFault, ArchiveReader, MemberHeader};

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
