//! The sign phase: from payload files to a signed set of documents.
//!
//! It writes what is left of the payload (the list of inputs, of what was quarantined, the policy
//! snapshot), then the manifest over all of it, its signatures, and the signed provenance. All of
//! that lies under this step's lease; one compare-and-set on the run publishes it, and everything
//! after reads only what was published.

mod documents;
mod mirror;
mod payload;
mod publish;

use export_adapter::Registry;
use export_lifecycle::{Budget, PhaseError, Taken, take};
use export_model::Message;
use export_ports::Ports;

/// Takes one message of the sign queue. Acknowledge it when this returns `Ok`.
///
/// # Errors
/// What could neither be done nor recorded: leave the message to be delivered again.
pub async fn handle(
    ports: &Ports,
    registry: &Registry,
    message: &Message,
    _budget: Budget,
) -> Result<(), PhaseError> {
    let Taken::Held(held) = take(ports, message).await? else {
        return Ok(());
    };
    // On the heap, so that no caller's stack has to hold what signing waits for.
    match Box::pin(publish::sign(ports, registry, &held)).await {
        Ok(()) => Ok(()),
        Err(error) => held.failed(ports, error).await,
    }
}
