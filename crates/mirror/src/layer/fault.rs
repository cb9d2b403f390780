//! Why a layer is refused.

use std::io;

/// Why a layer is not one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayerError {
    /// Its bytes could not be read, or not be decompressed.
    #[error("could not read the layer at byte {offset}")]
    Read {
        /// Where in the layer.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// It is not one that is written here.
    #[error("the layer at byte {offset}{}: {fault}", .member.as_ref().map_or_else(String::new, |name| format!(", member `{name}`")))]
    Refused {
        /// Where in the layer: the member's first byte, or where the fault is.
        offset: u64,
        /// The member, as far as it has a name.
        member: Option<String>,
        /// What is wrong.
        fault: LayerFault,
    },
}

/// What is wrong with a layer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayerFault {
    /// It ends within a member, or before its end mark.
    #[error("it ends too early")]
    Truncated,
    /// Something comes after its end mark.
    #[error("something comes after its end")]
    Trailing,
    /// It holds more bytes than it may.
    #[error("it unpacks to more than the {limit} bytes that it may have")]
    TooMuch {
        /// The limit, in bytes.
        limit: u64,
    },
    /// A header's checksum is wrong.
    #[error("a header is damaged: its checksum is wrong")]
    Checksum,
    /// A member that is no regular file.
    #[error("the member is {0}, where only regular files may be")]
    Kind(&'static str),
    /// A PAX header: no name and no size here needs one.
    #[error("the member has a PAX header, where none is needed")]
    Pax,
    /// A header of GNU tar, of an old tar, or of none.
    #[error("the header is not in ustar format")]
    Format,
    /// A header that differs from the only form in which it is written.
    #[error("the header is not in the form that layers are written in")]
    Form,
    /// A path that begins with a slash.
    #[error("the path is absolute")]
    Absolute,
    /// A path with `.` or `..` as a component, or an empty one.
    #[error("the path has a component that leads elsewhere")]
    Component,
    /// A path with capitals, which would be another file's on some systems.
    #[error("the path has capital letters")]
    Case,
    /// A path that nothing in a tree has.
    #[error("the path is none that a tree has")]
    Path,
    /// More bytes than a document may have.
    #[error("the member has {0} bytes, and no document may have more than 64 MiB")]
    Size(u64),
    /// What follows a content up to the next block is not zero.
    #[error("the padding is not zero")]
    Padding,
    /// A content that is no document.
    #[error("the content is no document: {0}")]
    NotADocument(String),
    /// A document that belongs elsewhere.
    #[error("the document belongs at `{expected}`")]
    Elsewhere {
        /// The path that follows from its kind and `_id`.
        expected: String,
    },
}
