//! Typed access to an object's members, with the member's path in every refusal.

use std::borrow::Cow;

use export_canonical::record::{members, string_value};
use export_model::Timestamp;
use serde::de::DeserializeOwned;

use crate::Refusal;
use crate::identity;
use crate::refusal::excerpt;

/// The members of one object of a canonical document.
pub(super) struct Fields<'a> {
    /// Where the object is: empty for the document, else its path with a dot at the end.
    path: String,
    members: Vec<(Cow<'a, str>, &'a [u8])>,
}

/// A time of the envelope and where it stands.
pub(super) struct EnvelopeTime<'a> {
    /// The JSON string as it stands in the line, quotes included.
    pub(super) slice: &'a [u8],
    /// The time.
    pub(super) time: Timestamp,
}

impl<'a> Fields<'a> {
    /// The members of a whole document.
    pub(super) fn of_document(document: &'a [u8]) -> Result<Self, Refusal> {
        Self::read(String::new(), document)
            .ok_or_else(|| Refusal::invalid("the document is not a JSON object"))
    }

    fn read(path: String, value: &'a [u8]) -> Option<Self> {
        if value.first() != Some(&b'{') {
            return None;
        }
        let members = members(value)
            .filter_map(|member| Some((member.name()?, member.value)))
            .collect();
        Some(Self { path, members })
    }

    /// Refuses the first member that `known` does not name.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Refusal> {
        match self
            .members
            .iter()
            .find(|(name, _)| !known.contains(&name.as_ref()))
        {
            None => Ok(()),
            Some((name, _)) => Err(Refusal::invalid(format!(
                "`{}{}` is no member of the contract",
                self.path,
                excerpt(name)
            ))),
        }
    }

    pub(super) fn optional(&self, name: &str) -> Option<&'a [u8]> {
        self.members
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| *value)
    }

    pub(super) fn value(&self, name: &str) -> Result<&'a [u8], Refusal> {
        self.optional(name)
            .ok_or_else(|| Refusal::invalid(format!("`{}{name}` is missing", self.path)))
    }

    fn wrong(&self, name: &str, expected: &str) -> Refusal {
        Refusal::invalid(format!("`{}{name}` is not {expected}", self.path))
    }

    pub(super) fn text(&self, name: &str) -> Result<Cow<'a, str>, Refusal> {
        string_value(self.value(name)?).ok_or_else(|| self.wrong(name, "a string"))
    }

    /// A text that may be absent.
    pub(super) fn optional_text(&self, name: &str) -> Result<Option<Cow<'a, str>>, Refusal> {
        self.optional(name)
            .map(|value| string_value(value).ok_or_else(|| self.wrong(name, "a string")))
            .transpose()
    }

    /// A text that identifies something: not empty, not too long, no control characters.
    pub(super) fn id(&self, name: &str) -> Result<String, Refusal> {
        let text = self.text(name)?;
        match identity::fault(&text) {
            None => Ok(text.into_owned()),
            Some(fault) => Err(Refusal::invalid(format!("`{}{name}` {fault}", self.path))),
        }
    }

    /// One of `allowed`, in exactly that spelling.
    pub(super) fn one_of(
        &self,
        name: &str,
        allowed: &[&'static str],
    ) -> Result<&'static str, Refusal> {
        let text = self.text(name)?;
        allowed
            .iter()
            .copied()
            .find(|value| *value == text)
            .ok_or_else(|| {
                Refusal::invalid(format!(
                    "`{}{name}` is `{}`, which is none of {}",
                    self.path,
                    excerpt(&text),
                    allowed.join(", ")
                ))
            })
    }

    pub(super) fn object(&self, name: &str) -> Result<Self, Refusal> {
        Self::read(format!("{}{name}.", self.path), self.value(name)?)
            .ok_or_else(|| self.wrong(name, "an object"))
    }

    /// A value that serde reads, such as a list of texts; `expected` names it.
    pub(super) fn parsed<T: DeserializeOwned>(
        &self,
        name: &str,
        expected: &str,
    ) -> Result<T, Refusal> {
        serde_json::from_slice(self.value(name)?).map_err(|error| {
            Refusal::invalid(format!(
                "`{}{name}` is not {expected}: {}",
                self.path,
                reason(&error)
            ))
        })
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, Refusal> {
        self.parsed(name, "a list of strings")
    }

    /// A time of the envelope, in any RFC 3339 spelling.
    pub(super) fn time(&self, name: &str) -> Result<EnvelopeTime<'a>, Refusal> {
        let slice = self.value(name)?;
        let text = string_value(slice).ok_or_else(|| self.wrong(name, "a string"))?;
        let time = text
            .parse()
            .map_err(|error| Refusal::invalid(format!("`{}{name}`: {error}", self.path)))?;
        Ok(EnvelopeTime { slice, time })
    }
}

/// What serde says, without the position: the text it counts in is not the one that came in.
pub(super) fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text.get(..end).unwrap_or(&text).to_owned(),
        None => text,
    }
}
