//! A part's records: each checked, hashed and handed on, whatever it becomes.

use export_lifecycle::PhaseError;
use export_model::{ErrorCode, InputHasher, Kind, OnViolation, QuarantinedRecord, Sha256Digest};
use export_ports::{RecordPage, RecordRef};
use tokio::sync::mpsc;

use crate::check;
use crate::json_lines::trace_line;
use crate::part::Job;

/// Most records of one part that may be quarantined: their list is held in memory.
const MAX_QUARANTINED: usize = 100_000;

/// What takes the records of a part.
pub(crate) trait Records {
    /// Takes the next record; gives its digest.
    fn record(&mut self, record: &RecordRef, bytes: &[u8]) -> Result<Sha256Digest, PhaseError>;
}

/// What going through a part's records gave.
#[derive(Default)]
pub(crate) struct Checked {
    /// Records that were handed on.
    pub(crate) records: u64,
    /// The first and the last of them, by `_id`.
    pub(crate) range: Option<(String, String)>,
    pub(crate) quarantined: Vec<QuarantinedRecord>,
    pub(crate) traces: Vec<u8>,
    /// Canonical bytes, quarantined records included.
    pub(crate) bytes: u64,
}

impl Checked {
    fn count(&mut self, id: &str) {
        self.records += 1;
        match &mut self.range {
            Some((_, last)) => {
                last.clear();
                last.push_str(id);
            }
            none => *none = Some((id.to_owned(), id.to_owned())),
        }
    }
}

/// Checks and hashes every record of the part and hands it to `sink`. What was read must be what was
/// planned.
pub(crate) fn check_all(
    job: &Job,
    mut pages: mpsc::Receiver<RecordPage>,
    spare: &mpsc::UnboundedSender<RecordPage>,
    sink: &mut dyn Records,
) -> Result<Checked, PhaseError> {
    let kind = job.part.kind;
    let quarantine = job.run.profile.config.on_violation == OnViolation::Quarantine;
    let mut inputs = InputHasher::default();
    let mut checked = Checked::default();
    while let Some(page) = pages.blocking_recv() {
        for record in &page.records {
            let canonical = &page.bytes[record.bytes.clone()];
            checked.bytes += canonical.len() as u64;
            if let Err(violation) = check::guardrails(kind, record, canonical) {
                if !quarantine || checked.quarantined.len() >= MAX_QUARANTINED {
                    let detail = format!("record {}: {}", record.id, violation.detail);
                    return Err(PhaseError::permanent(violation.code, detail));
                }
                let record_sha256 = Sha256Digest::of(canonical);
                check::drift(record, &record_sha256)?;
                inputs.add(&record.id, &record_sha256);
                checked.quarantined.push(QuarantinedRecord {
                    id: record.id.clone(),
                    code: violation.code.as_str().to_owned(),
                    detail: violation.detail,
                    kind,
                    record_sha256,
                    subject_key: record.subject_key.clone(),
                    tenant: job.part.owner.clone(),
                });
                continue;
            }
            if kind == Kind::Finding {
                trace_line(&record.id, canonical, &mut checked.traces)?;
            }
            let record_sha256 = sink.record(record, canonical)?;
            checked.count(&record.id);
            check::drift(record, &record_sha256)?;
            inputs.add(&record.id, &record_sha256);
        }
        // The reader has ended when nobody takes it.
        let _ = spare.send(page);
    }
    let records = inputs.records();
    let hash = inputs.finish();
    if records == job.part.records && hash == job.part.hash {
        return Ok(checked);
    }
    let part = &job.part;
    Err(PhaseError::permanent(
        ErrorCode::InputDrift,
        format!(
            "part {} ({kind} from {} to {}) was planned with {} records and hash {}, but gave \
             {records} records and hash {hash}",
            part.index, part.first.id, part.last.id, part.records, part.hash
        ),
    ))
}
