//! The embedded host: every phase in this process, on one home.
//!
//! Workers receive from the phases' queues and hand each message to its phase; a tick sends again
//! what is due. Several such hosts may run on one home at once. A host that starts takes over what
//! processes that are gone have left; one that stops first finishes what it has begun.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use export_adapter::{FramePool, Registry};
use export_lifecycle::{Budget, PhaseError, recover, tick};
use export_model::{ErrorCode, Phase, RunKey, WorkId};
use export_ports::{Delivery, PortErrorKind, Ports};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::failure::Failed;

/// How long a message stays hidden. Longer work needs no more: whoever gets the message then finds
/// the step leased, and the tick sends it again if that lease ever expires.
const VISIBILITY: Duration = Duration::from_secs(120);
const WAIT: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_secs(5);
/// How often a host that wants to stop looks whether anything is left.
const LOOK: Duration = Duration::from_millis(10);
/// Work that is due within this time is waited for; what is due later (a second sweep, say) is
/// left to whoever runs then.
const SOON_MILLIS: i64 = 90_000;

pub(crate) struct Host {
    ports: Ports,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    fatal: Arc<Mutex<Option<Failed>>>,
}

#[derive(Clone)]
struct Worker {
    ports: Ports,
    registry: Arc<Registry>,
    frames: Arc<FramePool>,
    fatal: Arc<Mutex<Option<Failed>>>,
}

impl Host {
    /// Starts the workers: `workers` of them write parts.
    pub(crate) async fn start(
        ports: &Ports,
        registry: &Arc<Registry>,
        workers: u16,
    ) -> Result<Self, Failed> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (stop, stopped) = watch::channel(false);
        let fatal = Arc::new(Mutex::new(None));
        let worker = Worker {
            ports: ports.clone(),
            registry: Arc::clone(registry),
            frames: Arc::new(FramePool::new(cores)),
            fatal: Arc::clone(&fatal),
        };
        recover(ports).await?;
        let mut tasks = Vec::new();
        for phase in Phase::ALL {
            let count = if phase == Phase::Adapter { workers } else { 1 };
            for _ in 0..count {
                tasks.push(tokio::spawn(worker.clone().serve(phase, stopped.clone())));
            }
        }
        tasks.push(tokio::spawn(worker.keep_ticking(stopped)));
        Ok(Self {
            ports: ports.clone(),
            stop,
            tasks,
            fatal,
        })
    }

    /// What made this host unable to go on, if anything did.
    pub(crate) fn fatal(&self) -> Option<Failed> {
        self.fatal.lock().ok().and_then(|mut fatal| fatal.take())
    }

    /// Waits until nothing is left to do soon: of one run, or of all. Work that another process
    /// does is its own.
    pub(crate) async fn drain(&self, only: Option<&RunKey>) -> Result<(), Failed> {
        loop {
            if let Some(failed) = self.fatal() {
                return Err(failed);
            }
            let soon = self.ports.clock.now().plus_millis(SOON_MILLIS);
            let me = self.ports.ids.holder();
            let work = self.ports.state.due_or_leased(soon, 1_000).await?;
            let left = work.into_iter().any(|work| {
                let ours = match (&work.id, only) {
                    (_, None) => true,
                    (WorkId::Admit { cause: run }, Some(key)) => *run == key.run,
                    (id, Some(key)) => id.run() == Some(&key.run),
                };
                // Leased work is listed whenever it is due.
                let elsewhere = work.lease.as_ref().is_some_and(|lease| {
                    lease.holder != me && !self.ports.liveness.is_gone(&lease.holder)
                });
                ours && !elsewhere && (work.lease.is_some() || work.due_at <= soon)
            });
            if !left {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Stops: what has begun is finished, nothing new is begun.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(true);
        for task in self.tasks {
            let _ = task.await;
        }
    }
}

impl Worker {
    async fn serve(self, phase: Phase, mut stopped: watch::Receiver<bool>) {
        loop {
            let received = tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => return,
                received = self.ports.queue.receive(phase, 1, VISIBILITY, WAIT) => received,
            };
            match received {
                Ok(deliveries) => {
                    for delivery in deliveries {
                        self.one(phase, delivery).await;
                    }
                }
                Err(error) => {
                    if self.give_up(error.into()) {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
            if self.has_given_up() {
                return;
            }
        }
    }

    async fn one(&self, phase: Phase, delivery: Delivery) {
        // In a task of its own, so that a defect in one step does not take the worker with it.
        let step = tokio::spawn({
            let (worker, delivery) = (self.clone(), delivery.clone());
            async move { worker.handle(phase, &delivery).await }
        });
        let outcome = step.await.unwrap_or_else(|stopped| {
            Err(PhaseError::permanent(
                ErrorCode::Internal,
                format!("{} stopped: {stopped}", delivery.message.work),
            ))
        });
        let outcome = match outcome {
            Ok(()) => self
                .ports
                .queue
                .acknowledge(phase, &delivery.receipt)
                .await
                .map_err(PhaseError::from),
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            tracing::warn!(work = %delivery.message.work, %error, "a message is delivered again");
            self.give_up(error);
        }
    }

    async fn handle(&self, phase: Phase, delivery: &Delivery) -> Result<(), PhaseError> {
        let (ports, message) = (&self.ports, &delivery.message);
        // A process has no deadline; Lambda functions do.
        let budget = Budget::default();
        match phase {
            Phase::Plan => export_plan::handle(ports, message, budget).await,
            Phase::Adapter => {
                export_adapter::handle(ports, &self.registry, &self.frames, message, budget).await
            }
            Phase::Sign => export_sign::handle(ports, &self.registry, message, budget).await,
            Phase::Distribute => export_distribute::handle(ports, message, budget).await,
        }
    }

    /// A home that cannot be written to will not get better by trying again.
    fn give_up(&self, error: PhaseError) -> bool {
        let hopeless = match &error {
            PhaseError::Port(error) => matches!(
                error.kind(),
                PortErrorKind::Full
                    | PortErrorKind::ReadOnly
                    | PortErrorKind::Newer
                    | PortErrorKind::Damaged
            ),
            _ => false,
        };
        if hopeless && let Ok(mut fatal) = self.fatal.lock() {
            *fatal = Some(error.into());
        }
        hopeless
    }

    fn has_given_up(&self) -> bool {
        self.fatal.lock().is_ok_and(|fatal| fatal.is_some())
    }

    async fn keep_ticking(self, mut stopped: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(TICK) => {}
            }
            if let Err(error) = tick(&self.ports).await {
                tracing::warn!(%error, "a tick failed");
                if self.give_up(error) {
                    return;
                }
            }
        }
    }
}
