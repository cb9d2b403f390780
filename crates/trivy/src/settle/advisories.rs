//! The first merge's advisories: one for every ecosystem, package and id.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::unite;
use crate::TrivyError;
use crate::row::{DataSource, RedHatEntry};
use crate::runs::encode::{AdvisoryParts, PLAIN, RED_HAT, advisory_group};
use crate::runs::key::{self, Fields};
use crate::runs::{Scratch, ScratchSorter};
use crate::summary::DatabaseSummary;

/// Bytes of rows that each of the sorters here keeps.
const SORT_BYTES: usize = 8 * 1024 * 1024;
/// Buckets that one database may have; upstream's has some 400. They are kept in memory.
const MAX_BUCKETS: usize = 65_536;
/// Red Hat products that one database may have; Red Hat's own has some 3,000. They are kept in
/// memory, because a product's number is its place among all of them.
const MAX_CPES: usize = 250_000;

/// What all rows of a group have said so far.
struct Open {
    bucket: String,
    precedence: u16,
    data_source: Vec<u8>,
    severity: u8,
    value: Value,
}

enum Value {
    /// One row's, which is written as it came.
    Raw {
        shape: u8,
        json: Vec<u8>,
    },
    Plain(Box<unite::Plain>),
    RedHat(unite::RedHat),
}

/// A bucket's feed.
struct Source {
    precedence: u16,
    json: Vec<u8>,
    parsed: DataSource,
}

/// Takes rows in the order of their keys, and settles each group when the next begins.
pub(super) struct Advisories {
    group: Vec<u8>,
    open: Option<Open>,
    /// By bucket, package and id: shape, and JSON.
    settled: ScratchSorter,
    /// By vulnerability: who speaks of it, and the package's severity.
    uses: ScratchSorter,
    sources: BTreeMap<String, Source>,
    cpes: BTreeSet<String>,
    last_package: (String, String),
    key: Vec<u8>,
    value: Vec<u8>,
}

/// What is left of advisories after the first merge.
pub(super) struct SettledAdvisories {
    pub(super) advisories: Scratch,
    pub(super) uses: Scratch,
    pub(super) sources: BTreeMap<String, DataSource>,
    pub(super) cpes: BTreeSet<String>,
}

impl Advisories {
    pub(super) fn new(scratch: &Path) -> Result<Self, TrivyError> {
        Ok(Self {
            group: Vec::new(),
            open: None,
            settled: ScratchSorter::create(scratch.join("advisories.rows"), SORT_BYTES)?,
            uses: ScratchSorter::create(scratch.join("uses.rows"), SORT_BYTES)?,
            sources: BTreeMap::new(),
            cpes: BTreeSet::new(),
            last_package: (String::new(), String::new()),
            key: Vec::new(),
            value: Vec::new(),
        })
    }

    pub(super) fn push(
        &mut self,
        key: &[u8],
        value: &[u8],
        summary: &mut DatabaseSummary,
    ) -> Result<(), TrivyError> {
        let end = advisory_group(key).ok_or(TrivyError::Row)?;
        let parts = AdvisoryParts::of(value).ok_or(TrivyError::Row)?;
        let mut fields = Fields::new(key, end);
        let precedence = u16::from_be_bytes(fields.bytes().ok_or(TrivyError::Row)?);
        let bucket = fields.text().ok_or(TrivyError::Row)?;
        if key.get(..end) != Some(&self.group) {
            self.close(summary)?;
            self.group.clear();
            self.group
                .extend_from_slice(key.get(..end).unwrap_or_default());
            self.open = Some(Open {
                bucket,
                precedence,
                data_source: parts.data_source.to_vec(),
                severity: parts.severity,
                value: Value::Raw {
                    shape: parts.shape,
                    json: parts.json.to_vec(),
                },
            });
            return Ok(());
        }
        let open = self.open.as_mut().ok_or(TrivyError::Row)?;
        if open.bucket != bucket {
            summary.feed(&bucket)?.superseded += 1;
        } else if !open.join(&parts)? {
            summary.feed(&bucket)?.conflicting += 1;
        }
        Ok(())
    }

    fn close(&mut self, summary: &mut DatabaseSummary) -> Result<(), TrivyError> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let mut fields = Fields::new(&self.group, 1);
        let mut field = || fields.text().ok_or(TrivyError::Row);
        let (ecosystem, package, id) = (field()?, field()?, field()?);
        let source = self.source(&open)?;
        summary.feed(&open.bucket)?.advisories += 1;
        let counts = summary.ecosystem(&ecosystem);
        counts.advisories += 1;
        if self.last_package.0 != ecosystem || self.last_package.1 != package {
            counts.packages += 1;
        }

        self.key.clear();
        for text in [&open.bucket, &package, &id] {
            key::push(&mut self.key, text);
        }
        self.value.clear();
        let serialise = TrivyError::Serialise;
        match open.value {
            Value::Raw { shape: PLAIN, json } => {
                self.value.push(PLAIN);
                self.value.extend_from_slice(&json);
                self.use_of(&id, &ecosystem, &source, open.severity)?;
            }
            Value::Plain(united) => {
                let plain = united.finish();
                self.value.push(PLAIN);
                serde_json::to_writer(&mut self.value, &plain).map_err(serialise)?;
                self.use_of(&id, &ecosystem, &source, plain.severity)?;
            }
            Value::Raw { json, .. } => {
                let entries: Vec<RedHatEntry> =
                    serde_json::from_slice(&json).map_err(|_| TrivyError::Row)?;
                self.value.push(RED_HAT);
                self.value.extend_from_slice(&json);
                self.red_hat(&id, &ecosystem, &source, entries)?;
            }
            Value::RedHat(united) => {
                let entries = united.finish();
                self.value.push(RED_HAT);
                serde_json::to_writer(&mut self.value, &entries).map_err(serialise)?;
                self.red_hat(&id, &ecosystem, &source, entries)?;
            }
        }
        self.settled.push(&self.key, &self.value)?;
        self.last_package = (ecosystem, package);
        Ok(())
    }

    /// The id of the feed of a row that is written; the feed becomes its bucket's.
    fn source(&mut self, open: &Open) -> Result<String, TrivyError> {
        if let Some(known) = self.sources.get(&open.bucket)
            && known.json == open.data_source
            && known.precedence <= open.precedence
        {
            return Ok(known.parsed.id.clone());
        }
        let parsed: DataSource =
            serde_json::from_slice(&open.data_source).map_err(|_| TrivyError::Row)?;
        let id = parsed.id.clone();
        let better = self
            .sources
            .get(&open.bucket)
            .is_none_or(|known| (open.precedence, &parsed) < (known.precedence, &known.parsed));
        if better {
            let source = Source {
                precedence: open.precedence,
                json: open.data_source.clone(),
                parsed,
            };
            self.sources.insert(open.bucket.clone(), source);
            if self.sources.len() > MAX_BUCKETS {
                return Err(TrivyError::TooMany {
                    what: "buckets",
                    max: MAX_BUCKETS,
                });
            }
        }
        Ok(id)
    }

    fn red_hat(
        &mut self,
        id: &str,
        ecosystem: &str,
        source: &str,
        entries: Vec<RedHatEntry>,
    ) -> Result<(), TrivyError> {
        if entries.iter().all(|entry| entry.cves.is_empty()) {
            self.use_of(id, ecosystem, source, 0)?;
        }
        for entry in entries {
            for (cve, severity) in &entry.cves {
                self.use_of(cve, ecosystem, source, *severity)?;
            }
            self.cpes.extend(entry.cpes);
        }
        within_cpes(&self.cpes)
    }

    fn use_of(
        &mut self,
        id: &str,
        ecosystem: &str,
        source: &str,
        severity: u8,
    ) -> Result<(), TrivyError> {
        let mut row = Vec::with_capacity(id.len() + ecosystem.len() + source.len() + 8);
        for text in [id, ecosystem, source] {
            key::push(&mut row, text);
        }
        row.push(severity);
        self.uses.push(&row, &[])
    }

    /// Settles the last group.
    pub(super) fn finish(
        mut self,
        summary: &mut DatabaseSummary,
    ) -> Result<SettledAdvisories, TrivyError> {
        self.close(summary)?;
        Ok(SettledAdvisories {
            advisories: self.settled.finish()?,
            uses: self.uses.finish()?,
            sources: self
                .sources
                .into_iter()
                .map(|(bucket, source)| (bucket, source.parsed))
                .collect(),
            cpes: self.cpes,
        })
    }
}

/// Whether there are not too many products.
pub(super) fn within_cpes(cpes: &BTreeSet<String>) -> Result<(), TrivyError> {
    if cpes.len() > MAX_CPES {
        return Err(TrivyError::TooMany {
            what: "Red Hat products",
            max: MAX_CPES,
        });
    }
    Ok(())
}

impl Open {
    /// Adds another row of the same feed; `false` where it contradicts.
    fn join(&mut self, other: &AdvisoryParts<'_>) -> Result<bool, TrivyError> {
        if let Value::Raw { shape, json } = &self.value {
            if *shape == other.shape && json == other.json {
                return Ok(true);
            }
            let bad = |_| TrivyError::Row;
            self.value = if *shape == PLAIN {
                let winner = serde_json::from_slice(json).map_err(bad)?;
                Value::Plain(Box::new(unite::Plain::new(winner)))
            } else {
                let mut united = unite::RedHat::default();
                united.add(serde_json::from_slice(json).map_err(bad)?);
                Value::RedHat(united)
            };
        }
        Ok(match (&mut self.value, other.shape) {
            (Value::Plain(winner), PLAIN) => winner.add(other.plain().ok_or(TrivyError::Row)?),
            (Value::RedHat(winner), RED_HAT) => {
                let entries = serde_json::from_slice(other.json).map_err(|_| TrivyError::Row)?;
                winner.add(entries);
                true
            }
            _ => false,
        })
    }
}
