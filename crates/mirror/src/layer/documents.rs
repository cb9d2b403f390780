//! Reading a layer of documents: each has to lie where its own kind and `_id` say.

use std::borrow::Cow;
use std::io::Read;

use export_model::Kind;

use super::{LayerError, LayerFault, LayerReader};
use crate::path::DocumentPath;
use crate::terms;

/// A document of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document<'a> {
    /// What it is.
    pub kind: Kind,
    /// What it is about.
    pub subject_key: Cow<'a, str>,
    /// Its id.
    pub id: Cow<'a, str>,
    /// Where it lies in the tree.
    pub path: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// Reads a layer that holds nothing but documents.
///
/// It looks at what a document says of itself and nothing else: whether it is one that the tree is
/// to have is for the listing's digests to say.
pub struct DocumentReader<R>(LayerReader<R>);

impl<R: Read> DocumentReader<R> {
    /// Reads from `inner`; more than `limit` bytes are refused.
    pub fn new(inner: R, limit: u64) -> Self {
        Self(LayerReader::new(inner, limit))
    }

    /// The next document; none at the end.
    ///
    /// # Errors
    /// As [`LayerReader::next`]; and when a member is no document, or one of another path.
    #[expect(clippy::should_implement_trait, reason = "it lends what it gives")]
    pub fn next(&mut self) -> Result<Option<Document<'_>>, LayerError> {
        if self.0.next()?.is_none() {
            return Ok(None);
        }
        let reader = &self.0;
        let member = reader.member();
        let record = terms::Record::read(member.bytes)
            .map_err(|error| reader.refused(LayerFault::NotADocument(error.to_string())))?;
        let expected = DocumentPath::of(record.kind, &record.id);
        if expected.as_bytes() != member.path.as_bytes() {
            return Err(reader.refused(LayerFault::Elsewhere {
                expected: expected.to_string(),
            }));
        }
        Ok(Some(Document {
            kind: record.kind,
            subject_key: record.subject_key,
            id: record.id,
            path: member.path,
            bytes: member.bytes,
        }))
    }

    /// Bytes read so far.
    pub fn offset(&self) -> u64 {
        self.0.offset()
    }
}
