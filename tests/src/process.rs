//! One host, which does nothing unless it is told to.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Result, bail};
use export_adapter::{FramePool, Registry};
use export_lifecycle::{Budget, PhaseError};
use export_model::{Message, Phase};
use export_ports::fault::{FaultPlan, faulty};
use export_ports::{Delivery, PortError, Ports};

/// For how long a message that was received is hidden from others.
pub(crate) const VISIBILITY: Duration = Duration::from_secs(120);

/// More failures in a row than any plan of a living process gives.
const PATIENCE: usize = 100;

/// One host in a world.
#[derive(Clone)]
pub struct Process {
    /// Its ports, with its faults.
    pub ports: Ports,
    plan: FaultPlan,
    registry: Arc<Registry>,
    frames: Arc<FramePool>,
    scratch: PathBuf,
    hurried: bool,
}

/// Threads that compress, shared by every process of every world.
fn frames() -> Arc<FramePool> {
    static FRAMES: OnceLock<Arc<FramePool>> = OnceLock::new();
    Arc::clone(FRAMES.get_or_init(|| Arc::new(FramePool::new(2))))
}

impl Process {
    pub(crate) fn new(ports: &Ports, plan: &FaultPlan, scratch: PathBuf) -> Self {
        Self {
            ports: faulty(ports, plan),
            plan: plan.clone(),
            registry: Arc::new(Registry::default()),
            frames: frames(),
            scratch,
            hurried: false,
        }
    }

    /// The same process, whose time is always over: every step stops where it first can.
    #[must_use]
    pub fn hurried(mut self) -> Self {
        self.hurried = true;
        self
    }

    /// Whether a fault of its plan has killed it.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.plan.is_dead()
    }

    /// The adapters that it has.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Does what a message asks for, acknowledging nothing.
    ///
    /// # Errors
    /// The phase's.
    pub async fn handle(&self, message: &Message) -> Result<(), PhaseError> {
        let ports = &self.ports;
        let budget = Budget {
            deadline: self.hurried.then(|| ports.clock.now()),
            margin_millis: 0,
        };
        match message.work.phase() {
            Phase::Plan => export_plan::handle(ports, message, budget).await,
            Phase::Adapter => {
                let (registry, frames) = (&self.registry, &self.frames);
                export_adapter::handle(ports, registry, frames, &self.scratch, message, budget)
                    .await
            }
            Phase::Sign => export_sign::handle(ports, &self.registry, message, budget).await,
            Phase::Distribute => export_distribute::handle(ports, message, budget).await,
        }
    }

    /// Receives one message that is visible now, of whichever phase comes first.
    ///
    /// # Errors
    /// The queue's.
    pub async fn receive(&self) -> Result<Option<Delivery>, PortError> {
        for phase in Phase::ALL {
            let queue = &self.ports.queue;
            let mut received = queue.receive(phase, 1, VISIBILITY, Duration::ZERO).await?;
            if let Some(delivery) = received.pop() {
                return Ok(Some(delivery));
            }
        }
        Ok(None)
    }

    /// Takes one message, as a host does: it is acknowledged when it was handled, and left to be
    /// delivered again otherwise. Says which it was, and what became of it.
    ///
    /// # Errors
    /// The queue's.
    pub async fn step(&self) -> Result<Option<(Message, Result<(), PhaseError>)>, PortError> {
        let Some(delivery) = self.receive().await? else {
            return Ok(None);
        };
        let outcome = self.handle(&delivery.message).await;
        if outcome.is_ok() {
            let phase = delivery.message.work.phase();
            self.ports
                .queue
                .acknowledge(phase, &delivery.receipt)
                .await?;
        }
        Ok(Some((delivery.message, outcome)))
    }

    /// Takes messages until none is visible, or until it is dead; says how many.
    ///
    /// # Errors
    /// When calls fail and fail.
    pub async fn pump(&self) -> Result<usize> {
        let (mut taken, mut failed) = (0, 0);
        while !self.is_dead() {
            match self.step().await {
                Ok(None) => break,
                Ok(Some(_)) => (taken, failed) = (taken + 1, 0),
                Err(error) => {
                    failed += 1;
                    if failed > PATIENCE {
                        bail!("a process cannot go on: {error}");
                    }
                }
            }
        }
        Ok(taken)
    }
}
