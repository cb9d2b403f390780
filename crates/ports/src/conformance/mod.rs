//! What every backend of a port must do, as tests that a backend's own tests call.
//!
//! Each suite takes a closure that opens a fresh, empty store, and panics where the store does not
//! keep what the port's docs promise. Nothing here waits for a fixed time: where a suite waits, it
//! waits for the thing itself, and only gives up after [`PATIENCE`].

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // These are tests.

mod counting;
mod evidence;
mod gate;
mod marks;
mod objects;
mod picking;
mod policy;
mod queue;
mod rows;
mod schedules;
mod selectors;
mod signer;
mod state;

use std::fmt::Debug;
use std::time::Duration;

use export_model::{RunKey, Tenant, Timestamp};

pub use evidence::evidence;
pub use gate::gate;
pub use objects::objects;
pub use policy::policy;
pub use queue::{QueueLimits, queue, queue_wakes};
pub use signer::signer;
pub use state::state;

use crate::{PortError, PortErrorKind};

/// How long a suite waits for something that must happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

fn tenant(name: &str) -> Tenant {
    name.parse().unwrap()
}

fn run_key(owner: &str, number: u32) -> RunKey {
    RunKey {
        tenant: tenant(owner),
        run: format!("0199f0c2-7a51-7c3e-9d7e-{number:012}")
            .parse()
            .unwrap(),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp(1_800_000_000_000 + seconds * 1_000)
}

fn assert_kind<T: Debug>(outcome: Result<T, PortError>, kind: PortErrorKind, what: &str) {
    match outcome {
        Err(error) if error.kind() == kind => {}
        other => panic!("{what}: expected {kind:?}, got {other:?}"),
    }
}
