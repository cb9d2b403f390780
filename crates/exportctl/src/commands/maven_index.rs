//! Filling a ledger from a Maven index, whose lines are sorted before they become records.

use std::path::PathBuf;

use export_canonical::record::Limits;
use export_intake::maven::{MavenError, MavenIndex};
use export_intake::read::{Location, ReadReport, lines};
use export_intake::wrap::WrapContext;
use export_intake::{Refusal, admit};
use export_model::{ErrorCode, Tenant, Timestamp};

use super::import::{Batches, input, refused};
use crate::failure::Failed;

/// Longest line of an index, in bytes.
const LONGEST_LINE: usize = 16 << 10;

/// Whose an index is, and where its lines are sorted.
pub(super) struct Index {
    pub(super) tenant: Tenant,
    pub(super) time: Timestamp,
    pub(super) scratch: PathBuf,
    pub(super) is_atomic: bool,
}

/// Reads every file; only when all of their lines are known do they become records.
pub(super) fn read_all(
    index: &Index,
    paths: &[PathBuf],
    batches: &mut Batches,
) -> Result<ReadReport, Failed> {
    let limits = Limits {
        bytes: LONGEST_LINE,
        ..Limits::default()
    };
    let mut report = ReadReport::default();
    let mut sorting = MavenIndex::new(index.scratch.clone());
    let mut broken = None;
    for path in paths {
        let mut sink = |_: &Location, line: Vec<u8>| {
            sorting.push(&line).map_err(|error| match error {
                MavenError::Refused(refusal) => refusal,
                scratch @ MavenError::Scratch { .. } => {
                    let refusal = Refusal::new(ErrorCode::Io, scratch.to_string());
                    broken = Some(scratch);
                    refusal
                }
            })
        };
        let one = lines(input(path), &limits, &mut sink);
        if let Some(error) = broken.take() {
            return Err(failed(error));
        }
        let one = one.map_err(|error| refused(error, index.is_atomic))?;
        report.documents += one.documents;
        report.bytes += one.bytes;
        report.skipped.extend(one.skipped);
    }
    let context = WrapContext {
        tenant: Some(&index.tenant),
        time: index.time,
        exporter_version: env!("CARGO_PKG_VERSION"),
        file_stem: None,
    };
    sorting
        .finish(&context, &mut |line| {
            admit(&line, Some(&index.tenant), &Limits::default())
                .and_then(|admitted| batches.add(admitted))
        })
        .map_err(failed)?;
    Ok(report)
}

fn failed(error: MavenError) -> Failed {
    match error {
        MavenError::Refused(refusal) => Failed::new(refusal.code, refusal.detail),
        MavenError::Scratch { folder, source } => {
            Failed::io(&format!("sorting lines in {}", folder.display()), &source)
        }
    }
}
