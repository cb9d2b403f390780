//! A record between reading and keeping: its members are known, its line is not settled yet.

use std::borrow::Cow;
use std::ops::Range;

use export_model::{
    AdmittedRecord, Facets, Kind, Position, Sha256Digest, Source, Tenant, Timestamp,
};

use super::fields::EnvelopeTime;

/// A record whose members were read, before its line is settled.
pub(super) struct Draft {
    pub(super) tenant: Tenant,
    pub(super) kind: Kind,
    pub(super) position: Position,
    pub(super) source: Source,
    pub(super) upstream_id: String,
    /// None for a finding, whose content is the whole record.
    pub(super) content_hash: Option<Sha256Digest>,
    pub(super) modified: Option<Timestamp>,
    pub(super) facets: Facets,
    pub(super) policy_snapshot_id: Option<String>,
    pub(super) respell: Vec<Respelling>,
}

/// A time that the line spells in another way than UTC with `Z`.
pub(super) struct Respelling {
    range: Range<usize>,
    text: String,
}

impl Respelling {
    /// What has to change in `line` so that `time` is spelt as it should be, if anything.
    pub(super) fn of(line: &[u8], time: &EnvelopeTime<'_>) -> Option<Self> {
        let text = format!("\"{}\"", time.time);
        if text.as_bytes() == time.slice {
            return None;
        }
        // `slice` is a part of `line`, so this is its position.
        let start = (time.slice.as_ptr() as usize).checked_sub(line.as_ptr() as usize)?;
        Some(Self {
            range: start..start + time.slice.len(),
            text,
        })
    }
}

impl Draft {
    /// The record over its final line.
    pub(super) fn finish(mut self, line: Cow<'_, [u8]>) -> AdmittedRecord {
        let canonical = if self.respell.is_empty() {
            line.into_owned()
        } else {
            self.respell.sort_by_key(|change| change.range.start);
            let mut out = Vec::with_capacity(line.len());
            let mut copied = 0;
            for change in &self.respell {
                out.extend_from_slice(line.get(copied..change.range.start).unwrap_or_default());
                out.extend_from_slice(change.text.as_bytes());
                copied = change.range.end;
            }
            out.extend_from_slice(line.get(copied..).unwrap_or_default());
            out
        };
        let record_sha256 = Sha256Digest::of(&canonical);
        AdmittedRecord {
            tenant: self.tenant,
            kind: self.kind,
            position: self.position,
            source: self.source,
            upstream_id: self.upstream_id,
            content_hash: self.content_hash.unwrap_or(record_sha256),
            modified: self.modified,
            facets: self.facets,
            policy_snapshot_id: self.policy_snapshot_id,
            record_sha256,
            canonical,
        }
    }
}
