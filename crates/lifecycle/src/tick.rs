//! The tick: what a dead process left is sent again.

use std::time::Duration;

use export_model::Timestamp;
use export_ports::{Ports, Row, Transaction};

use crate::{LEASE_MILLIS, PhaseError};

/// Rows that one tick looks at.
const BATCH: usize = 1_000;

/// Sends again what is due: messages that nobody took, and steps whose holder is gone or whose
/// lease has expired. Returns how many were sent.
///
/// # Errors
/// The ports' errors.
pub async fn tick(ports: &Ports) -> Result<usize, PhaseError> {
    resend(ports, ports.clock.now()).await
}

/// Sends again everything that nobody alive is doing, due or not: for a host that starts on a home
/// which another process may have left at any moment. Sending too much is harmless.
///
/// # Errors
/// The ports' errors.
pub async fn recover(ports: &Ports) -> Result<usize, PhaseError> {
    resend(ports, Timestamp(i64::MAX)).await
}

async fn resend(ports: &Ports, due_by: Timestamp) -> Result<usize, PhaseError> {
    let now = ports.clock.now();
    let mut sent = 0;
    for mut work in ports.state.due_or_leased(due_by, BATCH).await? {
        let send = match &work.lease {
            Some(lease) => lease.until <= now || ports.liveness.is_gone(&lease.holder),
            None => work.due_at <= due_by,
        };
        // A second sweep is deliberately late; recovering must not hurry it.
        let far = work.lease.is_none() && work.due_at > now.plus_millis(2 * LEASE_MILLIS);
        if !send || far {
            continue;
        }
        let message = work.message();
        work.lease = None;
        work.due_at = now.plus_millis(LEASE_MILLIS);
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
