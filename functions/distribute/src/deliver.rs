//! Handing over to one target, and what follows from it.

use std::time::Duration;

use export_lifecycle::{Budget, Held, PhaseError, transact};
use export_model::{
    Archive, Distribution, DistributionStatus, ErrorCode, EventBody, Run, RunStatus, Target, WorkId,
};
use export_ports::Ports;
use export_telemetry as telemetry;
use tracing::Instrument;

use crate::archive::{self, Checkpoint, Progress};

pub(crate) async fn deliver(ports: &Ports, held: Held, budget: Budget) -> Result<(), PhaseError> {
    let key = held.run_key();
    let span = tracing::info_span!("export.distribute", otel.name = telemetry::SPAN_DISTRIBUTE,
        run_id = %key.run, tenant = %key.tenant, phase = "distribute",
        correlation_id = held.correlation_id());
    async {
        match hand_over(ports, &held, budget).await {
            Ok(true) => Ok(()),
            Ok(false) => held.give_back(ports, Duration::ZERO).await,
            Err(error) if held.is_final(&error) => undelivered(ports, held, &error).await,
            Err(error) => held.failed(ports, error).await,
        }
    }
    .instrument(span)
    .await
}

/// Says whether the target has the bundle; if not, the time was over.
async fn hand_over(ports: &Ports, held: &Held, budget: Budget) -> Result<bool, PhaseError> {
    let WorkId::Distribute { target, .. } = *held.work() else {
        let detail = format!("{} is no distribution", held.work());
        return Err(PhaseError::permanent(ErrorCode::Internal, detail));
    };
    let key = held.run_key();
    let run = match ports.state.run(&key).await? {
        Some(run) if run.status == RunStatus::Distributing => run,
        _ => return Err(PhaseError::Superseded),
    };
    let row = ports
        .state
        .distributions(&key)
        .await?
        .into_iter()
        .find(|row| row.index == target)
        .ok_or(PhaseError::Superseded)?;
    match row.target {
        Target::Http {} => http(ports, held, &run, row, budget).await,
    }
}

async fn http(
    ports: &Ports,
    held: &Held,
    run: &Run,
    mut row: Distribution,
    budget: Budget,
) -> Result<bool, PhaseError> {
    let Some(published) = &run.published else {
        let detail = format!("run {} is not signed", run.key);
        return Err(PhaseError::permanent(ErrorCode::Internal, detail));
    };
    // A checkpoint that this version cannot read is as good as none.
    let checkpoint: Option<Checkpoint> = row
        .checkpoint
        .take()
        .and_then(|value| serde_json::from_value(value).ok());
    let started = ports.clock.now();
    match archive::write(ports, held, run, published, checkpoint, budget).await? {
        Progress::Done(archive) => {
            let took = Duration::from_millis(ports.clock.now().millis_since(started));
            delivered(ports, held, run, row, archive).await?;
            telemetry::distribution_pushed("http", took);
            Ok(true)
        }
        Progress::Stopped(checkpoint) => {
            let value = serde_json::to_value(*checkpoint).map_err(|e| {
                PhaseError::permanent(ErrorCode::Internal, format!("keeping a checkpoint: {e}"))
            })?;
            row.checkpoint = Some(value);
            transact(ports, &run.key, |draft| {
                still_distributing(draft.run.status)?;
                draft.require(held);
                draft.distribution(row.clone());
                Ok(())
            })
            .await?;
            Ok(false)
        }
    }
}

/// A target that failed for good: the signed set is kept, and the run can be retried.
async fn undelivered(ports: &Ports, held: Held, error: &PhaseError) -> Result<(), PhaseError> {
    let WorkId::Distribute { target, .. } = *held.work() else {
        return held.done(ports).await;
    };
    let key = held.run_key();
    let failure = error.failure();
    let rows = ports.state.distributions(&key).await?;
    let row = rows.into_iter().find(|row| row.index == target);
    let outcome = transact(ports, &key, |draft| {
        still_distributing(draft.run.status)?;
        draft.finish(&held);
        if let Some(mut row) = row.clone() {
            row.status = DistributionStatus::Failed;
            row.checkpoint = None;
            row.failure = Some(failure.clone());
            draft.distribution(row);
        }
        draft.end(RunStatus::Undelivered, Some(failure.clone()));
        Ok(())
    })
    .await;
    match outcome {
        Err(PhaseError::Superseded) => held.done(ports).await,
        Err(error) => Err(error),
        Ok(_) => Ok(()),
    }
}

fn still_distributing(status: RunStatus) -> Result<(), PhaseError> {
    if status == RunStatus::Distributing {
        Ok(())
    } else {
        Err(PhaseError::Superseded)
    }
}

async fn delivered(
    ports: &Ports,
    held: &Held,
    run: &Run,
    mut row: Distribution,
    archive: Archive,
) -> Result<(), PhaseError> {
    row.status = DistributionStatus::Delivered;
    row.archive = Some(archive.clone());
    transact(ports, &run.key, |draft| {
        still_distributing(draft.run.status)?;
        draft.finish(held);
        draft.distribution(row.clone());
        draft.use_bytes(archive.size);
        draft.run.archive = Some(archive.clone());
        draft.run.targets_left = draft.run.targets_left.saturating_sub(1);
        draft.event(EventBody::Distributed {
            target: row.target.kind().to_owned(),
            size: archive.size,
            sha256: archive.sha256,
        });
        if draft.run.targets_left == 0 {
            draft.end(RunStatus::Completed, None);
        }
        Ok(())
    })
    .await?;
    tracing::info!(
        target_type = row.target.kind(),
        size = archive.size,
        "handed over"
    );
    Ok(())
}
