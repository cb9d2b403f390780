//! `payload/inputs.jsonl.zst`: a line for every part, so that whoever has the bundle can compute
//! each part's input hash again.
//!
//! A line holds nothing of the run, of the ledger's sequence or of time: two ledgers with the same
//! records give the same bytes.

use export_model::{Kind, Part, Position, ProfileKind, Sha256Digest, Tenant};
use serde::{Deserialize, Serialize};

use super::LineError;

/// A line. Its members are declared in the order in which canonical JSON writes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputLine {
    /// Sum of the sizes of the part's records in canonical form, quarantined ones included, line
    /// ends not.
    pub bytes: u64,
    /// [Content path](crate::paths::content_path) of the part's file; none when every record was
    /// quarantined.
    pub file: Option<String>,
    /// The first record.
    pub first: InputPosition,
    /// Hash over the part's records, quarantined ones included
    /// ([`InputHasher`](export_model::InputHasher)).
    pub hash: Sha256Digest,
    /// The kind of the part's records.
    pub kind: Kind,
    /// The last record.
    pub last: InputPosition,
    /// Counts from 0 in the bundle, in canonical order.
    pub part: u32,
    /// How many of the records were quarantined.
    pub quarantined: u64,
    /// How many records, quarantined ones included.
    pub records: u64,
    /// Whose records; only in bundles across tenants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Tenant>,
}

/// A place in canonical order, spelt as records spell it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputPosition {
    /// The record's id.
    #[serde(rename = "_id")]
    pub id: String,
    /// What it is about.
    pub subject_key: String,
}

impl From<&Position> for InputPosition {
    fn from(position: &Position) -> Self {
        Self {
            id: position.id.clone(),
            subject_key: position.subject_key.clone(),
        }
    }
}

impl InputPosition {
    /// The place itself, which orders by subject first.
    #[must_use]
    pub fn position(&self) -> Position {
        Position {
            subject_key: self.subject_key.clone(),
            id: self.id.clone(),
        }
    }
}

impl InputLine {
    /// The line of a part of a run of `profile` that is done.
    #[must_use]
    pub fn of(part: &Part, profile: ProfileKind) -> Self {
        let output = part.output.as_ref();
        let quarantined = output
            .and_then(|output| output.quarantine.as_ref())
            .map_or(0, |(_, codes)| codes.iter().map(|(_, count)| count).sum());
        Self {
            bytes: part.bytes,
            file: output
                .and_then(|output| output.object.as_ref())
                .map(|_| part.payload_path(profile)),
            first: (&part.first).into(),
            hash: part.hash,
            kind: part.kind,
            last: (&part.last).into(),
            part: part.index,
            quarantined,
            records: part.records,
            tenant: part.owner.clone(),
        }
    }

    /// The line's bytes, with its line end.
    ///
    /// # Errors
    /// Never for values of this type; the serialiser's signature says otherwise.
    pub fn to_line(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }

    /// Reads a line without its line end.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn parse(line: &[u8]) -> Result<Self, LineError> {
        serde_json::from_slice(line).map_err(|source| LineError {
            what: "line of inputs",
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> InputLine {
        InputLine {
            bytes: 10,
            file: Some("payload/vex/part-00000.jsonl".into()),
            first: InputPosition {
                id: "a\n\"\u{1}\u{e9}".into(),
                subject_key: "s".into(),
            },
            hash: Sha256Digest::of(b""),
            kind: Kind::Vex,
            last: InputPosition {
                id: "b".into(),
                subject_key: "t".into(),
            },
            part: 3,
            quarantined: 0,
            records: 2,
            tenant: None,
        }
    }

    #[test]
    fn a_line_is_canonical_and_reads_back() {
        let bytes = line().to_line().unwrap();
        assert_eq!(
            String::from_utf8(bytes.clone()).unwrap(),
            "{\"bytes\":10,\"file\":\"payload/vex/part-00000.jsonl\",\
             \"first\":{\"_id\":\"a\\n\\\"\\u0001\u{e9}\",\"subject_key\":\"s\"},\
             \"hash\":\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\
             \"kind\":\"vex\",\"last\":{\"_id\":\"b\",\"subject_key\":\"t\"},\"part\":3,\
             \"quarantined\":0,\"records\":2}\n"
        );
        let text = bytes.strip_suffix(b"\n").unwrap();
        export_canonical::record::check(text, &export_canonical::record::Limits::default())
            .unwrap();
        assert_eq!(InputLine::parse(text).unwrap(), line());
        let owned = InputLine {
            tenant: Some("acme".parse().unwrap()),
            ..line()
        };
        let bytes = String::from_utf8(owned.to_line().unwrap()).unwrap();
        assert!(
            bytes.ends_with(",\"records\":2,\"tenant\":\"acme\"}\n"),
            "{bytes}"
        );
    }

    #[test]
    fn unknown_members_are_refused() {
        let text = String::from_utf8(line().to_line().unwrap()).unwrap();
        let more = text.replace("\"part\"", "\"node\":1,\"part\"");
        assert!(InputLine::parse(more.trim_end().as_bytes()).is_err());
    }
}
