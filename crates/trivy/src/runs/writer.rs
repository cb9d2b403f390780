//! Writing a run.

use std::io::Write;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::chunk::{Counted, MAX_ROW_BYTES};
use super::encode::{Encoded, bad_key};
use super::index::{self, MAGIC, RowCounts, RunSummary};
use super::sorter::Sorter;
use crate::TrivyError;
use crate::row::{AdvisoryRow, AdvisoryValue, DetailRow, Rows, UnmappedRow};

/// Bytes of rows that a run keeps before it writes a chunk, where the caller has no better number:
/// 24 MiB.
pub const RUN_BUDGET_BYTES: usize = 24 * 1024 * 1024;

/// Writes the rows of a part as sorted chunks. The bytes are a function of the rows, of the order in
/// which they were pushed, and of the budget.
pub struct RunWriter<W: Write> {
    sorter: Sorter<W>,
    encoded: Encoded,
    rows: RowCounts,
    modified: Option<OffsetDateTime>,
}

impl<W: Write> RunWriter<W> {
    /// Writes to `sink`, which need not be seekable, and keeps about `budget_bytes` of rows
    /// ([`RUN_BUDGET_BYTES`]).
    ///
    /// # Errors
    /// [`TrivyError::Sink`] where the sink refuses the first bytes.
    pub fn new(sink: W, budget_bytes: usize) -> Result<Self, TrivyError> {
        let mut sink = Counted {
            inner: sink,
            written: 0,
        };
        sink.write_all(MAGIC).map_err(TrivyError::Sink)?;
        Ok(Self {
            sorter: Sorter::new(sink, budget_bytes),
            encoded: Encoded::default(),
            rows: RowCounts::default(),
            modified: None,
        })
    }

    /// Adds all that one record gave, or several. Rows of packages whose names the database's format
    /// does not take as keys are kept as unmapped.
    ///
    /// # Errors
    /// [`TrivyError::Sink`] where a chunk could not be written, [`TrivyError::RowTooLarge`],
    /// [`TrivyError::Time`] where `modified` is no RFC 3339 time.
    pub fn push(&mut self, rows: Rows) -> Result<(), TrivyError> {
        if let Some(text) = rows.modified {
            let Ok(time) = OffsetDateTime::parse(&text, &Rfc3339) else {
                return Err(TrivyError::Time { text });
            };
            self.modified = self.modified.max(Some(time));
        }
        for row in rows.advisories {
            self.advisory(row)?;
        }
        for row in rows.details {
            self.detail(row)?;
        }
        for row in rows.repositories {
            if let Some(unmapped) = bad_key("", &[&row.content_set, &row.cpe]) {
                self.unmapped(&unmapped)?;
                continue;
            }
            self.encoded.repository(&row);
            self.rows.repositories += 1;
            self.spill_encoded(&row.content_set)?;
        }
        for row in rows.vex {
            self.encoded.vex(&row)?;
            self.rows.vex += 1;
            self.spill_encoded(&row.record)?;
        }
        for row in rows.java {
            self.encoded.java(&row);
            self.rows.java += 1;
            self.spill_encoded(&row.record)?;
        }
        for row in rows.unmapped {
            self.unmapped(&row)?;
        }
        Ok(())
    }

    fn advisory(&mut self, mut row: AdvisoryRow) -> Result<(), TrivyError> {
        let names = [&*row.ecosystem, &row.bucket, &row.package, &row.id];
        if let Some(unmapped) = bad_key(&row.record, &names) {
            return self.unmapped(&unmapped);
        }
        match &mut row.value {
            AdvisoryValue::Plain(plain) => plain.severity = known(plain.severity),
            AdvisoryValue::RedHat(entries) => {
                for (_, severity) in entries.iter_mut().flat_map(|entry| &mut entry.cves) {
                    *severity = known(*severity);
                }
            }
        }
        self.encoded.advisory(&row)?;
        self.rows.advisories += 1;
        self.spill_encoded(&row.record)
    }

    fn detail(&mut self, mut row: DetailRow) -> Result<(), TrivyError> {
        if let Some(unmapped) = bad_key(&row.record, &[&row.id]) {
            return self.unmapped(&unmapped);
        }
        row.value
            .vendor_severity
            .retain(|_, severity| known(*severity) != 0);
        self.encoded.detail(&row)?;
        self.rows.details += 1;
        self.spill_encoded(&row.record)
    }

    fn unmapped(&mut self, row: &UnmappedRow) -> Result<(), TrivyError> {
        self.encoded.unmapped(row);
        self.rows.unmapped += 1;
        self.spill_encoded(&row.record)
    }

    fn spill_encoded(&mut self, record: &str) -> Result<(), TrivyError> {
        let Encoded { key, value } = &self.encoded;
        let size = key.len() + value.len();
        if size > MAX_ROW_BYTES {
            return Err(TrivyError::RowTooLarge {
                size,
                max: MAX_ROW_BYTES,
                record: record.to_owned(),
            });
        }
        self.sorter.push(key, value).map_err(TrivyError::Sink)
    }

    /// Writes what is left, and the index; what the run holds, and the sink.
    ///
    /// # Errors
    /// [`TrivyError::Sink`].
    pub fn finish(self) -> Result<(RunSummary, W), TrivyError> {
        let (chunks, mut sink) = self.sorter.finish().map_err(TrivyError::Sink)?;
        let summary = RunSummary {
            chunks,
            rows: self.rows,
            modified: self.modified.map(rfc3339),
        };
        index::write(&mut sink, &summary).map_err(TrivyError::Sink)?;
        sink.flush().map_err(TrivyError::Sink)?;
        Ok((summary, sink.inner))
    }
}

/// A severity that the scanner knows: it stops, in a panic, at any other.
fn known(severity: u8) -> u8 {
    if severity <= 4 { severity } else { 0 }
}

/// The time in UTC.
pub(crate) fn rfc3339(time: OffsetDateTime) -> String {
    let utc = time.checked_to_offset(time::UtcOffset::UTC).unwrap_or(time);
    // Cannot fail for a time that was read from RFC 3339, but for one beyond year 9999 in UTC.
    utc.format(&Rfc3339)
        .unwrap_or_else(|_| "9999-12-31T23:59:59Z".to_owned())
}
