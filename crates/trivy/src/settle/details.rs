//! The first merge's details: one for every vulnerability that an advisory is about.

use std::path::Path;

use super::severity::{self, of_finding};
use crate::TrivyError;
use crate::merge::{Merge, Proceed};
use crate::row::Detail;
use crate::runs::key::Fields;
use crate::runs::{Scratch, ScratchChunk};
use crate::summary::DatabaseSummary;

/// Takes rows in the order of their ids, beside the sorted uses of ids by advisories.
pub(super) struct Details<'a> {
    uses: Uses<'a>,
    /// The id of the group, as it stands in keys.
    id: Vec<u8>,
    open: Option<Detail>,
    out: ScratchChunk,
}

impl<'a> Details<'a> {
    pub(super) fn new(
        uses: &Scratch,
        scratch: &Path,
        proceed: Proceed<'a>,
    ) -> Result<Self, TrivyError> {
        let merge = Merge::open(uses.chunks(), scratch, "uses", proceed)?;
        Ok(Self {
            uses: Uses::new(merge)?,
            id: Vec::new(),
            open: None,
            out: ScratchChunk::create(scratch.join("details.rows"))?,
        })
    }

    pub(super) fn push(
        &mut self,
        key: &[u8],
        value: &[u8],
        summary: &mut DatabaseSummary,
    ) -> Result<(), TrivyError> {
        let mut fields = Fields::new(key, 1);
        fields.skip().ok_or(TrivyError::Row)?;
        let id = key.get(1..fields.position()).ok_or(TrivyError::Row)?;
        let parse = || serde_json::from_slice(value).map_err(|_| TrivyError::Row);
        if id != self.id {
            self.close(summary)?;
            self.id.clear();
            self.id.extend_from_slice(id);
            self.uses.pass_below(id, summary)?;
            if self.uses.is_at(id) {
                self.open = Some(parse()?);
            } else {
                summary.vulnerabilities.unused += 1;
            }
        } else if let Some(open) = &mut self.open {
            unite(open, parse()?);
        }
        Ok(())
    }

    fn close(&mut self, summary: &mut DatabaseSummary) -> Result<(), TrivyError> {
        let Some(mut detail) = self.open.take() else {
            return Ok(());
        };
        detail.severity = severity::fallback(&detail);
        self.uses.pass(&self.id, &detail, summary)?;
        summary.vulnerabilities.written += 1;
        let json = serde_json::to_vec(&detail).map_err(TrivyError::Serialise)?;
        self.out.push(&self.id, &json)
    }

    pub(super) fn finish(mut self, summary: &mut DatabaseSummary) -> Result<Scratch, TrivyError> {
        self.close(summary)?;
        self.uses.pass_rest(summary)?;
        self.out.finish()
    }
}

/// Adds what a row of a higher rank says to those before it.
pub(super) fn unite(into: &mut Detail, from: Detail) {
    let text = |into: &mut String, from: String| {
        if into.is_empty() {
            *into = from;
        }
    };
    // The string is that of whoever came first, and a number that came first counts as one.
    if into.severity.is_empty() && into.vendor_severity.is_empty() {
        into.severity = from.severity;
    }
    text(&mut into.title, from.title);
    text(&mut into.description, from.description);
    into.published_date = into.published_date.take().or(from.published_date);
    into.last_modified_date = into.last_modified_date.take().or(from.last_modified_date);
    into.cwe_ids.extend(from.cwe_ids);
    into.references.extend(from.references);
    for (source, severity) in from.vendor_severity {
        into.vendor_severity.entry(source).or_insert(severity);
    }
    for (source, cvss) in from.cvss {
        into.cvss.entry(source).or_insert(cvss);
    }
}

/// The uses of ids, one after the other.
struct Uses<'a> {
    merge: Merge<'a>,
    /// The next one's key; empty after the last.
    next: Vec<u8>,
    id_end: usize,
}

impl<'a> Uses<'a> {
    fn new(merge: Merge<'a>) -> Result<Self, TrivyError> {
        let mut uses = Self {
            merge,
            next: Vec::new(),
            id_end: 0,
        };
        uses.advance()?;
        Ok(uses)
    }

    fn advance(&mut self) -> Result<(), TrivyError> {
        self.next.clear();
        self.id_end = 0;
        if let Some((key, _)) = self.merge.next()? {
            self.next.extend_from_slice(key);
            let mut fields = Fields::new(key, 0);
            fields.skip().ok_or(TrivyError::Row)?;
            self.id_end = fields.position();
        }
        Ok(())
    }

    fn id(&self) -> &[u8] {
        self.next.get(..self.id_end).unwrap_or_default()
    }

    fn is_at(&self, id: &[u8]) -> bool {
        !self.next.is_empty() && self.id() == id
    }

    fn pass_below(&mut self, id: &[u8], summary: &mut DatabaseSummary) -> Result<(), TrivyError> {
        while !self.next.is_empty() && self.id() < id {
            summary.vulnerabilities.without_details += 1;
            self.count(&Detail::default(), summary)?;
        }
        Ok(())
    }

    fn pass(
        &mut self,
        id: &[u8],
        detail: &Detail,
        summary: &mut DatabaseSummary,
    ) -> Result<(), TrivyError> {
        if self.is_at(id) {
            self.count(detail, summary)?;
        }
        Ok(())
    }

    fn pass_rest(&mut self, summary: &mut DatabaseSummary) -> Result<(), TrivyError> {
        while !self.next.is_empty() {
            summary.vulnerabilities.without_details += 1;
            self.count(&Detail::default(), summary)?;
        }
        Ok(())
    }

    /// Counts the severity of every use of the id that is next.
    fn count(&mut self, detail: &Detail, summary: &mut DatabaseSummary) -> Result<(), TrivyError> {
        let id_bytes = self.id().to_vec();
        while self.is_at(&id_bytes) {
            let mut fields = Fields::new(&self.next, 0);
            let mut text = || fields.text().ok_or(TrivyError::Row);
            let (id, ecosystem, source) = (text()?, text()?, text()?);
            let [package] = fields.bytes().ok_or(TrivyError::Row)?;
            let severity = of_finding(package, &source, &id, detail);
            let same = self.next.clone();
            let mut uses = 0;
            while self.next == same {
                uses += 1;
                self.advance()?;
            }
            summary.ecosystem(&ecosystem).severities.add(severity, uses);
        }
        Ok(())
    }
}
