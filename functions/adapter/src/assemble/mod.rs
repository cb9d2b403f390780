//! Assembling: the run files of all parts become the files that the profile is for.
//!
//! One process fetches what the parts were staged as, merges it on scratch and stores the result
//! under its lease; one compare-and-set names the files in the run's row, and whoever comes after
//! reads only those. Whatever happens in between leaves nothing that a row points at, so an attempt
//! always begins from its start.

mod build;
mod fetch;
mod indexes;
mod store;
mod watch;

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use export_lifecycle::{Budget, Held, PhaseError, transact};
use export_model::{AssembledFile, ErrorCode, EventBody, Part, Run, RunStatus, StagedFile, WorkId};
use export_ports::Ports;
use export_staging::{FramePool, Seal};
use export_telemetry as telemetry;
use tracing::Instrument;

use self::watch::{LOOK, Watch};
use crate::registry::Registry;
use crate::scratch::Scratch;

/// Rows a page.
const PAGE: usize = 1_000;

pub(crate) async fn assemble(
    ports: &Ports,
    registry: &Registry,
    frames: &Arc<FramePool>,
    scratch: &Path,
    held: Held,
    budget: Budget,
) -> Result<(), PhaseError> {
    let key = held.run_key();
    let span = tracing::info_span!("export.assemble", otel.name = telemetry::SPAN_ASSEMBLE,
        run_id = %key.run, tenant = %key.tenant, correlation_id = held.correlation_id(),
        phase = "adapter", profile_kind = tracing::field::Empty, adapter = tracing::field::Empty);
    async {
        match attempt(ports, registry, frames, scratch, &held, budget).await {
            Ok(()) => Ok(()),
            Err(error) => {
                report(ports, &held, &error).await;
                held.failed(ports, error).await
            }
        }
    }
    .instrument(span)
    .await
}

async fn attempt(
    ports: &Ports,
    registry: &Registry,
    frames: &Arc<FramePool>,
    scratch: &Path,
    held: &Held,
    budget: Budget,
) -> Result<(), PhaseError> {
    let started = ports.clock.now();
    let key = held.run_key();
    let run = match ports.state.run(&key).await? {
        Some(run) if run.status == RunStatus::Assembling => run,
        _ => return Err(PhaseError::Superseded),
    };
    let kind = run.profile.kind;
    let adapter = registry.find(kind).ok_or_else(|| {
        let detail = format!("no adapter of this process makes {kind}");
        PhaseError::permanent(ErrorCode::UnknownVariant, detail)
    })?;
    tracing::Span::current()
        .record("profile_kind", kind.as_str())
        .record("adapter", adapter.name);
    let parts = staged(ports, &run).await?;
    begin(ports, held, &run, &parts).await?;

    let mut watch = Watch::new(ports, held, &key, budget);
    let (root, token) = (scratch.to_owned(), held.token().to_owned());
    let scratch = blocking(move || Scratch::create(&root, &token)).await?;
    let scratch = Arc::new(scratch);
    let seal = Seal::of(ports, &run).await?;
    let to = (&run, &seal);
    let mut files = if kind.is_mirror() {
        let runs = fetch::at_hand(ports, &parts, &scratch, &mut watch).await?;
        vec![indexes::store(ports, held, to, frames, runs, &scratch, &mut watch).await?]
    } else {
        let runs = fetch::fetch(ports, &parts, &scratch, &mut watch).await?;
        let made = build::build(&run, runs, &scratch, &mut watch).await?;
        let mut files = Vec::with_capacity(made.len());
        for file in made {
            files.push(store::store(ports, held, to, &scratch, file, &mut watch).await?);
        }
        files
    };
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let millis = ports.clock.now().millis_since(started);
    complete(ports, held, &run, files, millis).await
}

async fn staged(ports: &Ports, run: &Run) -> Result<Vec<StagedFile>, PhaseError> {
    let broken = |what: String| PhaseError::permanent(ErrorCode::Internal, what);
    let mut parts: Vec<Part> = Vec::new();
    while parts.len() < run.parts as usize {
        let from = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        let page = ports.state.parts(&run.key, from, PAGE).await?;
        if page.is_empty() {
            return Err(broken(format!(
                "run {} has lost parts from {from} on",
                run.key
            )));
        }
        parts.extend(page);
    }
    parts
        .into_iter()
        // Documents that are found by nothing leave nothing to merge.
        .filter(|part| {
            let output = part.output.as_ref();
            !run.profile.kind.is_mirror() || output.is_none_or(|output| output.run_file.is_some())
        })
        .map(|part| {
            let output = part.output.as_ref();
            let staged = output.and_then(|output| output.run_file.clone());
            staged
                .ok_or_else(|| broken(format!("part {} of {} is not staged", part.index, run.key)))
        })
        .collect()
}

async fn begin(
    ports: &Ports,
    held: &Held,
    run: &Run,
    parts: &[StagedFile],
) -> Result<(), PhaseError> {
    let bytes = parts.iter().map(|part| part.size).sum();
    tracing::info!(parts = parts.len(), bytes, "assemble.start");
    transact(ports, &run.key, |draft| {
        if draft.run.status != RunStatus::Assembling {
            return Err(PhaseError::Superseded);
        }
        draft.require(held);
        draft.event(EventBody::AssembleStart {
            parts: run.parts,
            bytes,
        });
        Ok(())
    })
    .await
    .map(drop)
}

async fn complete(
    ports: &Ports,
    held: &Held,
    run: &Run,
    files: Vec<AssembledFile>,
    millis: u64,
) -> Result<(), PhaseError> {
    let bytes = files.iter().map(|file| file.content_size).sum();
    let stored = files.iter().map(|file| file.size).sum();
    let count = u32::try_from(files.len()).unwrap_or(u32::MAX);
    transact(ports, &run.key, |draft| {
        if draft.run.status != RunStatus::Assembling {
            return Err(PhaseError::Superseded);
        }
        draft.finish(held);
        draft.run.assembled.clone_from(&files);
        draft.event(EventBody::AssembleComplete {
            files: count,
            bytes,
            stored,
            millis,
        });
        draft.status(RunStatus::Signing, None);
        let run = draft.run.key.run.clone();
        draft.step(WorkId::Sign { run });
        Ok(())
    })
    .await?;
    tracing::info!(files = count, bytes, stored, millis, "assemble.complete");
    Ok(())
}

/// Tells what went wrong; that the run no longer wants its files is nothing to tell.
async fn report(ports: &Ports, held: &Held, error: &PhaseError) {
    if matches!(error, PhaseError::Superseded) {
        return;
    }
    let failure = error.failure();
    tracing::warn!(error_code = %failure.error_code, "assemble.error: {}", failure.detail);
    let told = transact(ports, &held.run_key(), |draft| {
        if draft.run.status != RunStatus::Assembling {
            return Err(PhaseError::Superseded);
        }
        draft.require(held);
        draft.event(EventBody::AssembleError {
            error_code: failure.error_code,
            detail: failure.detail.clone(),
            retried: !held.is_final(error),
        });
        Ok(())
    })
    .await;
    if let Err(error) = told
        && !matches!(error, PhaseError::Superseded)
    {
        tracing::warn!(%error, "assemble.error could not be recorded");
    }
}

/// Runs what takes long in a thread of its own, which is told whether to go on; it has the disk until it
/// ends.
async fn watched<T: Send + 'static>(
    scratch: &Arc<Scratch>,
    watch: &mut Watch<'_>,
    work: impl FnOnce(&Scratch, &dyn Fn() -> bool) -> Result<T, PhaseError> + Send + 'static,
) -> Result<T, PhaseError> {
    let stop = Stop(Arc::default());
    let (stopped, kept) = (Arc::clone(&stop.0), Arc::clone(scratch));
    let mut working = pin!(blocking(move || {
        work(&kept, &|| !stopped.load(Ordering::Relaxed))
    }));
    let why = loop {
        tokio::select! {
            done = &mut working => return done,
            () = tokio::time::sleep(LOOK) => {
                if let Err(error) = watch.look().await {
                    break error;
                }
            }
        }
    };
    drop(stop);
    // It stops soon; until then it has the disk.
    let _ = working.await;
    Err(why)
}

/// Tells the thread to stop, whichever way its caller goes.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs what blocks where it may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PhaseError> + Send + 'static,
) -> Result<T, PhaseError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|stopped| {
            let detail = format!("assembling stopped: {stopped}");
            Err(PhaseError::permanent(ErrorCode::Internal, detail))
        })
}
