//! What a document can be found by, read from its canonical bytes.
//!
//! The members that matter stand before and behind the evidence itself (`content`, or a finding's
//! `decision_trace`), which is most of a record and need not be read: members are sorted, so the
//! first ones are read forwards, and the others backwards from the end. Backwards, canonical JSON is
//! as plain as forwards: a quote inside a string has a backslash before it, and the quote that opens
//! a string never has.
//!
//! The terms are those that selectors compare: an identifier that selects a record finds it here
//! too.

use std::borrow::Cow;

use export_canonical::record::{members, string_value};
use export_model::{Kind, Source};
use memchr::{memchr2, memrchr};

use crate::index::Index;
use crate::path::DocumentPath;

/// Bytes that are no document, or one whose terms cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotARecord(&'static str);

/// The members of a record that say what it is and what it is about.
///
/// On bytes that are not in the canonical form of evidence the result is unspecified, but takes no
/// more than linear time.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// What it is.
    pub kind: Kind,
    /// What it is about.
    pub subject_key: Cow<'a, str>,
    /// Its id.
    pub id: Cow<'a, str>,
    raw: Members<'a>,
}

/// Values of members, as they stand in the record; empty where there is none.
#[derive(Clone, Copy, Debug, Default)]
struct Members<'a> {
    id: &'a [u8],
    kind: &'a [u8],
    subject_key: &'a [u8],
    identifiers: &'a [u8],
    linkset: &'a [u8],
    source: &'a [u8],
    subject: &'a [u8],
    advisory_id: &'a [u8],
    vulnerability_id: &'a [u8],
}

impl<'a> Members<'a> {
    fn note(&mut self, name: &[u8], value: &'a [u8]) {
        match name {
            b"_id" => self.id = value,
            b"kind" => self.kind = value,
            b"subject_key" => self.subject_key = value,
            b"identifiers" => self.identifiers = value,
            b"linkset" => self.linkset = value,
            b"source" => self.source = value,
            b"subject" => self.subject = value,
            b"advisory_id" => self.advisory_id = value,
            b"vulnerability_id" => self.vulnerability_id = value,
            _ => {}
        }
    }
}

impl<'a> Record<'a> {
    /// Where it lies in a tree.
    #[must_use]
    pub fn document_path(&self) -> DocumentPath {
        DocumentPath::of(self.kind, &self.id)
    }

    /// Reads a record in canonical form, without a line end.
    ///
    /// # Errors
    /// When it has no `_id`, `kind` or `subject_key`.
    pub fn read(canonical: &'a [u8]) -> Result<Self, NotARecord> {
        let mut raw = Members::default();
        let rest = forwards(canonical, &mut raw).ok_or(NotARecord("it is no JSON object"))?;
        backwards(canonical, rest, &mut raw);
        let text = |value, what| string_value(value).ok_or(NotARecord(what));
        Ok(Self {
            id: text(raw.id, "it has no `_id`")?,
            kind: text(raw.kind, "it has no `kind`")?
                .parse()
                .map_err(|_| NotARecord("its `kind` is none that is known"))?,
            subject_key: text(raw.subject_key, "it has no `subject_key`")?,
            raw,
        })
    }

    /// The record's terms for `index`, each as the inside of a JSON string, in no order, perhaps
    /// more than once.
    pub fn terms(&self, index: Index, each: &mut impl FnMut(&[u8])) {
        match (index, self.kind) {
            (Index::Subject, _) => one(self.raw.subject_key, each),
            (Index::Source, Kind::Finding) => {
                each(Source::policy_engine().to_string().as_bytes());
            }
            (Index::Source, _) => {
                let [mut vendor, mut stream] = [None; 2];
                for member in members(self.raw.source) {
                    match member.key {
                        b"vendor" => vendor = inside(member.value),
                        b"stream" => stream = inside(member.value),
                        _ => {}
                    }
                }
                if let (Some(vendor), Some(stream)) = (vendor, stream) {
                    each(&[vendor, b"/", stream].concat());
                }
            }
            (Index::Identifier, Kind::Finding) => {
                for value in [self.raw.advisory_id, self.raw.vulnerability_id] {
                    one(value, each);
                }
            }
            (Index::Identifier, _) => {
                for member in members(self.raw.identifiers) {
                    match member.key {
                        b"primary" => one(member.value, each),
                        b"aliases" | b"cve" | b"ghsa" => strings(member.value, each),
                        _ => {}
                    }
                }
                list(self.raw.linkset, b"aliases", each);
            }
            (Index::Purl, Kind::Finding) => {
                for member in members(self.raw.subject) {
                    if member.key == b"component_purl" {
                        one(member.value, each);
                    }
                }
            }
            (Index::Purl, _) => list(self.raw.linkset, b"purls", each),
        }
    }

    /// The same, decoded, sorted and each once.
    #[must_use]
    pub fn values(&self, index: Index) -> Vec<String> {
        let mut values = Vec::new();
        self.terms(index, &mut |term| {
            let quoted = [b"\"", term, b"\""].concat();
            values.extend(string_value(&quoted).map(Cow::into_owned));
        });
        values.sort_unstable();
        values.dedup();
        values
    }
}

/// Reads members as long as they are strings; gives where the first other one begins, or the end.
fn forwards<'a>(text: &'a [u8], into: &mut Members<'a>) -> Option<usize> {
    if text.first() != Some(&b'{') || text.last() != Some(&b'}') {
        return None;
    }
    let mut at = 0;
    loop {
        let name_start = at + 2;
        if text.get(at + 1) != Some(&b'"') {
            return Some(text.len());
        }
        let name_end = closing(text, name_start)?;
        if text.get(name_end + 1) != Some(&b':') {
            return None;
        }
        let value_start = name_end + 2;
        if text.get(value_start) != Some(&b'"') {
            return Some(at + 1);
        }
        let value_end = closing(text, value_start + 1)? + 1;
        into.note(
            text.get(name_start..name_end)?,
            text.get(value_start..value_end)?,
        );
        at = value_end;
        if text.get(at) != Some(&b',') {
            return Some(text.len());
        }
    }
}

/// Reads members from the end, down to the one that begins at `first`, or to the evidence.
fn backwards<'a>(text: &'a [u8], first: usize, into: &mut Members<'a>) -> Option<()> {
    // Where the value ends: at the closing brace, or at the comma behind it.
    let mut end = text.len().checked_sub(1)?;
    while end > first && !is_content(text, end) {
        let value = value_start(text, end)?;
        let name_end = value.checked_sub(2)?;
        let quote = opening(text, name_end)?;
        let name = text.get(quote + 1..name_end)?;
        into.note(name, text.get(value..end)?);
        // Everything that matters of a finding stands behind its kind.
        if quote <= first || (name == b"kind" && into.kind == b"\"finding\"") {
            break;
        }
        end = quote.checked_sub(1)?;
    }
    Some(())
}

/// Whether the value that ends at `end` is a record's `content`: its last member is
/// `spec_version`. No other object of a record has one.
fn is_content(text: &[u8], end: usize) -> bool {
    let name = || {
        let closing = end.checked_sub(2)?;
        if text.get(closing..end)? != b"\"}" {
            return None;
        }
        let value = opening(text, closing)?;
        text.get(..value)
    };
    name().is_some_and(|before| before.ends_with(b",\"spec_version\":"))
}

/// Where the value begins that ends at `end`: behind the colon of its member.
fn value_start(text: &[u8], end: usize) -> Option<usize> {
    let mut at = end;
    let mut open = 0_usize;
    loop {
        at = at.checked_sub(1)?;
        match text.get(at)? {
            b'"' => at = opening(text, at)?,
            b'}' | b']' => open += 1,
            b'{' | b'[' => open = open.checked_sub(1)?,
            b':' if open == 0 => return Some(at + 1),
            _ => {}
        }
    }
}

/// The quote that opens the string whose closing quote is at `closing`.
fn opening(text: &[u8], closing: usize) -> Option<usize> {
    let mut at = closing;
    loop {
        at = memrchr(b'"', text.get(..at)?)?;
        if at == 0 || text.get(at - 1) != Some(&b'\\') {
            return Some(at);
        }
    }
}

/// The quote that closes the string whose text begins at `at`.
fn closing(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

/// The inside of a JSON string.
fn inside(value: &[u8]) -> Option<&[u8]> {
    value.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// The string that a value is.
fn one(value: &[u8], each: &mut impl FnMut(&[u8])) {
    if let Some(text) = inside(value) {
        each(text);
    }
}

/// The strings of the list that `object` has as `name`.
fn list(object: &[u8], name: &[u8], each: &mut impl FnMut(&[u8])) {
    if let Some(member) = members(object).find(|member| member.key == name) {
        strings(member.value, each);
    }
}

/// The strings of a list of strings.
fn strings(list: &[u8], each: &mut impl FnMut(&[u8])) {
    let mut at = 1;
    while list.get(at) == Some(&b'"')
        && let Some(end) = closing(list, at + 1)
    {
        each(list.get(at + 1..end).unwrap_or_default());
        at = end + 2;
    }
}

#[cfg(test)]
#[path = "terms_tests.rs"]
mod tests;
