//! Whether an assembly is still wanted: asked often, answered seldom.

use std::time::Duration;

use export_lifecycle::{Budget, Held, PhaseError, transact};
use export_model::{EventBody, RunKey, RunStatus, Timestamp};
use export_ports::{PortError, PortErrorKind, Ports};

/// How often it looks whether its run is still wanted, and tells how far it is.
pub(super) const LOOK: Duration = Duration::from_millis(200);
const LOOK_MILLIS: u64 = 200;
const CHUNK_MILLIS: u64 = 1_000;

pub(super) struct Watch<'a> {
    ports: &'a Ports,
    held: &'a Held,
    key: &'a RunKey,
    budget: Budget,
    looked: Timestamp,
    told: Timestamp,
    /// Staged bytes that were fetched.
    pub(super) fetched: u64,
}

impl<'a> Watch<'a> {
    pub(super) fn new(ports: &'a Ports, held: &'a Held, key: &'a RunKey, budget: Budget) -> Self {
        let now = ports.clock.now();
        Self {
            ports,
            held,
            key,
            budget,
            looked: now,
            told: now,
            fetched: 0,
        }
    }

    /// Goes on, or says why not: the run no longer wants it, or the function's time is over, which
    /// starts it anew in another.
    pub(super) async fn look(&mut self) -> Result<(), PhaseError> {
        let now = self.ports.clock.now();
        if self.held.is_lost() {
            return Err(PhaseError::Superseded);
        }
        if now.millis_since(self.told) >= CHUNK_MILLIS {
            (self.looked, self.told) = (now, now);
            self.tell().await?;
        } else if now.millis_since(self.looked) >= LOOK_MILLIS {
            self.looked = now;
            let run = self.ports.state.run(self.key).await?;
            if run.is_none_or(|run| run.status != RunStatus::Assembling) {
                return Err(PhaseError::Superseded);
            }
        }
        if self.budget.is_spent(now) {
            let doing = format!(
                "assembling run {} within the time of one function",
                self.key
            );
            return Err(PortError::new(PortErrorKind::Unavailable, doing).into());
        }
        Ok(())
    }

    async fn tell(&self) -> Result<(), PhaseError> {
        let bytes = self.fetched;
        tracing::debug!(bytes, "assemble.chunk");
        transact(self.ports, self.key, |draft| {
            if draft.run.status != RunStatus::Assembling {
                return Err(PhaseError::Superseded);
            }
            draft.require(self.held);
            draft.event(EventBody::AssembleChunk { bytes });
            Ok(())
        })
        .await
        .map(drop)
    }
}
