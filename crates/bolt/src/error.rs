//! What can be wrong: with what is to be written, and with a file that is read.

use std::io;

use thiserror::Error;

use crate::format::{MAX_KEY, MAX_VALUE};

/// Why something could not be written. After all but [`WriteError::Io`] the writer is as it was before,
/// and goes on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Pages cannot be of this size.
    #[error("pages of {0} bytes: it has to be a power of two from 512 to 65536")]
    PageSize(u32),
    /// A key, or the name of a bucket, has no bytes.
    #[error("a key, or a bucket's name, is empty")]
    EmptyKey,
    /// A key, or the name of a bucket, is too long.
    #[error("a key, or a bucket's name, of {0} bytes: {MAX_KEY} is the most")]
    LongKey(usize),
    /// A value is too long.
    #[error("a value of {0} bytes: {MAX_VALUE} is the most")]
    LongValue(usize),
    /// Keys and names have to ascend within their bucket, by bytes, without repetition.
    #[error("the key {key:?} does not come after {previous:?}")]
    Order {
        /// What was there, with what is not printable escaped, and cut after 64 bytes.
        previous: String,
        /// What was to come after it, likewise.
        key: String,
    },
    /// Outside of buckets there are no keys.
    #[error("a key outside of every bucket")]
    KeyInRoot,
    /// There is no bucket to leave.
    #[error("no bucket is open, so none can be left")]
    NoBucket,
    /// The file cannot be finished yet.
    #[error("{0} buckets are still open")]
    OpenBuckets(usize),
    /// The sink failed; what it holds is not a database. The writer is of no more use.
    #[error("cannot write page {page} of a database")]
    Io {
        /// The first page of those that were being written.
        page: u64,
        /// Why.
        source: io::Error,
    },
}

impl WriteError {
    pub(crate) fn order(previous: &[u8], key: &[u8]) -> Self {
        let shown = |bytes: &[u8]| bytes.get(..64).unwrap_or(bytes).escape_ascii().to_string();
        Self::Order {
            previous: shown(previous),
            key: shown(key),
        }
    }
}

/// Why a file cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The source failed.
    #[error("cannot read {length} bytes at {offset} of a database")]
    Io {
        /// Where.
        offset: u64,
        /// How many.
        length: usize,
        /// Why.
        source: io::Error,
    },
    /// Neither of the two meta pages is valid.
    #[error("not a bbolt database: {0}")]
    NotBolt(MetaFault),
    /// The file ends before the database does.
    #[error("the file has {length} bytes, and its {pages} pages need more")]
    Truncated {
        /// The file's, in bytes.
        length: u64,
        /// What the meta page says there are.
        pages: u64,
    },
    /// A page is not what it has to be.
    #[error("page {page}: {fault}")]
    Page {
        /// Which; for what lies in the value of a bucket, the page of that.
        page: u64,
        /// What is wrong with it.
        fault: PageFault,
    },
    /// Keys do not ascend.
    #[error("page {page}: a key does not come after the one before it")]
    Order {
        /// Where.
        page: u64,
    },
    /// More pages were met than there are: some refer to each other in circles, or are shared.
    #[error("pages are referred to more than once")]
    Circle,
}

/// What is wrong with a meta page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MetaFault {
    /// It ends early.
    #[error("it is too short")]
    Short,
    /// Its first number is not bbolt's.
    #[error("the magic number is another")]
    Magic,
    /// Another version of the format.
    #[error("it is of version {0}, and only 2 is known")]
    Version(u32),
    /// It was damaged.
    #[error("the checksum of the meta page is wrong")]
    Checksum,
    /// Pages cannot be of this size.
    #[error("pages cannot be of {0} bytes")]
    PageSize(u32),
    /// The page's header says that it is something else.
    #[error("it is not marked as a meta page")]
    Header,
    /// It belongs to another file.
    #[error("its pages are of another size than those of the other meta page")]
    OtherPageSize,
}

/// What is wrong with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PageFault {
    /// It is a meta page, or lies behind the end of the database.
    #[error("it is outside of the database")]
    OutOfRange,
    /// Its overflow does.
    #[error("its {0} pages of overflow reach outside of the database")]
    Overflow(u32),
    /// Its header is of another page.
    #[error("it says that it is page {0}")]
    WrongId(u64),
    /// It is not what it has to be here.
    #[error("its type is {0:#06x}")]
    Kind(u16),
    /// More elements than it has room for, or a branch without any.
    #[error("it cannot have {0} elements")]
    Count(u64),
    /// An element's key or value is outside of the page, or not behind those before it.
    #[error("element {0} reaches outside of its place")]
    Element(usize),
    /// An element has a key without bytes.
    #[error("element {0} has an empty key")]
    EmptyKey(usize),
    /// A bucket's value is too short, or the bucket in it cannot be there.
    #[error("the bucket in element {0} is malformed")]
    Bucket(usize),
    /// More levels of branches than any file has.
    #[error("it is below too many branches")]
    Deep,
}
