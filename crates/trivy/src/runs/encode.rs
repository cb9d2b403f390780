//! Rows as bytes: a key that sorts as merging needs it, and a value.
//!
//! The first byte of a key is the kind of row; kinds are merged in that order, because what
//! advisories say decides which details are wanted.

use crate::TrivyError;
use crate::row::{
    Advisory, AdvisoryRow, AdvisoryValue, DetailRow, JavaRow, RepositoryRow, Unmapped, UnmappedRow,
    VexRow,
};

use super::key::{self, Fields};

/// The kinds of rows, in the order in which they are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Kind {
    Advisory = 1,
    Repository = 2,
    Detail = 3,
    Vex = 4,
    Java = 5,
    Unmapped = 6,
}

impl Kind {
    pub(crate) fn of(key: &[u8]) -> Option<Self> {
        Some(match key.first()? {
            1 => Self::Advisory,
            2 => Self::Repository,
            3 => Self::Detail,
            4 => Self::Vex,
            5 => Self::Java,
            6 => Self::Unmapped,
            _ => return None,
        })
    }
}

/// A row's bytes, kept to be used again.
#[derive(Default)]
pub(crate) struct Encoded {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// Advisories of languages and of most operating systems.
pub(crate) const PLAIN: u8 = b'P';
/// Red Hat's.
pub(crate) const RED_HAT: u8 = b'R';

impl Encoded {
    fn begin(&mut self, kind: Kind) {
        self.key.clear();
        self.value.clear();
        self.key.push(kind as u8);
    }

    fn texts(&mut self, texts: &[&str]) {
        for text in texts {
            key::push(&mut self.key, text);
        }
    }

    fn json(&mut self, value: &impl serde::Serialize) -> Result<(), TrivyError> {
        serde_json::to_writer(&mut self.value, value).map_err(TrivyError::Serialise)
    }

    /// Key: ecosystem, package, id; precedence, bucket, record. Value: shape, the package's severity,
    /// the feed, the advisory as the database has it.
    pub(crate) fn advisory(&mut self, row: &AdvisoryRow) -> Result<(), TrivyError> {
        self.begin(Kind::Advisory);
        self.texts(&[&row.ecosystem, &row.package, &row.id]);
        self.key.extend_from_slice(&row.precedence.to_be_bytes());
        self.texts(&[&row.bucket, &row.record]);
        let (shape, severity) = match &row.value {
            AdvisoryValue::Plain(plain) => (PLAIN, plain.severity),
            AdvisoryValue::RedHat(_) => (RED_HAT, 0),
        };
        self.value.extend_from_slice(&[shape, severity, 0, 0, 0, 0]);
        self.json(&row.data_source)?;
        let length = u32::try_from(self.value.len() - HEADER).unwrap_or(u32::MAX);
        if let Some(field) = self.value.get_mut(2..HEADER) {
            field.copy_from_slice(&length.to_le_bytes());
        }
        match &row.value {
            AdvisoryValue::Plain(plain) => self.json(plain),
            AdvisoryValue::RedHat(entries) => self.json(entries),
        }
    }

    /// Key: content set, CPE.
    pub(crate) fn repository(&mut self, row: &RepositoryRow) {
        self.begin(Kind::Repository);
        self.texts(&[&row.content_set, &row.cpe]);
    }

    /// Key: id; precedence, record.
    pub(crate) fn detail(&mut self, row: &DetailRow) -> Result<(), TrivyError> {
        self.begin(Kind::Detail);
        self.texts(&[&row.id]);
        self.key.extend_from_slice(&row.precedence.to_be_bytes());
        self.texts(&[&row.record]);
        self.json(&row.value)
    }

    /// Key: vulnerability, product; then all that the statement says, and the record.
    pub(crate) fn vex(&mut self, row: &VexRow) -> Result<(), TrivyError> {
        self.begin(Kind::Vex);
        self.texts(&[
            &row.vulnerability,
            &row.product,
            &row.status,
            &row.justification,
            &row.impact_statement,
            &row.timestamp,
        ]);
        for list in [&row.subcomponents, &row.aliases] {
            for text in list {
                key::push(&mut self.key, text);
            }
            key::push(&mut self.key, "");
        }
        self.texts(&[&row.record]);
        self.json(row)
    }

    /// Key: digest; whether it is classified, group, artifact, version, record.
    pub(crate) fn java(&mut self, row: &JavaRow) {
        self.begin(Kind::Java);
        self.key.extend_from_slice(&row.sha1);
        self.key.push(u8::from(row.classified));
        self.texts(&[&row.group, &row.artifact, &row.version, &row.record]);
    }

    /// Key: reason, record, detail.
    pub(crate) fn unmapped(&mut self, row: &UnmappedRow) {
        self.begin(Kind::Unmapped);
        self.texts(&[row.reason.as_str(), &row.record, &row.detail]);
    }
}

const HEADER: usize = 6;

/// The parts of an advisory's value.
pub(crate) struct AdvisoryParts<'a> {
    pub(crate) shape: u8,
    pub(crate) severity: u8,
    pub(crate) data_source: &'a [u8],
    pub(crate) json: &'a [u8],
}

impl<'a> AdvisoryParts<'a> {
    pub(crate) fn of(value: &'a [u8]) -> Option<Self> {
        let (header, rest) = value.split_at_checked(HEADER)?;
        let &[shape, severity, a, b, c, d] = header else {
            return None;
        };
        let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?;
        let (data_source, json) = rest.split_at_checked(length)?;
        Some(Self {
            shape,
            severity,
            data_source,
            json,
        })
    }

    pub(crate) fn plain(&self) -> Option<Advisory> {
        serde_json::from_slice(self.json).ok()
    }
}

/// Where the fields that a merge groups advisories by end: after ecosystem, package and id.
pub(crate) fn advisory_group(key: &[u8]) -> Option<usize> {
    let mut fields = Fields::new(key, 1);
    fields.skip()?;
    fields.skip()?;
    fields.skip()?;
    Some(fields.position())
}

/// An unmapped row, read from its key; the reason by its name.
pub(crate) fn unmapped_of(key: &[u8]) -> Option<(String, String, String)> {
    let mut fields = Fields::new(key, 1);
    Some((fields.text()?, fields.text()?, fields.text()?))
}

/// What a row of a package becomes whose keys the database's format does not take.
pub(crate) fn bad_key(record: &str, names: &[&str]) -> Option<UnmappedRow> {
    let bad = |name: &&&str| {
        name.is_empty() || name.len() > MAX_KEY_BYTES || name.as_bytes().contains(&0)
    };
    names.iter().find(bad).map(|name| UnmappedRow {
        reason: Unmapped::BadKey,
        record: record.to_owned(),
        detail: shortened(name).to_owned(),
    })
}

/// The longest key of a bbolt file.
const MAX_KEY_BYTES: usize = 32_768;

fn shortened(text: &str) -> &str {
    text.get(..text.floor_char_boundary(200)).unwrap_or("")
}
