//! The distribute phase: from a signed set to its targets.
//!
//! One message a target, one driver a type of target. A driver may stop when its function's time
//! is nearly over: what it has done so far stands in its row, and it goes on in a new message.

mod archive;
mod deliver;

use export_lifecycle::{Budget, PhaseError, Taken, take};
use export_model::Message;
use export_ports::Ports;

/// Takes one message of the distribute queue. Acknowledge it when this returns `Ok`.
///
/// # Errors
/// What could neither be done nor recorded: leave the message to be delivered again.
pub async fn handle(ports: &Ports, message: &Message, budget: Budget) -> Result<(), PhaseError> {
    match take(ports, message).await? {
        Taken::Held(held) => deliver::deliver(ports, held, budget).await,
        Taken::NotOurs => Ok(()),
    }
}
