//! Parts: the unit of work, of output, of retry, of progress and of checking.

use serde::{Deserialize, Serialize};

use crate::{Kind, ObjectKey, Position, ProfileKind, RunKey, Sha256Digest, Source, Tenant};

/// What one source gave to one part: count and input hash over its records alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceTally {
    /// Whose records; named only in runs across tenants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Tenant>,
    /// The source.
    pub source: Source,
    /// How many records.
    pub records: u64,
    /// Hash over `_id NUL record_sha256 LF` of its records, in canonical order.
    pub hash: Sha256Digest,
}

/// A record that broke a guardrail and was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantinedRecord {
    /// The record's id.
    #[serde(rename = "_id")]
    pub id: String,
    /// Which guardrail it broke: an `ERR_AOC_*` code.
    pub code: String,
    /// What exactly.
    pub detail: String,
    /// Its kind.
    pub kind: Kind,
    /// SHA-256 of its canonical bytes, so that the part's input hash can be checked.
    pub record_sha256: Sha256Digest,
    /// What it is about.
    pub subject_key: String,
    /// Whose it is; named only in runs across tenants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Tenant>,
}

/// A file on staging that no bundle holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedFile {
    /// Where it lies.
    pub object: ObjectKey,
    /// Its size.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: Sha256Digest,
}

/// What the adapter made of a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartOutput {
    /// Where its payload file lies; none when nothing was left.
    pub object: Option<ObjectKey>,
    /// Size of the stored bytes.
    pub size: u64,
    /// SHA-256 of the stored bytes.
    pub sha256: Sha256Digest,
    /// Size before compression.
    pub content_size: u64,
    /// SHA-256 before compression.
    pub content_sha256: Sha256Digest,
    /// Records in the file.
    pub records: u64,
    /// The first and the last record's `_id`; none when nothing was left.
    pub range: Option<(String, String)>,
    /// Where the list of what was quarantined lies (JSON lines), and how many there are by code.
    pub quarantine: Option<(ObjectKey, Vec<(String, u64)>)>,
    /// For findings: SHA-256 lines of decision traces lie here (JSON lines), for the fingerprint.
    pub traces: Option<ObjectKey>,
    /// Its run file, which files of all parts together are merged from. Where there is no payload
    /// file, sizes and digests above are its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_file: Option<StagedFile>,
}

/// A part of a run: consecutive records of one tenant and kind. A row of `export_inputs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The run.
    pub run: RunKey,
    /// Counts from 0 in the run.
    pub index: u32,
    /// Counts from 0 in its owner and kind; names the payload file.
    pub ordinal: u32,
    /// Whose records: named in every part of a run across tenants, and in no part of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Tenant>,
    /// The kind of all its records.
    pub kind: Kind,
    /// The first record.
    pub first: Position,
    /// The last record.
    pub last: Position,
    /// How many records.
    pub records: u64,
    /// Their canonical bytes together.
    pub bytes: u64,
    /// Hash over `_id NUL record_sha256 LF`, in canonical order.
    pub hash: Sha256Digest,
    /// Which records between the first and the last, where not all: JSON lines of positions lie here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<StagedFile>,
    /// What the adapter made of it; none until it is done.
    pub output: Option<PartOutput>,
    /// The row's version, 0 before it is stored.
    #[serde(default)]
    pub rev: u64,
}

impl Part {
    /// The part's payload path for JSON lines, without what compression and sealing append.
    #[must_use]
    pub fn jsonl_path(&self) -> String {
        let (kind, ordinal) = (self.kind, self.ordinal);
        match &self.owner {
            None => format!("payload/{kind}/part-{ordinal:05}.jsonl"),
            Some(owner) => format!("payload/{owner}/{kind}/part-{ordinal:05}.jsonl"),
        }
    }

    /// The part's payload path in a mirror, without what compression and sealing append.
    #[must_use]
    pub fn layer_path(&self) -> String {
        format!("payload/layers/{}-{:05}.tar", self.kind, self.ordinal)
    }

    /// The part's payload path in a run of `kind`, without what compression and sealing append.
    #[must_use]
    pub fn payload_path(&self, kind: ProfileKind) -> String {
        if kind.is_mirror() {
            self.layer_path()
        } else {
            self.jsonl_path()
        }
    }

    /// Whose records it holds.
    #[must_use]
    pub fn owner(&self) -> &Tenant {
        self.owner.as_ref().unwrap_or(&self.run.tenant)
    }
}
