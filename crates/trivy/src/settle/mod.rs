//! Settling: the first merge.
//!
//! All rows of all runs pass once, in order. Of an ecosystem, package and id one advisory remains; of
//! a vulnerability, one description, if an advisory is about it; statements and what could not be
//! mapped go to their documents. What remains is sorted on scratch as the database's file needs it.

mod advisories;
mod details;
mod severity;
mod unite;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use self::advisories::{Advisories, SettledAdvisories, within_cpes};
use self::details::Details;
use crate::TrivyError;
use crate::assembled::AssembledFile;
use crate::listing::Listing;
use crate::merge::{Merge, Proceed};
use crate::row::DataSource;
use crate::runs::encode::Kind;
use crate::runs::key::Fields;
use crate::runs::{RunReader, Scratch, ScratchChunk};
use crate::summary::DatabaseSummary;
use crate::vex::Statements;

/// What the database's file is written from.
pub(crate) struct Settled {
    /// By bucket, package and id: shape, and JSON.
    pub(crate) advisories: Scratch,
    /// By id: JSON.
    pub(crate) details: Scratch,
    /// Red Hat's content sets and products, in order.
    pub(crate) repositories: Scratch,
    /// Red Hat's products, in the order that numbers them.
    pub(crate) cpes: Vec<String>,
    /// The feed of every bucket.
    pub(crate) sources: BTreeMap<String, DataSource>,
    /// The statements' document, if there are any.
    pub(crate) vex: Option<AssembledFile>,
    /// The listing of what could not be mapped.
    pub(crate) unmapped: AssembledFile,
    pub(crate) summary: DatabaseSummary,
}

/// Where the merge is: what a row's kind is written to.
enum Stage<'a> {
    Advisories(Box<Advisories>),
    Rest(Box<Rest<'a>>),
}

struct Rest<'a> {
    settled: SettledAdvisories,
    repositories: ScratchChunk,
    details: Details<'a>,
}

/// Opens every run; the newest time that any states, and all chunks.
pub(crate) fn open_runs(
    runs: &[PathBuf],
) -> Result<(Option<String>, Vec<crate::runs::ChunkAt>), TrivyError> {
    let mut newest: Option<time::OffsetDateTime> = None;
    let mut chunks = Vec::new();
    for path in runs {
        let run = RunReader::open(path)?;
        if let Some(text) = &run.summary().modified {
            newest = newest.max(Some(crate::metadata::parse(text)?));
        }
        chunks.extend(run.chunks());
    }
    Ok((newest.map(crate::runs::rfc3339), chunks))
}

/// Merges all of `chunks`.
pub(crate) fn settle<'a>(
    chunks: Vec<crate::runs::ChunkAt>,
    scratch: &Path,
    proceed: Proceed<'a>,
) -> Result<Settled, TrivyError> {
    let mut merge = Merge::open(chunks, scratch, "runs", proceed)?;
    let mut summary = DatabaseSummary::default();
    let mut stage = Stage::Advisories(Box::new(Advisories::new(scratch)?));
    let mut statements = Statements::create(scratch)?;
    let mut listing = Listing::create(scratch)?;
    let mut last = Vec::new();
    while let Some((key, value)) = merge.next()? {
        let kind = Kind::of(key).ok_or(TrivyError::Row)?;
        if kind != Kind::Advisory
            && let Stage::Advisories(advisories) = stage
        {
            stage = rest(*advisories, &mut summary, scratch, proceed)?;
        }
        match (&mut stage, kind) {
            (Stage::Advisories(advisories), _) => advisories.push(key, value, &mut summary)?,
            (Stage::Rest(rest), Kind::Repository) => {
                if last != key {
                    rest.repository(key)?;
                }
                last.clear();
                last.extend_from_slice(key);
            }
            (Stage::Rest(rest), Kind::Detail) => rest.details.push(key, value, &mut summary)?,
            (Stage::Rest(_), Kind::Vex) => statements.push(value)?,
            (Stage::Rest(_), Kind::Unmapped) => listing.push(key)?,
            (Stage::Rest(_), Kind::Advisory | Kind::Java) => {}
        }
    }
    if let Stage::Advisories(advisories) = stage {
        stage = rest(*advisories, &mut summary, scratch, proceed)?;
    }
    let Stage::Rest(rest) = stage else {
        return Err(TrivyError::Row);
    };
    let details = rest.details.finish(&mut summary)?;
    summary.vex_statements = statements.count();
    let (unmapped, reasons) = listing.finish()?;
    summary.unmapped = reasons;
    Ok(Settled {
        advisories: rest.settled.advisories,
        details,
        repositories: rest.repositories.finish()?,
        cpes: rest.settled.cpes.into_iter().collect(),
        sources: rest.settled.sources,
        vex: statements.finish()?,
        unmapped,
        summary,
    })
}

/// After the last advisory: which ids have details is known.
fn rest<'a>(
    advisories: Advisories,
    summary: &mut DatabaseSummary,
    scratch: &Path,
    proceed: Proceed<'a>,
) -> Result<Stage<'a>, TrivyError> {
    let settled = advisories.finish(summary)?;
    let details = Details::new(&settled.uses, scratch, proceed)?;
    Ok(Stage::Rest(Box::new(Rest {
        settled,
        repositories: ScratchChunk::create(scratch.join("repositories.rows"))?,
        details,
    })))
}

impl Rest<'_> {
    fn repository(&mut self, key: &[u8]) -> Result<(), TrivyError> {
        let mut fields = Fields::new(key, 1);
        fields.skip().ok_or(TrivyError::Row)?;
        let cpe = fields.text().ok_or(TrivyError::Row)?;
        let cpes: &mut BTreeSet<String> = &mut self.settled.cpes;
        cpes.insert(cpe);
        within_cpes(cpes)?;
        self.repositories
            .push(key.get(1..).unwrap_or_default(), &[])
    }
}
