//! Cancelling, and removing what cancelled and failed runs have written.

use std::collections::BTreeSet;
use std::time::Duration;

use export_model::{
    Cancellation, DistributionStatus, ErrorCode, EventBody, ObjectKey, ObjectPrefix, Run, RunKey,
    RunStatus, WorkId,
};
use export_ports::{Ports, Write};

use crate::{Held, PhaseError, transact};

/// A function runs at most 15 minutes (AWS Lambda quotas): a writer that nobody waits for any more
/// has finished by then, and a second sweep finds what it wrote last.
const LONGEST_FUNCTION: Duration = Duration::from_secs(15 * 60);

/// Asks that a run be cancelled, in the name of `by`. Work winds down at its next page.
///
/// # Errors
/// `ERR_RUN_ENDED` when the run has ended or been signed already, `ERR_UNKNOWN_RUN`, the state
/// port's errors.
pub async fn cancel(ports: &Ports, key: &RunKey, by: &str) -> Result<Run, PhaseError> {
    let committed = transact(ports, key, |draft| {
        if draft.run.status == RunStatus::Cancelling {
            return Err(PhaseError::Superseded);
        }
        if draft.run.status.is_terminal() {
            let detail = format!(
                "run {} has ended already: it is {}",
                key.run, draft.run.status
            );
            return Err(PhaseError::permanent(ErrorCode::RunEnded, detail));
        }
        draft.run.cancellation = Some(Cancellation {
            by: by.to_owned(),
            at: draft.now,
        });
        draft.status(RunStatus::Cancelling, Some(format!("cancelled by {by}")));
        draft.step(WorkId::Sweep {
            run: key.run.clone(),
        });
        Ok(())
    })
    .await;
    match committed {
        Ok(committed) => Ok(committed.run),
        Err(PhaseError::Superseded) => ports.state.run(key).await?.ok_or(PhaseError::Superseded),
        Err(error) => Err(error),
    }
}

/// Asks that the targets which an undelivered run could not reach be tried again.
///
/// # Errors
/// `ERR_RUN_ENDED` when the run is not `undelivered`, `ERR_PRUNED` when its payload is gone,
/// `ERR_UNKNOWN_RUN`, the state port's errors.
pub async fn retry(ports: &Ports, key: &RunKey) -> Result<Run, PhaseError> {
    let rows = ports.state.distributions(key).await?;
    // A sweep that has begun would take what the retry writes.
    while is_worked_on(ports, key).await? {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let committed = transact(ports, key, |draft| {
        if draft.run.status != RunStatus::Undelivered {
            let detail = format!(
                "run {} is {}; only undelivered runs can be retried",
                key.run, draft.run.status
            );
            return Err(PhaseError::permanent(ErrorCode::RunEnded, detail));
        }
        if let Some(pruned) = &draft.run.pruned {
            let detail = format!("run {} was pruned at {}", key.run, pruned.at);
            return Err(PhaseError::permanent(ErrorCode::Pruned, detail));
        }
        draft.run.failure = None;
        draft.run.finished_at = None;
        draft.run.expires_at = None;
        // The late sweep of the run's first end; its next end asks for another.
        draft.also(Write::DropWork(key.clone(), Vec::new()));
        draft.status(RunStatus::Distributing, Some("retried".to_owned()));
        for row in &rows {
            if row.status == DistributionStatus::Failed {
                let mut row = row.clone();
                row.status = DistributionStatus::Pending;
                row.failure = None;
                let target = row.index;
                draft.distribution(row);
                let run = key.run.clone();
                draft.step(WorkId::Distribute { run, target });
            }
        }
        Ok(())
    })
    .await?;
    Ok(committed.run)
}

/// Whether somebody alive holds any of a run's steps.
async fn is_worked_on(ports: &Ports, key: &RunKey) -> Result<bool, PhaseError> {
    let now = ports.clock.now();
    let work = ports.state.work_of_run(key).await?;
    Ok(work
        .iter()
        .filter_map(|work| work.lease.as_ref())
        .any(|lease| lease.until > now && !ports.liveness.is_gone(&lease.holder)))
}

/// What a sweep leaves to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swept {
    /// Nothing; nobody can write any more.
    Clean,
    /// Another sweep, after this time.
    Again(Duration),
}

/// Removes every object of a run that no row points at: all of a cancelled or failed run's, and of
/// a completed run's those that a writer left who lost or died. A cancelled run is aborted once
/// nobody works on it any more and nothing of it is left.
///
/// # Errors
/// The ports' errors.
pub async fn sweep(ports: &Ports, held: &Held) -> Result<Swept, PhaseError> {
    let key = held.run_key();
    let Some(run) = ports.state.run(&key).await? else {
        return Ok(Swept::Clean);
    };
    if !run.status.is_terminal() && run.status != RunStatus::Cancelling {
        return Ok(Swept::Clean);
    }
    // Leaseless work will never begin: whoever takes it sees the run's status first. Work in
    // progress is waited for.
    let now = ports.clock.now();
    for work in ports.state.work_of_run(&key).await? {
        let busy = work
            .lease
            .as_ref()
            .is_some_and(|lease| lease.until > now && !ports.liveness.is_gone(&lease.holder));
        if busy && !matches!(work.id, WorkId::Sweep { .. }) {
            return Ok(Swept::Again(Duration::from_millis(50)));
        }
    }
    let objects = ports
        .objects
        .sweep(&ObjectPrefix::run(&key), &pointed_at(&run))
        .await?;
    if objects > 0 {
        tracing::info!(run_id = %key.run, tenant = %key.tenant, objects, "swept");
    }
    if run.status == RunStatus::Cancelling {
        abort(ports, held, objects).await?;
    }
    let ended = run.finished_at.unwrap_or(now);
    let longest = u64::try_from(LONGEST_FUNCTION.as_millis()).unwrap_or(u64::MAX);
    if ports.clock.now().millis_since(ended) >= longest {
        return Ok(Swept::Clean);
    }
    Ok(Swept::Again(LONGEST_FUNCTION))
}

/// The objects that a run's rows point at.
fn pointed_at(run: &Run) -> BTreeSet<ObjectKey> {
    let members = run.published.iter().flat_map(|set| &set.members);
    let archive = run.archive.iter().map(|archive| archive.object.clone());
    let listing = run.tree.iter().filter_map(|tree| tree.listing.as_ref());
    let listing = listing.map(|listing| listing.object.clone());
    members
        .map(|(_, key, _)| key.clone())
        .chain(archive)
        .chain(listing)
        .collect()
}

async fn abort(ports: &Ports, held: &Held, objects: u64) -> Result<(), PhaseError> {
    let key = held.run_key();
    let ended = transact(ports, &key, |draft| {
        if draft.run.status != RunStatus::Cancelling {
            return Err(PhaseError::Superseded);
        }
        draft.require(held);
        let keep = vec![held.work().clone()];
        draft.also(Write::DropWork(key.clone(), keep));
        draft.run.assembled.clear();
        draft.run.tree = None;
        draft.run.published = None;
        draft.run.archive = None;
        draft.event(EventBody::Swept { objects });
        draft.end(RunStatus::Aborted, None);
        Ok(())
    })
    .await;
    match ended {
        Ok(_) | Err(PhaseError::Superseded) => Ok(()),
        Err(error) => Err(error),
    }
}
