//! `trivy:db`: from sorted runs to the payload's files.

mod red_hat;
mod tree;

pub(crate) use tree::OWN_BUCKETS;

use std::path::{Path, PathBuf};

use time::Duration;

use crate::TrivyError;
use crate::assembled::{Assembled, Summary, summary_file};
use crate::layer::{self, LayerKind};
use crate::merge::Proceed;
use crate::metadata::{DATABASE_SCHEMA, Metadata};
use crate::settle::{open_runs, settle};
use crate::summary::EcosystemSummary;

/// For how long a scanner takes the database for fresh; upstream's own.
const FRESH_FOR: Duration = Duration::hours(24);

/// Makes `payload/db.tar`, `payload/summary.json`, `payload/unmapped.jsonl` and, if there are
/// statements, `payload/vex/openvex.json`, of runs that [`crate::runs::RunWriter`] wrote.
///
/// The bytes are a function of the rows: neither of how runs are cut, nor of their order. All
/// files, and what is needed on the way, are in the folder `scratch`, which must be there and should be
/// empty; it takes about three times the database. `proceed` is asked every few thousand rows.
///
/// # Errors
/// [`TrivyError::Run`] for a damaged run, [`TrivyError::File`], [`TrivyError::TooMany`],
/// [`TrivyError::ReservedBucket`], [`TrivyError::Bolt`], [`TrivyError::MemberTooLarge`] (8 GiB), and
/// [`TrivyError::Cancelled`] once `proceed` says `false`.
pub fn assemble_database(
    runs: &[PathBuf],
    scratch: &Path,
    proceed: &dyn Fn() -> bool,
) -> Result<Assembled, TrivyError> {
    let (modified, chunks) = open_runs(runs)?;
    let settled = settle(chunks, scratch, proceed)?;
    let database = scratch.join(LayerKind::Database.member());
    tree::write(&settled, &database, scratch, proceed)?;
    let mut summary = settled.summary;
    let (vex, unmapped) = (settled.vex, settled.unmapped);
    drop((settled.advisories, settled.details, settled.repositories));

    let metadata = Metadata::new(DATABASE_SCHEMA, modified.as_deref(), FRESH_FOR)?;
    let count = |ecosystem: &EcosystemSummary| ecosystem.advisories;
    let (layer, members) = layer::write(
        LayerKind::Database,
        &database,
        &metadata.to_bytes()?,
        scratch.join(LayerKind::Database.file_name()),
        summary.ecosystems.values().map(count).sum(),
        proceed,
    )?;
    remove(&database, proceed)?;
    summary.schema_version = DATABASE_SCHEMA;
    summary.members = members;
    let mut files = vec![layer, summary_file(scratch, &summary)?, unmapped];
    files.extend(vex);
    Ok(Assembled {
        files,
        summary: Summary::Database(summary),
    })
}

/// Gives the space of what is in the layer back, and looks for the last time whether to go on.
pub(crate) fn remove(database: &Path, proceed: Proceed<'_>) -> Result<(), TrivyError> {
    std::fs::remove_file(database).map_err(TrivyError::file("remove", database))?;
    if proceed() {
        Ok(())
    } else {
        Err(TrivyError::Cancelled)
    }
}

#[cfg(test)]
mod tests;
