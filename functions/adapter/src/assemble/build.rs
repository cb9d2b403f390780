//! The merge itself, in a thread of its own, watched from outside.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use export_lifecycle::PhaseError;
use export_model::{AssembledCompression, ErrorCode, ProfileKind, Run, Sha256Digest};
use export_trivy::{Compression, TrivyError, assemble_database, assemble_java};

use super::watch::LOOK;
use super::{Watch, blocking};
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
/// `level`.
pub(super) async fn build(
    run: &Run,
    level: i32,
    runs: Vec<PathBuf>,
    scratch: &Arc<Scratch>,
    watch: &mut Watch<'_>,
) -> Result<Vec<Made>, PhaseError> {
    let (kind, indexes) = (run.profile.kind, crate::layer::indexes(run));
    let stop = Stop(Arc::default());
    let (stopped, kept) = (Arc::clone(&stop.0), Arc::clone(scratch));
    let mut merging = pin!(blocking(move || {
        let proceed = || !stopped.load(Ordering::Relaxed);
        if kind.is_mirror() {
            return super::indexes::make(&indexes, level, &runs, kept.path(), &proceed);
        }
        merge(kind, level, &runs, kept.path(), &proceed)
    }));
    let why = loop {
        tokio::select! {
            made = &mut merging => return made,
            () = tokio::time::sleep(LOOK) => {
                if let Err(error) = watch.look().await {
                    break error;
                }
            }
        }
    };
    drop(stop);
    // It stops soon; until then it has the disk.
    let _ = merging.await;
    Err(why)
}

/// Tells the thread to stop, whichever way its caller goes.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
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
