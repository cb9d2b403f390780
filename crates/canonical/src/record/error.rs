//! What can be wrong with a text. Offsets count bytes from the start of the text that was given.

/// The text has no canonical form: whoever wrote it has to correct it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The grammar of RFC 8259 is broken.
    #[error("not JSON at byte {offset}: {what}")]
    NotJson {
        /// Where.
        offset: usize,
        /// What was found or is missing.
        what: &'static str,
    },
    /// A number breaks the grammar of RFC 8259, section 6 (`01`, `1.`, `.5`, `+1`).
    #[error("malformed number at byte {offset}")]
    Number {
        /// The byte that does not fit.
        offset: usize,
    },
    /// JSON is UTF-8 (RFC 8259, section 8.1).
    #[error("invalid UTF-8 at byte {offset}")]
    InvalidUtf8 {
        /// The first byte that is not part of a character.
        offset: usize,
    },
    /// An escape such as `\ud800` without its other half stands for no character.
    #[error("lone surrogate in a string at byte {offset}")]
    LoneSurrogate {
        /// The backslash of the escape.
        offset: usize,
    },
    /// Readers disagree about which of two equal members counts, so neither can.
    #[error("member {name:?} occurs twice in one object, again at byte {offset}")]
    DuplicateMember {
        /// The quote before the later one's name.
        offset: usize,
        /// The name with its escapes decoded, cut after 64 characters.
        name: String,
    },
    /// Arrays and objects are nested deeper than the limit.
    #[error("nested deeper than {limit} levels at byte {offset}")]
    TooDeep {
        /// The bracket that goes too deep.
        offset: usize,
        /// The limit.
        limit: usize,
    },
    /// The text is longer than the limit; it was not read.
    #[error("{size} bytes are more than the limit of {limit}")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
        /// The size of the text in bytes.
        size: usize,
    },
    /// Something follows the document.
    #[error("more bytes after the end of the document, at byte {offset}")]
    Trailing {
        /// The first of them that is not white space.
        offset: usize,
    },
}

/// Why a line is not in canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// It has no canonical form at all.
    #[error(transparent)]
    Invalid(#[from] ParseError),
    /// White space outside a string.
    #[error("white space outside a string at byte {offset}")]
    WhiteSpace {
        /// The first such byte.
        offset: usize,
    },
    /// A member's name sorts before the one in front of it.
    #[error("members are not in order: the name at byte {offset} belongs further ahead")]
    KeyOrder {
        /// The first byte of the name.
        offset: usize,
    },
    /// A character is escaped that need not be, or in another spelling.
    #[error("an escape that is not minimal at byte {offset}")]
    Escape {
        /// The backslash.
        offset: usize,
    },
    /// A record has to be an object.
    #[error("not an object")]
    NotAnObject,
}

/// Why a text has no RFC 8785 form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JcsFormError {
    /// It is not JSON, or not unambiguous.
    #[error(transparent)]
    Invalid(#[from] ParseError),
    /// A number such as `1e400`, which no double holds.
    #[error("the number at byte {offset} is beyond the range of a double")]
    Range {
        /// The first byte of the number.
        offset: usize,
    },
}
