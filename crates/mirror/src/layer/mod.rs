//! Layers: documents as tar archives, `payload/layers/….tar`.
//!
//! A layer is a pure function of its members: ustar, regular files only, mode 0644, owner and times
//! zero, two zero blocks at the end and nothing after. Paths in a tree fit a ustar header, so there
//! are neither PAX headers nor folders; whoever unpacks makes the folders.
//!
//! A writer needs no object: [`header`], the content, its [`padding`], at last [`END`].

mod documents;
mod fault;
mod reader;

pub use documents::{Document, DocumentReader};
pub use fault::{LayerError, LayerFault};
pub use reader::{LayerReader, Member, MemberHead};

use export_model::Kind;
use export_ustar::{BLOCK, file_header};

use crate::path::DocumentPath;
use crate::{index, path};

/// What stands at the end of a layer.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

const ZEROS: [u8; BLOCK] = [0; BLOCK];

/// A member that no header of a layer can name.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` of {size} bytes does not fit into a layer")]
pub struct HeaderError {
    path: String,
    size: u64,
}

/// The header of a member.
///
/// # Errors
/// When the path is none that a tree has, or the size is 8 GiB or more.
pub fn header(path: &str, size: u64) -> Result<[u8; BLOCK], HeaderError> {
    let refused = || HeaderError {
        path: path.chars().take(200).collect(),
        size,
    };
    if !is_known(path) {
        return Err(refused());
    }
    file_header(path, size).ok_or_else(refused)
}

/// The header of a document.
///
/// # Errors
/// When the size is 8 GiB or more.
pub fn document_header(path: &DocumentPath, size: u64) -> Result<[u8; BLOCK], HeaderError> {
    file_header(path.as_str(), size).ok_or_else(|| HeaderError {
        path: path.to_string(),
        size,
    })
}

/// What comes after a content of `size` bytes.
#[must_use]
pub fn padding(size: u64) -> &'static [u8] {
    let part = (size % BLOCK as u64) as usize;
    let missing = if part == 0 { 0 } else { BLOCK - part };
    ZEROS.get(..missing).unwrap_or_default()
}

/// How many bytes of a layer a member takes: header, content and padding.
#[must_use]
pub fn member_bytes(size: u64) -> u64 {
    size.saturating_add(BLOCK as u64 + padding(size).len() as u64)
}

/// Whether `path` is of the shape of a document's, or one of the fixed names of a tree.
fn is_known(name: &str) -> bool {
    path::kind_of(name).is_some() || is_fixed(name)
}

/// Whether `path` is one of the names that derived layers hold.
fn is_fixed(name: &str) -> bool {
    name == path::POLICY_SNAPSHOT
        || index::is_path(name)
        || name
            .strip_prefix("manifests/")
            .and_then(|rest| rest.strip_suffix(".json"))
            .is_some_and(|kind| kind.parse::<Kind>().is_ok())
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
