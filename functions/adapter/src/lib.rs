//! The adapter phase: from parts to payload files.
//!
//! A shard of consecutive parts is written under one lease, part by part. Each part is streamed:
//! pages of records from the ledger or the policy engine, checked and hashed one by one, through
//! the profile's adapter, compressed on all cores, to staging. What was read must be what was
//! planned, record for record, or the run fails.
//!
//! Where a profile's kind needs one file of all parts, each part becomes a run file on staging: its
//! records in the scanner's words, sorted. The step after the last part merges them.

mod assemble;
mod check;
mod json_lines;
mod keys;
mod layer;
mod part;
mod records;
mod registry;
mod run_file;
mod scratch;
mod shard;

pub use export_staging::FramePool;
pub use registry::{AdapterInfo, Registry};

use std::path::Path;
use std::sync::Arc;

use export_lifecycle::{Budget, PhaseError, Taken, take};
use export_model::{Message, WorkId};
use export_ports::Ports;

/// Takes one message of the adapter queue. Acknowledge it when this returns `Ok`. Parts are assembled
/// in directories of their own in `scratch`, a directory that is made where it is missing.
///
/// # Errors
/// What could neither be done nor recorded: leave the message to be delivered again.
pub async fn handle(
    ports: &Ports,
    registry: &Registry,
    frames: &Arc<FramePool>,
    scratch: &Path,
    message: &Message,
    budget: Budget,
) -> Result<(), PhaseError> {
    let Taken::Held(held) = take(ports, message).await? else {
        return Ok(());
    };
    // On the heap, so that no caller's stack has to hold the largest of what a step waits for.
    match held.work() {
        WorkId::Assemble { .. } => {
            let work = assemble::assemble(ports, registry, frames, scratch, held, budget);
            Box::pin(work).await
        }
        _ => {
            Box::pin(shard::export(
                ports, registry, frames, scratch, held, budget,
            ))
            .await
        }
    }
}
