//! The adapter phase: from parts to payload files.
//!
//! A shard of consecutive parts is written under one lease, part by part. Each part is streamed:
//! pages of records from the ledger or the policy engine, checked and hashed one by one, through
//! the profile's adapter, compressed on all cores, to staging. What was read must be what was
//! planned, record for record, or the run fails.

mod check;
mod frame_pool;
mod json_lines;
mod part;
mod registry;
mod shard;
mod staging;

pub use frame_pool::FramePool;
pub use registry::{AdapterInfo, Registry};

use export_lifecycle::{Budget, PhaseError, Taken, take};
use export_model::Message;
use export_ports::Ports;

/// Takes one message of the adapter queue. Acknowledge it when this returns `Ok`.
///
/// # Errors
/// What could neither be done nor recorded: leave the message to be delivered again.
pub async fn handle(
    ports: &Ports,
    registry: &Registry,
    frames: &std::sync::Arc<FramePool>,
    message: &Message,
    budget: Budget,
) -> Result<(), PhaseError> {
    match take(ports, message).await? {
        Taken::Held(held) => shard::export(ports, registry, frames, held, budget).await,
        Taken::NotOurs => Ok(()),
    }
}
