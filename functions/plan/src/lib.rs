//! The plan phase: from a request to parts.
//!
//! Planning fixes the watermark, then walks the ledger's index once, in canonical order, never
//! touching a record, and cuts what is selected into parts. Where a part ends depends on the
//! records and the profile alone, so the same evidence gives the same parts whoever plans it and
//! however many workers there are.
//!
//! The plan queue also carries the starts of schedules and of rules outside, admission and sweeping:
//! [`handle`] takes all of them.

mod cut;
mod export;
mod mirror;
mod plan;
mod start;
mod walk;

pub use cut::{Cut, CutPart, Cutter};
pub use plan::{MAX_PARTS, SHARD_PARTS, scan};

use export_lifecycle::{Budget, PhaseError, Swept, Taken, admit, sweep, take};
use export_model::{Message, WorkId};
use export_ports::Ports;

/// Takes one message of the plan queue. Acknowledge it when this returns `Ok`.
///
/// # Errors
/// What could neither be done nor recorded: leave the message to be delivered again.
pub async fn handle(ports: &Ports, message: &Message, _budget: Budget) -> Result<(), PhaseError> {
    if let WorkId::Export { profile, request } = &message.work {
        return export::export(ports, message, profile, request).await;
    }
    let Taken::Held(held) = take(ports, message).await? else {
        return Ok(());
    };
    match held.work() {
        WorkId::Admit { .. } => match admit(ports, &held).await {
            Ok(()) => held.done(ports).await,
            Err(error) => held.failed(ports, error).await,
        },
        WorkId::Sweep { .. } => match sweep(ports, &held).await {
            Ok(Swept::Clean) => held.done(ports).await,
            Ok(Swept::Again(delay)) => held.give_back(ports, delay).await,
            Err(error) => held.failed(ports, error).await,
        },
        // On the heap, so that no caller's stack has to hold what planning waits for.
        WorkId::Plan { .. } => match Box::pin(plan::plan(ports, &held)).await {
            Ok(()) => Ok(()),
            Err(error) => held.failed(ports, error).await,
        },
        WorkId::Start { .. } => match start::start(ports, &held).await {
            Ok(()) => Ok(()),
            Err(error) => held.failed(ports, error).await,
        },
        other => {
            tracing::error!(work = %other, "a message of another phase came to the plan queue");
            Ok(())
        }
    }
}
