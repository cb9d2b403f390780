//! A layer of a mirror: one document after the other, as an archive, and what they are found by.

use std::path::Path;

use export_lifecycle::PhaseError;
use export_mirror::index::{Index, IndexBuilder, IndexError};
use export_mirror::layer::{END, document_header, padding};
use export_mirror::path::DocumentPath;
use export_mirror::terms;
use export_model::{ErrorCode, Kind, MirrorIndex, Run, Sha256Digest};
use export_ports::RecordRef;
use export_staging::{FrameWriter, Framed};

use crate::records::Records;
use crate::run_file::{Stored, told};

/// Memory for what the documents of a part are found by; more goes to scratch.
const INDEX_BUDGET: usize = 48 << 20;

/// The indexes of a run's tree that are carried with it: a complete tree's.
pub(crate) fn indexes(run: &Run) -> Vec<Index> {
    if !run.is_assembled() {
        return Vec::new();
    }
    let indexes = run.profile.config.effective_indexes();
    indexes
        .into_iter()
        .map(|index| match index {
            MirrorIndex::Identifier => Index::Identifier,
            MirrorIndex::Purl => Index::Purl,
            MirrorIndex::Source => Index::Source,
            MirrorIndex::Subject => Index::Subject,
        })
        .collect()
}

/// A layer being written.
pub(crate) struct Layer<'a, 'b> {
    kind: Kind,
    to: &'b mut Framed<'a>,
    index: Option<IndexBuilder>,
}

impl<'a, 'b> Layer<'a, 'b> {
    /// A layer of documents of `kind`, which are found by `indexes`.
    pub(crate) fn new(
        kind: Kind,
        to: &'b mut Framed<'a>,
        indexes: &[Index],
        scratch: &Path,
    ) -> Self {
        Self {
            kind,
            to,
            index: (!indexes.is_empty())
                .then(|| IndexBuilder::new(indexes, scratch.to_owned(), INDEX_BUDGET)),
        }
    }

    /// Ends the archive; gives what its documents are found by.
    pub(crate) fn finish(self) -> Result<Option<IndexBuilder>, PhaseError> {
        self.to.write(&END)?;
        Ok(self.index)
    }
}

/// Writes a run file of what documents are found by: sorted lines, and how many there are.
pub(crate) fn write_run(index: IndexBuilder, mut to: FrameWriter<'_>) -> Result<(), PhaseError> {
    let extents = index.write_run(&mut Stored(&mut to)).map_err(failed)?;
    to.write(&extents.to_bytes())?;
    to.finish().map(drop)
}

impl Records for Layer<'_, '_> {
    fn record(&mut self, record: &RecordRef, bytes: &[u8]) -> Result<Sha256Digest, PhaseError> {
        let size = bytes.len() as u64;
        let path = DocumentPath::of(self.kind, &record.id);
        let header = document_header(&path, size)
            .map_err(|error| PhaseError::permanent(ErrorCode::RecordTooLarge, error.to_string()))?;
        self.to.write(&header)?;
        let digest = self.to.record(bytes)?;
        self.to.write(padding(size))?;
        if let Some(index) = &mut self.index {
            let record = terms::Record::read(bytes).map_err(|error| {
                let detail = format!("record {} cannot be indexed: {error}", record.id);
                PhaseError::permanent(ErrorCode::InvalidRecord, detail)
            })?;
            index.push_at(&record, &path).map_err(failed)?;
        }
        Ok(digest)
    }
}

fn failed(error: IndexError) -> PhaseError {
    match &error {
        // Whoever stores it has stopped, and says why.
        IndexError::Write(_) => PhaseError::Superseded,
        IndexError::File { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
            PhaseError::permanent(ErrorCode::ScratchFull, told(&error))
        }
        IndexError::File { .. } => PhaseError::permanent(ErrorCode::Storage, told(&error)),
        _ => PhaseError::permanent(ErrorCode::Internal, told(&error)),
    }
}
