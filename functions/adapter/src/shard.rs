//! A shard: consecutive parts, written one after the other under one lease.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use export_lifecycle::{Budget, Held, PhaseError, transact};
use export_model::{ErrorCode, EventBody, Part, PartOutput, Run, RunStatus, Timestamp, WorkId};
use export_ports::Ports;
use tracing::Instrument;

use crate::part::{self, Job};
use crate::registry::Registry;
use export_staging::{FramePool, Seal};

pub(crate) async fn export(
    ports: &Ports,
    registry: &Registry,
    frames: &Arc<FramePool>,
    scratch: &Path,
    held: Held,
    budget: Budget,
) -> Result<(), PhaseError> {
    let key = held.run_key();
    let span = tracing::info_span!("adapter", run_id = %key.run, tenant = %key.tenant,
        correlation_id = held.correlation_id(), phase = "adapter", profile_kind = tracing::field::Empty, adapter = tracing::field::Empty);
    async {
        match parts(ports, registry, frames, scratch, &held, budget).await {
            Ok(Progress::Done) => Ok(()),
            Ok(Progress::OutOfTime) => held.give_back(ports, Duration::ZERO).await,
            Err(error) => held.failed(ports, error).await,
        }
    }
    .instrument(span)
    .await
}

enum Progress {
    /// Every part is committed, and with the last one the step.
    Done,
    /// The deadline is near; parts are left.
    OutOfTime,
}

async fn parts(
    ports: &Ports,
    registry: &Registry,
    frames: &Arc<FramePool>,
    scratch: &Path,
    held: &Held,
    budget: Budget,
) -> Result<Progress, PhaseError> {
    let WorkId::Shard { first, last, .. } = *held.work() else {
        let detail = format!("{} is no shard", held.work());
        return Err(PhaseError::permanent(ErrorCode::Internal, detail));
    };
    let key = held.run_key();
    let run = exporting(ports.state.run(&key).await?)?;
    let kind = run.profile.kind;
    let adapter = registry.find(kind).ok_or_else(|| {
        let detail = format!("no adapter of this process makes {kind}");
        PhaseError::permanent(ErrorCode::UnknownVariant, detail)
    })?;
    tracing::Span::current()
        .record("profile_kind", kind.as_str())
        .record("adapter", adapter.name);
    let mut selectors = run.compile_selectors().map_err(|_| {
        let detail = format!("the selectors of run {} no longer compile", key.run);
        PhaseError::permanent(ErrorCode::Internal, detail)
    })?;
    selectors.extend_sbom_subjects(|subject| run.sboms.get(subject).cloned().unwrap_or_default());
    let watermark = run.watermark.unwrap_or(0);
    let seal = Seal::of(ports, &run).await?;

    let wanted = (last - first + 1) as usize;
    let mut left: Vec<Part> = ports.state.parts(&key, first, wanted).await?;
    left.retain(|part| part.output.is_none());
    let count = left.len();
    let mut previous: Option<Streaming> = None;
    for (done, part) in left.into_iter().enumerate() {
        if done > 0 && budget.is_spent(ports.clock.now()) {
            finish(ports, held, previous, false).await?;
            return Ok(Progress::OutOfTime);
        }
        let job = Job {
            scan: export_plan::scan(&run, part.owner(), watermark, &selectors, part.kind),
            run: run.clone(),
            part,
            seal: seal.clone(),
            scratch: scratch.to_owned(),
        };
        // Storing a part waits for the disk mostly, reading the next one for the processor.
        let (streamed, finished) = tokio::join!(
            stream(ports, held, frames, job),
            finish(ports, held, previous.take(), false)
        );
        match (streamed, finished) {
            (Ok(streaming), Ok(())) => previous = Some(streaming),
            (Ok(streaming), Err(error)) => {
                streaming.streamed.abort().await;
                return Err(error);
            }
            (Err(PhaseError::Superseded), Err(error)) | (Err(error), _) => return Err(error),
        }
    }
    finish(ports, held, previous, true).await?;
    if count == 0 {
        // Everything was committed by an earlier holder that died before it could say so.
        let finish = export_ports::Write::FinishWork(held.work().clone(), held.token().to_owned());
        let transaction = export_ports::Transaction::new(&key.tenant).and(finish);
        ports.state.commit(transaction).await?;
    }
    Ok(Progress::Done)
}

fn exporting(run: Option<Run>) -> Result<Run, PhaseError> {
    match run {
        Some(run) if matches!(run.status, RunStatus::Planned | RunStatus::Exporting) => Ok(run),
        _ => Err(PhaseError::Superseded),
    }
}

/// A part on its way.
struct Streaming {
    job: Job,
    started: Timestamp,
    streamed: part::Streamed,
}

async fn stream(
    ports: &Ports,
    held: &Held,
    frames: &Arc<FramePool>,
    job: Job,
) -> Result<Streaming, PhaseError> {
    let started = ports.clock.now();
    begin(ports, held, &job).await?;
    match part::stream(ports, held, frames, &job).await {
        Ok(streamed) => Ok(Streaming {
            job,
            started,
            streamed,
        }),
        Err(error) => {
            report(ports, held, &job, &error).await;
            Err(error)
        }
    }
}

/// Stores and commits a part, where there is one; with the last one, the step is done.
async fn finish(
    ports: &Ports,
    held: &Held,
    part: Option<Streaming>,
    is_last: bool,
) -> Result<(), PhaseError> {
    let Some(Streaming {
        job,
        started,
        streamed,
    }) = part
    else {
        return Ok(());
    };
    let outcome = match streamed.store(ports, held, &job).await {
        Ok((output, bytes)) => {
            let millis = ports.clock.now().millis_since(started);
            complete(ports, held, &job, output, bytes, millis, is_last).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = &outcome {
        report(ports, held, &job, error).await;
    }
    outcome
}

async fn begin(ports: &Ports, held: &Held, job: &Job) -> Result<(), PhaseError> {
    let part = &job.part;
    tracing::info!(
        part = part.index,
        records = part.records,
        bytes = part.bytes,
        "adapter.start"
    );
    transact(ports, &job.run.key, |draft| {
        match draft.run.status {
            RunStatus::Planned => draft.status(RunStatus::Exporting, None),
            RunStatus::Exporting => {}
            _ => return Err(PhaseError::Superseded),
        }
        draft.require(held);
        draft.event(EventBody::AdapterStart {
            part: part.index,
            records: part.records,
            bytes: part.bytes,
        });
        Ok(())
    })
    .await
    .map(|_| ())
}

async fn complete(
    ports: &Ports,
    held: &Held,
    job: &Job,
    output: PartOutput,
    bytes: u64,
    millis: u64,
    is_last: bool,
) -> Result<(), PhaseError> {
    let part = job.part.index;
    let (records, stored) = (output.records, output.size);
    let quarantined: u64 = output
        .quarantine
        .iter()
        .flat_map(|(_, codes)| codes.iter().map(|(_, count)| count))
        .sum();
    transact(ports, &job.run.key, |draft| {
        if draft.run.status != RunStatus::Exporting {
            return Err(PhaseError::Superseded);
        }
        if is_last {
            draft.finish(held);
        } else {
            draft.require(held);
        }
        let mut row = job.part.clone();
        row.output = Some(output.clone());
        draft.part(row);
        draft.run.parts_left -= 1;
        draft.run.records += records;
        draft.run.bytes += bytes;
        draft.run.quarantined += quarantined;
        draft.event(EventBody::AdapterComplete {
            part,
            records,
            bytes,
            stored,
            millis,
        });
        if draft.run.parts_left == 0 {
            draft.parts_are_done();
        }
        Ok(())
    })
    .await?;
    tracing::info!(
        part,
        records,
        bytes,
        stored,
        millis,
        quarantined,
        "adapter.complete"
    );
    Ok(())
}

/// Tells what went wrong; that the run no longer wants the part is nothing to tell.
async fn report(ports: &Ports, held: &Held, job: &Job, error: &PhaseError) {
    if matches!(error, PhaseError::Superseded) {
        return;
    }
    let failure = error.failure();
    let part = job.part.index;
    tracing::warn!(part, error_code = %failure.error_code, "adapter.error: {}", failure.detail);
    let told = transact(ports, &job.run.key, |draft| {
        if draft.run.status != RunStatus::Exporting {
            return Err(PhaseError::Superseded);
        }
        draft.require(held);
        draft.event(EventBody::AdapterError {
            part,
            error_code: failure.error_code,
            detail: failure.detail.clone(),
            retried: error.is_retryable(),
        });
        Ok(())
    })
    .await;
    if let Err(error) = told
        && !matches!(error, PhaseError::Superseded)
    {
        tracing::warn!(part, %error, "adapter.error could not be recorded");
    }
}
