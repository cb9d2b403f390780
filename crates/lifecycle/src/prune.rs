//! Retention: what remains of a run when the time for which its bundle is kept is over.
//!
//! The payload goes, the signed documents stay: who received the bundle can still be told what was
//! in it. The list of a mirror's tree is kept for longer, so that deltas can start from it. The
//! transition comes first and the bytes after it, so nothing ever points at what is gone.

use export_model::{EventBody, Pruned, Run, RunKey, Timestamp, WorkId};
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

fn give_up_payload(run: &mut Run, now: Timestamp, reason: &str) {
    run.pruned = Some(Pruned {
        at: now,
        reason: reason.to_owned(),
    });
    run.archive = None;
    run.assembled.clear();
    if let Some(tree) = &mut run.tree {
        tree.changes = None;
    }
    if let Some(published) = &mut run.published {
        published
            .members
            .retain(|(path, ..)| !path.starts_with(PAYLOAD));
    }
}

async fn prune(ports: &Ports, key: &RunKey) -> Result<(), PhaseError> {
    transact(ports, key, |draft| {
        let now = draft.now;
        let run = &mut draft.run;
        let expired = run.next_expiry().is_some_and(|time| time <= now);
        if !expired || !run.status.is_terminal() {
            return Err(PhaseError::Superseded);
        }
        let retention = run.profile.config.retention;
        let (what, days) = match run.pruned {
            None => ("bundles", retention.days),
            Some(_) => ("lists of trees", retention.listing_days()),
        };
        let reason = format!(
            "profile {} keeps {what} for {days} day{}",
            run.profile.name,
            if days == 1 { "" } else { "s" }
        );
        if run.pruned.is_none() {
            give_up_payload(run, now, &reason);
        }
        if run.next_expiry().is_some_and(|time| time <= now)
            && let Some(tree) = &mut run.tree
        {
            tree.listing = None;
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
