//! What becomes of a message that could not be dealt with.

use std::time::Duration;

use export_model::{Phase, WorkId};
use export_ports::{Delivery, MAX_RECEIVES, Ports};

use crate::PhaseError;

/// The first time; it doubles.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(60);

/// When a message that was received so often comes again.
#[must_use]
pub fn again(receive_count: u32) -> Duration {
    (FIRST * 2_u32.saturating_pow(receive_count.saturating_sub(1).min(8))).min(LONGEST)
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It comes again.
    Again,
    /// It lies among the dead letters.
    PutAside,
}

/// Lets a message come again after a while, or puts it aside with its reason where that is of no use
/// any more. Where neither can be said, the queue's own rules hold.
pub async fn refuse(
    ports: &Ports,
    phase: Phase,
    delivery: &Delivery,
    error: &PhaseError,
) -> Refused {
    let work = &delivery.message.work;
    // What has a row is sent again by the tick, and may fail its run; what has none would only be
    // refused again.
    let hopeless = matches!(work, WorkId::Export { .. }) && !error.is_retryable();
    if hopeless || delivery.receive_count >= MAX_RECEIVES {
        let reason = format!("{} ({})", error, error.failure().error_code);
        tracing::error!(%work, tenant = %delivery.message.tenant, %error,
            error_code = %error.failure().error_code, "a message was put aside");
        match ports.queue.put_aside(delivery, &reason).await {
            Ok(()) => return Refused::PutAside,
            Err(error) => tracing::warn!(%work, %error, "a message could not be put aside"),
        }
        return Refused::Again;
    }
    tracing::warn!(%work, tenant = %delivery.message.tenant, %error,
        error_code = %error.failure().error_code, "a message is delivered again");
    let soon = again(delivery.receive_count);
    let extended = ports.queue.extend(phase, &delivery.receipt, soon).await;
    if let Err(error) = extended {
        tracing::debug!(%work, %error, "a message comes again when its time has passed");
    }
    Refused::Again
}
