//! An entry of the index: a record's key, and all that planning and selectors ask about it.

use std::collections::HashMap;

use export_model::{
    AdmittedRecord, Facets, GUARDRAILS_VERSION, IndexEntry, Kind, Position, Sha256Digest, Source,
    Timestamp,
};
use export_ports::PortError;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, Document, RawBsonRef, RawDocument, doc};

use super::call::damaged;
use super::schema::ENTRIES;

/// Largest record, in bytes; what is larger never passes the ledger's door.
pub(super) const MAX_RECORD_BYTES: usize = 64 << 20;
/// Facets up to this size (bytes of their values, 4 more for each) are arrays of the entry, which
/// indexes look into. Larger ones would make documents that MongoDB refuses; they lie apart.
pub(super) const MAX_INLINE_FACETS: usize = 1 << 20;

/// In the place of facets that lie apart, each array of the entry holds this alone. No value is a
/// boolean, so a query that lets it through too finds these entries by the same index.
pub(super) const LIES_APART: Bson = Bson::Boolean(true);

/// The four arrays.
pub(super) const FACET_FIELDS: [&str; 4] =
    ["ecosystems", "products", "sbom_subjects", "identifiers"];

/// Which upstream document a record is a revision of: SHA-256 over tenant, kind, source and
/// upstream id, each with its length before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct DocumentKey(pub(super) [u8; 32]);

impl DocumentKey {
    pub(super) fn of(record: &AdmittedRecord) -> Self {
        let mut key = Vec::new();
        for part in [
            record.tenant.as_str(),
            record.kind.as_str(),
            &record.source.vendor,
            &record.source.stream,
            &record.upstream_id,
        ] {
            key.extend((part.len() as u64).to_le_bytes());
            key.extend(part.as_bytes());
        }
        Self(Sha256Digest::of(&key).0)
    }
}

/// Bytes as BSON holds them.
pub(super) fn binary(bytes: &[u8]) -> Bson {
    Bson::Binary(Binary {
        subtype: BinarySubtype::Generic,
        bytes: bytes.to_vec(),
    })
}

/// A time as BSON holds it: both count milliseconds.
pub(super) fn date(time: Timestamp) -> DateTime {
    DateTime::from_millis(time.0)
}

/// A watermark as `_id`s are compared with it. Below [`NEVER`](super::schema::NEVER), so that what
/// nothing has superseded is after every watermark.
pub(super) fn watermark_number(watermark: u64) -> i64 {
    i64::try_from(watermark)
        .unwrap_or(i64::MAX)
        .min(i64::MAX - 1)
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Whether the facets of a record are too large to be part of its entry.
pub(super) fn facets_lie_apart(facets: &Facets) -> bool {
    let size: usize = lists(facets)
        .into_iter()
        .flatten()
        .map(|value| value.len() + 4)
        .sum();
    size > MAX_INLINE_FACETS
}

fn lists(facets: &Facets) -> [&Vec<String>; 4] {
    [
        &facets.ecosystems,
        &facets.products,
        &facets.sbom_subjects,
        &facets.identifiers,
    ]
}

/// The document of a new record. `facets_file` is where its facets lie, if not here.
pub(super) fn document(
    record: &AdmittedRecord,
    key: DocumentKey,
    seq: i64,
    superseded_at: i64,
    facets_file: Option<ObjectId>,
) -> Document {
    let size = i64::try_from(record.canonical.len()).unwrap_or(i64::MAX);
    let mut entry = doc! {
        "_id": seq,
        // Again, for queries: about `_id` a planner would offer the index of `_id`, which holds no
        // order that anybody asks for.
        "seq": seq,
        "tenant": record.tenant.as_str(),
        "kind": record.kind.as_str(),
        "subject_key": &record.position.subject_key,
        "id": &record.position.id,
        "superseded_at": superseded_at,
        "sha256": binary(&record.record_sha256.0),
        "size": size,
        "guardrails": i64::from(GUARDRAILS_VERSION),
        "vendor": &*record.source.vendor,
        "stream": &*record.source.stream,
        "document": binary(&key.0),
        "content_hash": binary(&record.content_hash.0),
    };
    if let Some(time) = record.modified {
        entry.insert("modified", date(time));
    }
    if let Some(time) = record.facets.recorded_at {
        entry.insert("recorded_at", date(time));
    }
    if let Some(snapshot) = snapshot_of(record) {
        entry.insert("snapshot", snapshot);
    }
    if let Some(file) = facets_file {
        entry.insert("facets_file", file);
        for field in FACET_FIELDS {
            entry.insert(field, vec![LIES_APART]);
        }
    } else {
        for (field, values) in FACET_FIELDS.into_iter().zip(lists(&record.facets)) {
            if !values.is_empty() {
                entry.insert(field, values.clone());
            }
        }
    }
    entry
}

/// The snapshot that a record belongs to; only findings do.
pub(super) fn snapshot_of(record: &AdmittedRecord) -> Option<&str> {
    match record.kind {
        Kind::Finding => record.policy_snapshot_id.as_deref(),
        _ => None,
    }
}

/// An entry as the walk reads it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) seq: i64,
    /// Whether this version's guardrails admitted the record.
    pub(super) admitted: bool,
    pub(super) entry: IndexEntry,
}

/// The members of a [`Line`], for a projection.
pub(super) const LINE_FIELDS: [&str; 8] = [
    "seq",
    "subject_key",
    "id",
    "sha256",
    "size",
    "guardrails",
    "vendor",
    "stream",
];

/// A document's key for messages about it: its `_id`, or the `seq` that an entry has as well.
pub(super) fn key_of(document: &RawDocument) -> String {
    let member = |name| document.get(name).ok().flatten();
    match member("_id").or_else(|| member("seq")) {
        Some(RawBsonRef::Int64(seq)) => seq.to_string(),
        Some(RawBsonRef::String(name)) => name.to_owned(),
        _ => "a document without a key".to_owned(),
    }
}

/// Names of sources repeat; each is kept once.
#[derive(Default)]
pub(super) struct Sources(HashMap<Box<str>, HashMap<Box<str>, Source>>);

impl Sources {
    pub(super) fn get(&mut self, vendor: &str, stream: &str) -> Source {
        if let Some(known) = self.0.get(vendor).and_then(|streams| streams.get(stream)) {
            return known.clone();
        }
        let source = Source {
            vendor: vendor.into(),
            stream: stream.into(),
        };
        self.0
            .entry(vendor.into())
            .or_default()
            .insert(stream.into(), source.clone());
        source
    }
}

/// Reads a line.
///
/// # Errors
/// `Damaged` when a member is missing or of another type.
pub(super) fn line(document: &RawDocument, sources: &mut Sources) -> Result<Line, PortError> {
    let bad = |why: String| damaged(ENTRIES, key_of(document), why);
    let text = |name: &str| document.get_str(name).map_err(|e| bad(e.to_string()));
    let number = |name: &str| document.get_i64(name).map_err(|e| bad(e.to_string()));
    let size = usize::try_from(number("size")?)
        .ok()
        .filter(|size| *size <= MAX_RECORD_BYTES)
        .ok_or_else(|| bad("`size` is no size of a record".to_owned()))?;
    Ok(Line {
        seq: number("seq")?,
        admitted: number("guardrails")? == i64::from(GUARDRAILS_VERSION),
        entry: IndexEntry {
            position: Position {
                subject_key: text("subject_key")?.to_owned(),
                id: text("id")?.to_owned(),
            },
            record_sha256: digest(document, "sha256").map_err(bad)?,
            size: size as u64,
            source: sources.get(text("vendor")?, text("stream")?),
        },
    })
}

/// A digest of 32 bytes.
pub(super) fn digest(document: &RawDocument, name: &str) -> Result<Sha256Digest, String> {
    let bytes = document
        .get_binary(name)
        .map_err(|error| error.to_string())?
        .bytes;
    <[u8; 32]>::try_from(bytes)
        .map(Sha256Digest)
        .map_err(|_| format!("`{name}` has not 32 bytes"))
}

/// A time that may be missing; null is missing too.
pub(super) fn time(document: &RawDocument, name: &str) -> Result<Option<i64>, String> {
    match document.get(name).map_err(|error| error.to_string())? {
        None | Some(RawBsonRef::Null) => Ok(None),
        Some(RawBsonRef::DateTime(time)) => Ok(Some(time.timestamp_millis())),
        Some(_) => Err(format!("`{name}` is no date")),
    }
}

/// The facets that are part of an entry, without their time.
pub(super) fn inline_facets(document: &RawDocument) -> Result<Facets, String> {
    let list = |name: &str| -> Result<Vec<String>, String> {
        let Some(value) = document.get(name).map_err(|error| error.to_string())? else {
            return Ok(Vec::new());
        };
        let values = value
            .as_array()
            .ok_or_else(|| format!("`{name}` is no array"))?;
        values
            .into_iter()
            .map(|value| match value {
                Ok(RawBsonRef::String(text)) => Ok(text.to_owned()),
                _ => Err(format!("`{name}` holds something that is no string")),
            })
            .collect()
    };
    Ok(Facets {
        ecosystems: list("ecosystems")?,
        products: list("products")?,
        sbom_subjects: list("sbom_subjects")?,
        identifiers: list("identifiers")?,
        recorded_at: None,
    })
}
