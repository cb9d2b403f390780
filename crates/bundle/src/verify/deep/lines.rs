//! What a worker does with the lines of a frame before its turn comes.

use std::ops::Range;

use export_canonical::record::{Limits, check_record, string_value};
use export_intake::guardrails::check_raw_outline;
use export_model::{Kind, Sha256Digest};
use memchr::{memchr, memrchr};

use super::Role;
use crate::payload::snapshot::TraceFingerprint;

/// What is known of a record when its line was checked.
pub(super) struct RecordLine {
    subject: Range<usize>,
    id: Range<usize>,
    /// Bytes of the line, without its end.
    pub(super) length: usize,
    /// Digest of the decision trace, for findings.
    pub(super) trace: Option<Sha256Digest>,
}

/// Records in the order of their lines, their texts in one buffer.
#[derive(Default)]
pub(super) struct RecordLines {
    text: String,
    pub(super) lines: Vec<RecordLine>,
}

impl RecordLines {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.lines.clear();
    }

    /// `subject_key` and `_id` of a record.
    pub(super) fn key(&self, line: &RecordLine) -> (&str, &str) {
        let text = |range: &Range<usize>| self.text.get(range.clone()).unwrap_or_default();
        (text(&line.subject), text(&line.id))
    }

    /// Checks a line without its line end, and notes what is known of it.
    pub(super) fn check(&mut self, line: &[u8], kind: Kind, tenant: &str) -> Result<(), String> {
        let record = check_record(line, &Limits::default()).map_err(|error| error.to_string())?;
        if kind != Kind::Finding {
            check_raw_outline(&record)
                .map_err(|violation| format!("{}: {}", violation.code, violation.detail))?;
        }
        let (mut id, mut subject, mut own_kind, mut own_tenant, mut trace) =
            (None, None, None, None, None);
        for member in record.members() {
            match member.key {
                b"_id" => id = string_value(member.value),
                b"subject_key" => subject = string_value(member.value),
                b"kind" => own_kind = string_value(member.value),
                b"tenant" => own_tenant = string_value(member.value),
                b"decision_trace" => trace = Some(member.value),
                _ => {}
            }
        }
        let (Some(id), Some(subject)) = (id, subject) else {
            return Err("the record has no `_id` or no `subject_key`".to_owned());
        };
        if own_kind.as_deref() != Some(kind.as_str()) {
            return Err(format!("the record is not of kind {kind}"));
        }
        if own_tenant.as_deref() != Some(tenant) {
            return Err(format!("the record does not belong to tenant {tenant}"));
        }
        let trace = match (kind, trace) {
            (Kind::Finding, Some(trace)) => {
                Some(TraceFingerprint::trace_digest(trace).map_err(|error| error.to_string())?)
            }
            (Kind::Finding, None) => return Err("the finding has no `decision_trace`".to_owned()),
            _ => None,
        };
        let subject = self.push(&subject);
        let id = self.push(&id);
        self.lines.push(RecordLine {
            subject,
            id,
            length: line.len(),
            trace,
        });
        Ok(())
    }

    fn push(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.push_str(text);
        start..self.text.len()
    }
}

/// The lines that begin and end within a frame, and where they lie.
#[derive(Default)]
pub(super) struct FrameLines {
    /// Bytes up to the first line end, with it; none where the frame has no line end.
    pub(super) head: Option<usize>,
    /// Where the line begins that the frame does not end.
    pub(super) tail: usize,
    pub(super) records: RecordLines,
    /// Why the line after `records` cannot be what it should be.
    pub(super) error: Option<String>,
}

/// Checks the lines of a frame that lie wholly in it, but for the first, of which a part may lie
/// in the frame before.
pub(super) fn check_frame(content: &[u8], role: Role, tenant: &str, out: &mut FrameLines) {
    out.records.clear();
    out.error = None;
    out.head = memchr(b'\n', content).map(|at| at + 1);
    out.tail = memrchr(b'\n', content).map_or(0, |at| at + 1);
    let (Role::Records(kind), Some(head)) = (role, out.head) else {
        return;
    };
    let mut rest = content.get(head..out.tail).unwrap_or_default();
    while let Some(end) = memchr(b'\n', rest) {
        let (line, after) = rest.split_at(end);
        if let Err(error) = out.records.check(line, kind, tenant) {
            out.error = Some(error);
            return;
        }
        rest = after.get(1..).unwrap_or_default();
    }
}
