//! Starting the run of a schedule that is due.
//!
//! The run, what the schedule remembers of it and the end of the step are one transaction, so one
//! start makes one run, however often its message comes. A start that is refused is told in the
//! schedule, which stays in force: what is missing today may be there tomorrow.

use std::time::Duration;

use export_lifecycle::{
    Held, PhaseError, Prepared, Reservation, Submission, find_profile, prepare, reserve_run,
};
use export_model::{Limits, Schedule, WorkId};
use export_ports::{Ports, Row, Transaction, Write};

/// Attempts at the transaction: others count their runs at the same time.
const ATTEMPTS: u64 = 200;

pub(crate) async fn start(ports: &Ports, held: &Held) -> Result<(), PhaseError> {
    let WorkId::Start { schedule: id, .. } = held.work() else {
        return Err(PhaseError::Superseded);
    };
    let mut attempt = 0;
    loop {
        let schedule = ports.state.schedule(held.tenant(), id).await?;
        // Dropped or put out of force since: the start goes with it.
        let Some(schedule) = schedule.filter(|schedule| schedule.enabled) else {
            return Err(PhaseError::Superseded);
        };
        match once(ports, held, schedule).await {
            Err(PhaseError::Port(error)) if error.is_conflict() && attempt < ATTEMPTS => {
                if !held.is_ours(ports).await? {
                    return Err(PhaseError::Superseded);
                }
                attempt += 1;
                tokio::time::sleep(Duration::from_millis(attempt.min(20))).await;
            }
            outcome => return outcome,
        }
    }
}

async fn once(ports: &Ports, held: &Held, mut schedule: Schedule) -> Result<(), PhaseError> {
    let finish = Write::FinishWork(held.work().clone(), held.token().to_owned());
    match accept(ports, &schedule).await {
        Ok((prepared, reservation)) => {
            let run = prepared.run().key.run.clone();
            tracing::info!(run_id = %run, tenant = %schedule.tenant, schedule = %schedule.id,
                "a schedule is due");
            schedule.last_run = Some(run);
            schedule.last_error = None;
            let mut extra = reservation.writes;
            extra.push(finish);
            extra.push(Write::Put(Box::new(Row::Schedule(schedule))));
            prepared.commit(ports, extra).await?;
            Ok(())
        }
        Err(error) if held.is_final(&error) => {
            tracing::warn!(tenant = %schedule.tenant, schedule = %schedule.id, %error,
                "a schedule could not submit its run");
            schedule.last_error = Some(error.to_string());
            let transaction = Transaction::new(held.tenant())
                .and(finish)
                .put(Row::Schedule(schedule));
            Ok(ports.state.commit(transaction).await?)
        }
        Err(error) => Err(error),
    }
}

/// Only the profile's own limits apply: what a tenant may ask for is checked where it asks.
async fn accept(ports: &Ports, schedule: &Schedule) -> Result<(Prepared, Reservation), PhaseError> {
    let profile = find_profile(ports, &schedule.tenant, &schedule.profile, None).await?;
    let submission = Submission {
        tenant: schedule.tenant.clone(),
        profile,
        selectors: schedule.selectors.clone(),
        options: schedule.options.clone(),
        owners: Vec::new(),
        approvals: Vec::new(),
        requested_by: format!("schedule:{}", schedule.id),
        traceparent: None,
    };
    let prepared = prepare(ports, submission).await?;
    let run = prepared.run();
    let reservation =
        reserve_run(ports, &run.profile, &Limits::default(), run.submitted_at).await?;
    Ok((prepared, reservation))
}
