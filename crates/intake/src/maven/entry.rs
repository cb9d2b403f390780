//! One line of an index.

use export_canonical::record::{Limits, canonicalize};
use serde::{Deserialize, Serialize};

use crate::{Refusal, identity};
use export_model::ErrorCode;

/// A jar. Members are declared in the order in which canonical JSON writes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The artifact id.
    pub a: String,
    /// The classifier, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub c: Option<String>,
    /// The group id.
    pub g: String,
    /// SHA-1 of the jar, as the index has it: whether it is one, whoever reads it says.
    pub sha1: String,
    /// The version.
    pub v: String,
}

#[derive(Serialize)]
struct Document<'a> {
    artifacts: &'a [Entry],
}

/// The content of a record: RFC 8785. None where there are no entries.
pub(super) fn document(entries: &[Entry]) -> Result<Option<Vec<u8>>, Refusal> {
    if entries.is_empty() {
        return Ok(None);
    }
    let failed = |error: serde_json::Error| Refusal::new(ErrorCode::Internal, error.to_string());
    serde_json::to_vec(&Document { artifacts: entries })
        .map(Some)
        .map_err(failed)
}

impl Entry {
    /// The entry of a line; none where it is empty or a comment.
    pub(super) fn parse(line: &[u8]) -> Result<Option<Self>, Refusal> {
        let entry = match line.trim_ascii() {
            [] | [b'#', ..] => return Ok(None),
            [b'{', ..] => {
                // Whatever spelling JSON has, and no member twice.
                let canonical = canonicalize(line, &Limits::default())?;
                serde_json::from_slice(&canonical).map_err(|error| {
                    Refusal::invalid(format!("it is no entry of a Maven index: {error}"))
                })?
            }
            text => Self::of_text(text)?,
        };
        entry.check()?;
        Ok(Some(entry))
    }

    fn of_text(text: &[u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(text).map_err(|_| {
            Refusal::new(ErrorCode::InvalidUtf8, "the line is not UTF-8".to_owned())
        })?;
        let form = || {
            Refusal::invalid(
                "the line is neither JSON nor `sha1<TAB>group:artifact:version[:classifier]`",
            )
        };
        let (sha1, coordinates) = text.split_once('\t').ok_or_else(form)?;
        let mut parts = coordinates.split(':').map(str::to_owned);
        let mut next = || parts.next().ok_or_else(form);
        let (g, a, v) = (next()?, next()?, next()?);
        let c = parts.next();
        if parts.next().is_some() {
            return Err(form());
        }
        Ok(Self {
            a,
            c,
            g,
            sha1: sha1.trim().to_owned(),
            v,
        })
    }

    fn check(&self) -> Result<(), Refusal> {
        let members = [
            ("a", Some(&self.a)),
            ("c", self.c.as_ref()),
            ("g", Some(&self.g)),
            ("sha1", Some(&self.sha1)),
            ("v", Some(&self.v)),
        ];
        for (name, text) in members {
            if let Some(fault) = text.and_then(|text| identity::fault(text)) {
                return Err(Refusal::invalid(format!("`{name}` {fault}")));
            }
        }
        Ok(())
    }

    /// Whether both are of one artifact.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        (&self.g, &self.a) == (&other.g, &other.a)
    }

    /// The entry as a row whose order as bytes is that of its fields: none of them has a control
    /// character in it.
    pub(super) fn to_row(&self) -> Vec<u8> {
        let classifier = self.c.as_deref().unwrap_or_default();
        [&self.g, &self.a, &self.v, classifier, &self.sha1]
            .join("\u{1}")
            .into_bytes()
    }

    pub(super) fn of_row(row: &[u8]) -> Self {
        let text = String::from_utf8_lossy(row);
        let mut fields = text.split('\u{1}').map(str::to_owned);
        let mut next = || fields.next().unwrap_or_default();
        let (g, a, v, c, sha1) = (next(), next(), next(), next(), next());
        Self {
            a,
            c: (!c.is_empty()).then_some(c),
            g,
            sha1,
            v,
        }
    }
}
