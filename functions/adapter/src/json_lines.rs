//! JSON lines: one record a line, in frames.

use export_bundle::payload::snapshot::TraceFingerprint;
use export_canonical::record::member_path;
use export_lifecycle::PhaseError;
use export_model::{ErrorCode, Sha256Digest};
use export_ports::RecordRef;
use export_staging::Framed;

use crate::records::Records;

/// A file of JSON lines being written.
pub(crate) struct JsonLines<'a, 'b>(pub(crate) &'b mut Framed<'a>);

impl Records for JsonLines<'_, '_> {
    fn record(&mut self, _: &RecordRef, bytes: &[u8]) -> Result<Sha256Digest, PhaseError> {
        let digest = self.0.record(bytes)?;
        self.0.write(b"\n")?;
        Ok(digest)
    }
}

/// The line that a finding gives to its snapshot's fingerprint: `_id NUL sha256(JCS(decision_trace))
/// LF`.
pub(crate) fn trace_line(id: &str, record: &[u8], lines: &mut Vec<u8>) -> Result<(), PhaseError> {
    let refused = |why: String| {
        PhaseError::permanent(
            ErrorCode::InvalidRecord,
            format!("the decision_trace of finding {id} has no canonical form: {why}"),
        )
    };
    let trace = member_path(record, &["decision_trace"])
        .ok_or_else(|| refused("there is none".to_owned()))?;
    let digest = TraceFingerprint::trace_digest(trace).map_err(|e| refused(e.to_string()))?;
    lines.extend_from_slice(id.as_bytes());
    lines.push(0);
    lines.extend_from_slice(digest.hex().as_bytes());
    lines.push(b'\n');
    Ok(())
}
