//! Retention: what remains of a run when the time for which its bundle is kept is over.
//!
//! The payload goes, the signed documents stay: who received the bundle can still be told what was
//! in it. The transition comes first and the bytes after it, so nothing ever points at what is gone.

use export_model::{EventBody, Pruned, RunKey, Timestamp, WorkId};
use export_ports::{Ports, Write};

use crate::{PhaseError, transact};

/// Where the members of a bundle lie that are payload.
const PAYLOAD: &str = "payload/";
/// Runs that one tick prunes.
const BATCH: usize = 100;

/// Gives up the payload of runs that have expired; says of how many.
pub(crate) async fn prune_expired(ports: &Ports, now: Timestamp) -> Result<usize, PhaseError> {
    let mut pruned = 0;
    for key in ports.state.expired_runs(now, BATCH).await? {
        match prune(ports, &key).await {
            Ok(()) => pruned += 1,
            // Somebody else was faster, or it is being tried again.
            Err(PhaseError::Superseded) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(pruned)
}

async fn prune(ports: &Ports, key: &RunKey) -> Result<(), PhaseError> {
    transact(ports, key, |draft| {
        let now = draft.now;
        let run = &mut draft.run;
        let expired = run.expires_at.is_some_and(|time| time <= now);
        if !expired || run.pruned.is_some() || !run.status.is_terminal() {
            return Err(PhaseError::Superseded);
        }
        let days = run.profile.config.retention.days;
        let reason = format!(
            "profile {} keeps bundles for {days} day{}",
            run.profile.name,
            if days == 1 { "" } else { "s" }
        );
        run.pruned = Some(Pruned {
            at: now,
            reason: reason.clone(),
        });
        run.archive = None;
        run.assembled.clear();
        if let Some(published) = &mut run.published {
            published
                .members
                .retain(|(path, ..)| !path.starts_with(PAYLOAD));
        }
        draft.event(EventBody::Pruned { reason });
        // The late sweep of the run's end, where it was never done; this one does its work.
        draft.also(Write::DropWork(key.clone(), Vec::new()));
        draft.step(WorkId::Sweep {
            run: key.run.clone(),
        });
        Ok(())
    })
    .await?;
    tracing::info!(run_id = %key.run, tenant = %key.tenant, "pruned");
    Ok(())
}
