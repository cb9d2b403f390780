//! The run file of a part: what its records say in the words of the scanner, sorted, to be merged.

use std::io;

use export_lifecycle::PhaseError;
use export_model::{ErrorCode, ProfileKind, Sha256Digest};
use export_ports::RecordRef;
use export_trivy::TrivyError;
use export_trivy::map::{map_database, map_java};
use export_trivy::row::Rows;
use export_trivy::runs::{RUN_BUDGET_BYTES, RunWriter};

use crate::records::Records;
use export_staging::{FrameWriter, Framed};

/// What one record says, added to rows.
type Map = fn(&[u8], &mut Rows);

/// A run file being written.
pub(crate) struct RunFile<'a, 'b> {
    map: Map,
    writer: RunWriter<Stored<'b, Framed<'a>>>,
}

impl<'a, 'b> RunFile<'a, 'b> {
    /// The run file of a part of a run of `kind`.
    pub(crate) fn new(kind: ProfileKind, to: &'b mut Framed<'a>) -> Result<Self, PhaseError> {
        let map = match kind {
            ProfileKind::TrivyDb => map_database,
            ProfileKind::TrivyJavaDb => map_java,
            ProfileKind::JsonRaw
            | ProfileKind::JsonPolicy
            | ProfileKind::MirrorFull
            | ProfileKind::MirrorDelta => {
                let detail = format!("{kind} is not assembled");
                return Err(PhaseError::permanent(ErrorCode::Internal, detail));
            }
        };
        let writer = RunWriter::new(Stored(to), RUN_BUDGET_BYTES).map_err(failed)?;
        Ok(Self { map, writer })
    }

    /// Ends the file.
    pub(crate) fn finish(self) -> Result<(), PhaseError> {
        self.writer.finish().map(drop).map_err(failed)
    }
}

impl Records for RunFile<'_, '_> {
    fn record(&mut self, _: &RecordRef, bytes: &[u8]) -> Result<Sha256Digest, PhaseError> {
        let mut rows = Rows::default();
        (self.map)(bytes, &mut rows);
        self.writer.push(rows).map_err(failed)?;
        Ok(Sha256Digest::of(bytes))
    }
}

fn failed(error: TrivyError) -> PhaseError {
    let code = match &error {
        // Whoever stores it has stopped, and says why.
        TrivyError::Sink(_) => return PhaseError::Superseded,
        TrivyError::RowTooLarge { .. } => ErrorCode::RecordTooLarge,
        _ => ErrorCode::Internal,
    };
    PhaseError::permanent(code, told(&error))
}

/// An error with its causes.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// What a part is stored through.
pub(crate) trait Store {
    fn store(&mut self, bytes: &[u8]) -> Result<(), PhaseError>;
}

impl Store for Framed<'_> {
    fn store(&mut self, bytes: &[u8]) -> Result<(), PhaseError> {
        self.write(bytes)
    }
}

impl Store for FrameWriter<'_> {
    fn store(&mut self, bytes: &[u8]) -> Result<(), PhaseError> {
        self.write(bytes)
    }
}

/// Writes to where a part is stored.
pub(crate) struct Stored<'b, S>(pub(crate) &'b mut S);

impl<S: Store> io::Write for Stored<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let stopped = |_| io::Error::other("nobody stores it any more");
        self.0.store(bytes).map_err(stopped)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
