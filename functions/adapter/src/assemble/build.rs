//! The merge of what becomes databases, in a thread of its own, watched from outside.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use export_lifecycle::PhaseError;
use export_model::{AssembledCompression, ErrorCode, ProfileKind, Run, Sha256Digest};
use export_trivy::{Compression, TrivyError, assemble_database, assemble_java};

use super::{Watch, watched};
use crate::run_file::told;
use crate::scratch::{self, Scratch};

/// A file that was made, still on scratch.
pub(super) struct Made {
    /// Its path in the bundle.
    pub(super) path: String,
    /// Where it is.
    pub(super) file: PathBuf,
    pub(super) media_type: &'static str,
    /// How it is to be stored.
    pub(super) compression: Option<AssembledCompression>,
    /// Size and digest on scratch.
    pub(super) made: (u64, Sha256Digest),
    /// Size and digest before compression.
    pub(super) content: (u64, Sha256Digest),
}

/// Merges `runs` into the files of `run`'s kind. What is compressed on its way to storage is compressed at
/// the profile's level.
pub(super) async fn build(
    run: &Run,
    runs: Vec<PathBuf>,
    scratch: &Arc<Scratch>,
    watch: &mut Watch<'_>,
) -> Result<Vec<Made>, PhaseError> {
    let (kind, level) = (run.profile.kind, run.profile.config.compression.level);
    watched(scratch, watch, move |scratch, proceed| {
        merge(kind, level, &runs, scratch.path(), proceed)
    })
    .await
}

fn merge(
    kind: ProfileKind,
    level: i32,
    runs: &[PathBuf],
    scratch: &Path,
    proceed: &dyn Fn() -> bool,
) -> Result<Vec<Made>, PhaseError> {
    let folder = scratch.join("made");
    std::fs::create_dir(&folder).map_err(|e| scratch::failed("creating", &folder, e))?;
    let made = match kind {
        ProfileKind::TrivyDb => assemble_database(runs, &folder, proceed),
        ProfileKind::TrivyJavaDb => assemble_java(runs, &folder, proceed),
        ProfileKind::JsonRaw
        | ProfileKind::JsonPolicy
        | ProfileKind::MirrorFull
        | ProfileKind::MirrorDelta => {
            let detail = format!("{kind} is not assembled");
            return Err(PhaseError::permanent(ErrorCode::Internal, detail));
        }
    };
    let made = made.map_err(|error| failed(scratch, error))?;
    for run in runs {
        // What is stored next wants space too.
        std::fs::remove_file(run).map_err(|e| scratch::failed("removing", run, e))?;
    }
    Ok(made
        .files
        .into_iter()
        .map(|file| name(file, level))
        .collect())
}

/// A file as the bundle has it: lines are compressed, and a name says how.
fn name(file: export_trivy::AssembledFile, level: i32) -> Made {
    let (suffix, compression) = match file.compression {
        Compression::Gzip { level } => {
            let level = i32::try_from(level).unwrap_or(i32::MAX);
            (".gz", Some(AssembledCompression::Gzip { level }))
        }
        Compression::None if file.path.ends_with(".jsonl") => {
            (".zst", Some(AssembledCompression::Zstd { level }))
        }
        Compression::None => ("", None),
    };
    Made {
        path: format!("{}{suffix}", file.path),
        file: file.stored,
        media_type: file.media_type,
        compression,
        made: (file.size, Sha256Digest(file.sha256)),
        content: (file.content_size, Sha256Digest(file.content_sha256)),
    }
}

fn failed(scratch: &Path, error: TrivyError) -> PhaseError {
    if error.is_full() {
        return scratch::full(scratch);
    }
    match error {
        // Whoever asked for that says why.
        TrivyError::Cancelled => PhaseError::Superseded,
        TrivyError::File {
            doing,
            path,
            source,
        } => scratch::failed(doing, &path, source),
        other => {
            let code = match &other {
                TrivyError::Run { .. } => ErrorCode::Storage,
                TrivyError::MemberTooLarge { .. } | TrivyError::TooMany { .. } => {
                    ErrorCode::TooManyParts
                }
                _ => ErrorCode::Internal,
            };
            PhaseError::permanent(code, format!("merging parts: {}", told(&other)))
        }
    }
}
