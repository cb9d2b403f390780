//! Where a record's rows go: checked, counted, and bounded.

use crate::row::{
    AdvisoryRow, AdvisoryValue, DataSource, Detail, DetailRow, JavaRow, Rows, Unmapped,
    UnmappedRow, VexRow,
};

/// The longest key that the database's format takes, in bytes.
const LONGEST_KEY: usize = 32_768;
/// The longest detail of what is unmapped, in bytes.
const LONGEST_DETAIL: usize = 200;
/// The longest description that is kept, in bytes.
const LONGEST_TEXT: usize = 64 * 1024;
/// What one record may give, in bytes of constraints and texts: an advisory of many CVEs repeats both
/// for each of them.
const BUDGET: usize = 64 * 1024 * 1024;

/// What a row takes beside its texts, in bytes.
const ROW: usize = 400;

/// The rows of one record.
pub(super) struct Sink<'r> {
    rows: &'r mut Rows,
    record: String,
    left: usize,
    is_spent: bool,
}

impl<'r> Sink<'r> {
    pub(super) fn new(rows: &'r mut Rows, record: String) -> Self {
        Self {
            rows,
            record,
            left: BUDGET,
            is_spent: false,
        }
    }

    /// The rows, for what needs no check.
    pub(super) fn rows(&mut self) -> &mut Rows {
        self.rows
    }

    pub(super) fn unmapped(&mut self, reason: Unmapped, detail: &str) {
        self.rows.unmapped.push(UnmappedRow {
            reason,
            record: self.record.clone(),
            detail: shortened(detail, LONGEST_DETAIL).to_owned(),
        });
    }

    /// Takes from what the record may give; false, and counted once, where nothing is left.
    fn spend(&mut self, bytes: usize) -> bool {
        if let Some(left) = self.left.checked_sub(bytes)
            && !self.is_spent
        {
            self.left = left;
            return true;
        }
        if !self.is_spent {
            self.is_spent = true;
            self.unmapped(Unmapped::Limit, "the record gives more than 64 MiB of rows");
        }
        false
    }

    /// Whether the record has given all that it may: then nothing more needs to be made for it.
    pub(super) fn is_spent(&self) -> bool {
        self.is_spent
    }

    /// Whether a key can stand in the database. Counted where it cannot.
    fn is_key(&mut self, key: &str) -> bool {
        let valid = !key.is_empty() && key.len() <= LONGEST_KEY && !key.contains('\0');
        if !valid {
            self.unmapped(Unmapped::BadKey, key);
        }
        valid
    }

    pub(super) fn advisory(
        &mut self,
        place: &Place,
        package: &str,
        id: &str,
        value: AdvisoryValue,
    ) {
        if !self.is_key(package) || !self.is_key(id) || !self.is_key(&place.bucket) {
            return;
        }
        let keys = package.len() + id.len() + place.ecosystem.len() + place.bucket.len();
        let source = place.data_source.id.len() + place.data_source.name.len();
        if !self.spend(size(&value) + keys + source + self.record.len() + ROW) {
            return;
        }
        self.rows.advisories.push(AdvisoryRow {
            ecosystem: place.ecosystem.clone(),
            bucket: place.bucket.clone(),
            package: package.to_owned(),
            id: id.to_owned(),
            data_source: place.data_source.clone(),
            precedence: place.precedence,
            record: self.record.clone(),
            value,
        });
    }

    /// Details of one vulnerability; none where they say nothing.
    pub(super) fn detail(&mut self, id: &str, precedence: u16, value: &Detail) {
        let valid = !id.is_empty() && id.len() <= LONGEST_KEY && !id.contains('\0');
        if !valid || *value == Detail::default() {
            return;
        }
        let references: usize = value.references.iter().map(String::len).sum();
        if !self.spend(value.title.len() + value.description.len() + references + ROW) {
            return;
        }
        self.rows.details.push(DetailRow {
            id: id.to_owned(),
            precedence,
            record: self.record.clone(),
            value: value.clone(),
        });
    }

    pub(super) fn vex(&mut self, row: VexRow) {
        let parts: usize = row.subcomponents.iter().map(String::len).sum();
        let text = row.impact_statement.len() + row.product.len() + parts;
        if self.spend(text + ROW) {
            self.rows.vex.push(VexRow {
                record: self.record.clone(),
                ..row
            });
        }
    }

    pub(super) fn java(&mut self, row: JavaRow) {
        self.rows.java.push(JavaRow {
            record: self.record.clone(),
            ..row
        });
    }
}

/// Where advisories go, and by whose word.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// As [`AdvisoryRow::ecosystem`].
    pub(super) ecosystem: String,
    /// As [`AdvisoryRow::bucket`].
    pub(super) bucket: String,
    pub(super) data_source: DataSource,
    /// As [`AdvisoryRow::precedence`].
    pub(super) precedence: u16,
}

fn size(value: &AdvisoryValue) -> usize {
    match value {
        AdvisoryValue::Plain(advisory) => {
            let texts = advisory
                .vulnerable_versions
                .iter()
                .chain(&advisory.patched_versions)
                .chain(&advisory.vendor_ids);
            texts.map(|text| text.len() + 3).sum::<usize>() + advisory.entries.len() * 200
        }
        AdvisoryValue::RedHat(entries) => entries
            .iter()
            .map(|entry| (entry.cpes.len() + entry.cves.len()) * 40 + 100)
            .sum(),
    }
}

/// The text up to a limit of bytes, never cut inside of a character.
fn shortened(text: &str, limit: usize) -> &str {
    text.get(..text.floor_char_boundary(limit)).unwrap_or(text)
}

/// A description, up to 64 KiB.
pub(super) fn description(text: &str) -> String {
    shortened(text, LONGEST_TEXT).to_owned()
}
