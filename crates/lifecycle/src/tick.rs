//! The tick: what a dead process left is sent again, and what becomes due by itself is begun.

use std::time::Duration;

use export_model::{Timestamp, Work, WorkId};
use export_ports::{Ports, Row, Transaction};

use crate::draft::send;
use crate::prune::prune_expired;
use crate::{PhaseError, lease_millis};

/// Rows that one tick looks at.
const BATCH: usize = 1_000;
/// The longest time that is left to whoever may be about to take what was sent.
const LONGEST_MILLIS: i64 = 15 * 60_000;

/// Sends again what is due: messages that nobody took, and steps whose holder is gone or whose
/// lease has expired. Then starts the schedules that are due, gives up the payload of runs that
/// have expired, and removes expired marks. Returns how many messages were sent.
///
/// # Errors
/// The ports' errors.
pub async fn tick(ports: &Ports) -> Result<usize, PhaseError> {
    let now = ports.clock.now();
    let sent = resend(ports, now).await?;
    let started = start_due(ports, now).await?;
    prune_expired(ports, now).await?;
    ports.state.expire(now).await?;
    Ok(sent + started)
}

/// Makes a step of every schedule that is due, and moves the schedule on to its next time. Times
/// that were missed become one start.
async fn start_due(ports: &Ports, now: Timestamp) -> Result<usize, PhaseError> {
    let mut started = 0;
    for mut schedule in ports.state.due_schedules(now, BATCH).await? {
        let due = schedule.next_at;
        let start = WorkId::Start {
            schedule: schedule.id.clone(),
            at: due,
        };
        let tenant = schedule.tenant.clone();
        match schedule.when.following(due, now) {
            Some(next) => schedule.next_at = next,
            // Nothing comes after it any more.
            None => schedule.enabled = false,
        }
        let start = Work::new(&tenant, start, now.plus_millis(lease_millis(ports)));
        let transaction = Transaction::new(&tenant)
            .put(Row::Schedule(schedule))
            .put(Row::Work(start.clone()));
        match ports.state.commit(transaction).await {
            Ok(()) => {}
            // Another tick was faster, or somebody changed it: the next tick looks again.
            Err(error) if error.is_conflict() => continue,
            Err(error) => return Err(error.into()),
        }
        send(ports, &[start]).await;
        started += 1;
    }
    Ok(started)
}

/// Sends again everything that nobody alive is doing, due or not: for a host that starts on a home
/// which another process may have left at any moment. Sending too much is harmless.
///
/// # Errors
/// The ports' errors.
pub async fn recover(ports: &Ports) -> Result<usize, PhaseError> {
    resend(ports, Timestamp(i64::MAX)).await
}

/// How long to wait for somebody to take what was sent again so many times.
fn patience(ports: &Ports, sent: u32) -> i64 {
    let lease = lease_millis(ports);
    (lease << (sent.saturating_sub(1)).min(10)).clamp(lease, LONGEST_MILLIS.max(lease))
}

async fn resend(ports: &Ports, due_by: Timestamp) -> Result<usize, PhaseError> {
    let now = ports.clock.now();
    let mut sent = 0;
    for mut work in ports.state.due_or_leased(due_by, BATCH).await? {
        let send = match &work.lease {
            Some(lease) => lease.until <= now || ports.liveness.is_gone(&lease.holder),
            None => work.due_at <= due_by,
        };
        // A second sweep is deliberately late; recovering must not hurry it. What was sent again before is
        // not late: it waits, and may have been about to be taken by somebody who is gone.
        let late = work.lease.is_none()
            && work.sent == 0
            && work.due_at > now.plus_millis(2 * lease_millis(ports));
        if !send || late {
            continue;
        }
        let message = work.message();
        // What nobody takes is waiting behind other work, most likely: it is sent less and less often.
        work.sent += 1;
        work.lease = None;
        work.due_at = now.plus_millis(patience(ports, work.sent));
        let row = Transaction::new(&work.tenant).put(Row::Work(work));
        match ports.state.commit(row).await {
            Ok(()) => {}
            Err(error) if error.is_conflict() => continue,
            Err(error) => return Err(error.into()),
        }
        ports.queue.send(&message, Duration::ZERO).await?;
        sent += 1;
    }
    Ok(sent)
}
