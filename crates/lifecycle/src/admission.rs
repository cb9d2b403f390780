//! Slots: at most [`Slots::LIMIT`] active runs a tenant, fair between its profiles.

use std::time::Duration;

use export_model::{Run, Slots, Tenant, Work, WorkId};
use export_ports::{Ports, Row, RunFilter, Transaction, Write};
use export_telemetry as telemetry;

use crate::draft::send;
use crate::{Held, PhaseError, lease_millis};

/// Gives free slots to waiting runs.
///
/// # Errors
/// The state port's errors.
pub async fn admit(ports: &Ports, held: &Held) -> Result<(), PhaseError> {
    let tenant = held.tenant().clone();
    let mut conflicts = 0;
    loop {
        let slots = ports
            .state
            .slots(&tenant)
            .await?
            .unwrap_or_else(|| Slots::empty(&tenant));
        let waiting = waiting(ports, &tenant).await?;
        let Some(next) = choose(&slots, &waiting) else {
            return Ok(());
        };
        match give(ports, held, slots, next.clone()).await {
            Ok(()) => {}
            Err(PhaseError::Port(error)) if error.is_conflict() && conflicts < 200 => {
                if held.is_lost() {
                    return Ok(());
                }
                conflicts += 1;
                tokio::time::sleep(Duration::from_millis(conflicts.min(20))).await;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn waiting(ports: &Ports, tenant: &Tenant) -> Result<Vec<Run>, PhaseError> {
    let filter = RunFilter {
        statuses: vec![export_model::RunStatus::Pending],
        admitted: Some(false),
        oldest_first: true,
        ..RunFilter::default()
    };
    Ok(ports.state.runs(tenant, &filter, None, 1_000).await?)
}

/// The run that gets the next free slot: of the profile with the fewest active runs; among those,
/// of the one that was given a slot longest ago; of that, the oldest run.
fn choose<'a>(slots: &Slots, waiting: &'a [Run]) -> Option<&'a Run> {
    if slots.active.len() >= Slots::LIMIT {
        return None;
    }
    waiting
        .iter()
        .enumerate()
        .min_by_key(|(age, run)| {
            let profile = &run.profile.name;
            let active = slots.active.iter().filter(|(_, p)| p == profile).count();
            let turn = slots.turns.get(profile).copied().unwrap_or(0);
            (active, turn, *age)
        })
        .map(|(_, run)| run)
}

async fn give(
    ports: &Ports,
    held: &Held,
    mut slots: Slots,
    mut run: Run,
) -> Result<(), PhaseError> {
    let now = ports.clock.now();
    let tenant = slots.tenant.clone();
    slots.admitted += 1;
    slots
        .active
        .push((run.key.run.clone(), run.profile.name.clone()));
    slots.turns.insert(run.profile.name.clone(), slots.admitted);
    run.admitted = true;
    let plan = WorkId::Plan {
        run: run.key.run.clone(),
    };
    let mut plan = Work::new(&tenant, plan, now.plus_millis(lease_millis(ports)));
    plan.traceparent.clone_from(&run.traceparent);
    let active = slots.active.len();
    let transaction = Transaction::new(&tenant)
        .and(Write::RequireLease(
            held.work().clone(),
            held.token().to_owned(),
        ))
        .put(Row::Slots(slots))
        .put(Row::Run(run))
        .put(Row::Work(plan.clone()));
    ports.state.commit(transaction).await?;
    telemetry::active_runs(tenant.as_str(), active);
    send(ports, &[plan]).await;
    Ok(())
}
