//! What client and server agree on: paths, limits, and the lines of a page.

use std::borrow::Cow;

use export_model::{PolicySnapshot, Sha256Digest};
use serde::{Deserialize, Serialize};

/// Where the contract's first version lies below a ledger's URL.
pub const BASE: &str = "/evidence/v1";

/// The media type of a page.
#[cfg(feature = "server")]
pub(crate) const NDJSON: &str = "application/x-ndjson";
/// The media type of parameters in a body.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// The most bytes of a record: the ledger's own limit.
#[cfg(feature = "client")]
pub(crate) const RECORD_BYTES: u64 = 64 << 20;
/// The most bytes of any other line. The longest is a line of the index, whose two texts are far
/// shorter.
#[cfg(feature = "client")]
pub(crate) const LINE_BYTES: usize = 1 << 20;
/// The most bytes of a document.
#[cfg(feature = "client")]
pub(crate) const DOCUMENT_BYTES: usize = 16 << 20;
/// The most bytes of parameters in a body. A request's selectors have at most 1 MiB, to which the
/// ids of SBOMs are added.
#[cfg(feature = "server")]
pub(crate) const FORM_BYTES: usize = 8 << 20;
/// Parameters with more bytes than this are sent in a body: servers have limits for their headers.
#[cfg(feature = "client")]
pub(crate) const QUERY_BYTES: usize = 4 << 10;

/// The most lines of an index page, and records of a page.
pub(crate) const PAGE_LINES: usize = 10_000;
/// The most positions of a request for records.
pub(crate) const PICKED: usize = 10_000;
/// The most bytes of records in a page of more than one.
pub(crate) const PAGE_BYTES: usize = 16 << 20;

/// A line of the index.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct IndexLine<'a> {
    #[serde(borrow)]
    pub(crate) subject_key: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) id: Cow<'a, str>,
    pub(crate) record_sha256: Sha256Digest,
    pub(crate) size: u64,
    #[serde(borrow)]
    pub(crate) vendor: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) stream: Cow<'a, str>,
}

/// The line before a record, which is the next `size` bytes and a line feed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RecordLine<'a> {
    #[serde(borrow)]
    pub(crate) subject_key: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) id: Cow<'a, str>,
    pub(crate) record_sha256: Sha256Digest,
    pub(crate) size: u64,
    pub(crate) admitted: bool,
}

/// The last line of a page: without it the page is not whole.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Close {
    /// There may be more, after this cursor.
    #[serde(rename = "next")]
    Next(String),
    /// There is no more.
    #[serde(rename = "end")]
    End(bool),
}

/// The answer about a watermark.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Watermark {
    /// None where the ledger was empty then.
    pub(crate) watermark: Option<u64>,
}

/// The answer about SBOMs.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sboms {
    pub(crate) sboms: Vec<String>,
}

/// The answer about a policy snapshot.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    /// None where there is none.
    pub(crate) snapshot: Option<PolicySnapshot>,
}
