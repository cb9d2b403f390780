//! The host of long-running workers: the phases in this process, on a home or on a stack.
//!
//! Workers receive from the phases' queues and hand each message to its phase; a tick sends again
//! what is due. Several such hosts may run on the same backends at once. A host that stops first
//! finishes what it has begun.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use export_adapter::{FramePool, Registry};
use export_lifecycle::{Budget, PhaseError, recover, refuse, tick};
use export_model::{ErrorCode, Phase, RunKey, Timestamp, Work, WorkId};
use export_ports::{Delivery, PortError, PortErrorKind, Ports};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::failure::Failed;

/// How long a message stays hidden unless it is hidden for longer, which is done while somebody works
/// on it.
const VISIBILITY: Duration = Duration::from_secs(120);
/// How long to leave a queue alone that could not be asked.
const AGAIN: Duration = Duration::from_secs(2);
/// Messages that are received at once, at most (SQS: 10).
const BATCH: usize = 10;
/// What is worked on is left this long to end, so that several messages are asked for in one call.
const GATHER: Duration = Duration::from_millis(5);
const TICK: Duration = Duration::from_secs(5);
/// Work that is due within this time is waited for; what is to be begun later (a second sweep, say)
/// is left to whoever runs then.
const SOON_MILLIS: i64 = 90_000;

/// How a host works.
#[derive(Clone, Debug)]
pub(crate) struct HostConfig {
    /// Parts that are written at once.
    pub(crate) workers: u16,
    /// Messages of each other phase that are worked on at once.
    pub(crate) messages: u16,
    /// The phases whose messages it takes.
    pub(crate) phases: Vec<Phase>,
    /// How long to wait for a message before asking again.
    wait: Duration,
    /// How often a host that wants to stop looks whether anything is left.
    look: Duration,
    /// Where parts are assembled.
    scratch: PathBuf,
    /// Whether to send again, at the start, what nobody alive is doing.
    recover: bool,
    /// Whether a store that cannot be written to, or is damaged, ends the host: a home is one thing
    /// and will not get better. Of a stack one document may be damaged, or one bucket read-only.
    gives_up: bool,
}

impl HostConfig {
    /// For a home: what a process that is gone has left is taken over at once.
    pub(crate) fn home(workers: u16, scratch: PathBuf) -> Self {
        Self {
            scratch,
            workers,
            messages: 1,
            phases: Phase::ALL.to_vec(),
            wait: Duration::from_secs(5),
            look: Duration::from_millis(10),
            recover: true,
            gives_up: true,
        }
    }

    /// For backends that others use too, and that cost something to ask. What is left behind there
    /// is the ticks' to find: who is gone nobody can know, and what is waiting in a queue is not
    /// lost.
    #[cfg(feature = "stack")]
    pub(crate) fn stack(workers: u16, scratch: PathBuf) -> Self {
        Self {
            messages: 8,
            wait: Duration::from_secs(10),
            look: Duration::from_millis(250),
            recover: false,
            gives_up: false,
            ..Self::home(workers, scratch)
        }
    }
}

pub(crate) struct Host {
    ports: Ports,
    look: Duration,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    fatal: Arc<Mutex<Option<Failed>>>,
}

#[derive(Clone)]
struct Worker {
    ports: Ports,
    registry: Arc<Registry>,
    frames: Arc<FramePool>,
    scratch: PathBuf,
    fatal: Arc<Mutex<Option<Failed>>>,
    wait: Duration,
    gives_up: bool,
}

impl Host {
    /// Starts the workers.
    pub(crate) async fn start(
        ports: &Ports,
        registry: &Arc<Registry>,
        config: &HostConfig,
    ) -> Result<Self, Failed> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (stop, stopped) = watch::channel(false);
        let fatal = Arc::new(Mutex::new(None));
        let worker = Worker {
            ports: ports.clone(),
            registry: Arc::clone(registry),
            frames: Arc::new(FramePool::new(cores)),
            scratch: config.scratch.clone(),
            fatal: Arc::clone(&fatal),
            wait: config.wait,
            gives_up: config.gives_up,
        };
        if config.recover {
            recover(ports).await?;
        }
        let mut tasks = Vec::new();
        for &phase in &config.phases {
            let count = match phase {
                Phase::Adapter => config.workers,
                _ => config.messages,
            };
            let serving = worker.clone().serve(phase, count.into(), stopped.clone());
            tasks.push(tokio::spawn(serving));
        }
        tasks.push(tokio::spawn(worker.keep_ticking(stopped)));
        Ok(Self {
            ports: ports.clone(),
            look: config.look,
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
            if !self.has_left(only).await? {
                return Ok(());
            }
            tokio::time::sleep(self.look).await;
        }
    }

    async fn has_left(&self, only: Option<&RunKey>) -> Result<bool, Failed> {
        let soon = self.ports.clock.now().plus_millis(SOON_MILLIS);
        let me = self.ports.ids.holder();
        let is_left = |work: &Work| {
            let ours = match (&work.id, only) {
                (_, None) => true,
                (WorkId::Admit { cause: run }, Some(key)) => *run == key.run,
                (id, Some(key)) => id.run() == Some(&key.run),
            };
            // Leased work is listed whenever it is due.
            let elsewhere = work.lease.as_ref().is_some_and(|lease| {
                lease.holder != me && !self.ports.liveness.is_gone(&lease.holder)
            });
            // What was sent again and again is due later and later, and is to be done now all the same.
            let now = work.lease.is_some() || work.due_at <= soon || work.sent > 0;
            ours && !elsewhere && now
        };
        // Everything is looked at only where nothing is due soon, which is seldom.
        for until in [soon, Timestamp(i64::MAX)] {
            let listed = self.ports.state.due_or_leased(until, 1_000).await?;
            if listed.iter().any(is_left) {
                return Ok(true);
            }
        }
        Ok(false)
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
    /// Takes messages of a phase until it is to stop, `count` at once; then ends what has begun.
    async fn serve(self, phase: Phase, count: usize, mut stopped: watch::Receiver<bool>) {
        let free = Arc::new(Semaphore::new(count));
        while !self.has_given_up() {
            let permit = tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => break,
                permit = Arc::clone(&free).acquire_owned() => permit,
            };
            let mut permits: Vec<_> = permit.into_iter().collect();
            let more = count.min(BATCH).saturating_sub(permits.len());
            let more = Arc::clone(&free).acquire_many_owned(u32::try_from(more).unwrap_or(0));
            if let Ok(Ok(mut more)) = tokio::time::timeout(GATHER, more).await {
                permits.extend(std::iter::from_fn(|| more.split(1)));
            }
            while permits.len() < BATCH
                && let Ok(permit) = Arc::clone(&free).try_acquire_owned()
            {
                permits.push(permit);
            }
            match self.receive(phase, permits.len(), &mut stopped).await {
                None => break,
                Some(Ok(deliveries)) => {
                    for (delivery, permit) in deliveries.into_iter().zip(permits) {
                        let worker = self.clone();
                        tokio::spawn(async move {
                            worker.one(phase, delivery).await;
                            drop(permit);
                        });
                    }
                }
                Some(Err(error)) => {
                    drop(permits);
                    tracing::warn!(phase = phase.as_str(), %error, "no messages can be received");
                    if self.give_up(error.into()) {
                        break;
                    }
                    tokio::select! {
                        _ = stopped.wait_for(|stop| *stop) => break,
                        () = tokio::time::sleep(AGAIN) => {}
                    }
                }
            }
        }
        let all = u32::try_from(count).unwrap_or(u32::MAX);
        let _ = free.acquire_many(all).await;
    }

    /// Receives up to `limit` messages; none where it is to stop meanwhile. What comes too late then
    /// is given back.
    async fn receive(
        &self,
        phase: Phase,
        limit: usize,
        stopped: &mut watch::Receiver<bool>,
    ) -> Option<Result<Vec<Delivery>, PortError>> {
        let queue = &self.ports.queue;
        let receiving = queue.receive(phase, limit, VISIBILITY, self.wait);
        if queue.receive_can_be_dropped() {
            return tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => None,
                received = receiving => Some(received),
            };
        }
        let received = receiving.await;
        if !*stopped.borrow() {
            return Some(received);
        }
        for delivery in received.unwrap_or_default() {
            // Where this fails it comes again when its time has passed.
            let _ = queue.extend(phase, &delivery.receipt, Duration::ZERO).await;
        }
        None
    }

    async fn one(&self, phase: Phase, delivery: Delivery) {
        // In a task of its own, so that a defect in one step does not take the worker with it.
        let mut step = tokio::spawn({
            let (worker, delivery) = (self.clone(), delivery.clone());
            async move { worker.handle(phase, &delivery).await }
        });
        let outcome = loop {
            match tokio::time::timeout(VISIBILITY / 2, &mut step).await {
                Ok(outcome) => break outcome,
                // Where it cannot be hidden any longer others find its step leased.
                Err(_) => {
                    let queue = &self.ports.queue;
                    let _ = queue.extend(phase, &delivery.receipt, VISIBILITY).await;
                }
            }
        };
        let outcome = outcome.unwrap_or_else(|stopped| {
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
            Err(error) => {
                refuse(&self.ports, phase, &delivery, &error).await;
                Err(error)
            }
        };
        if let Err(error) = outcome {
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
                let (registry, frames) = (&self.registry, &self.frames);
                export_adapter::handle(ports, registry, frames, &self.scratch, message, budget)
                    .await
            }
            Phase::Sign => export_sign::handle(ports, &self.registry, message, budget).await,
            Phase::Distribute => export_distribute::handle(ports, message, budget).await,
        }
    }

    /// A home that cannot be written to will not get better by trying again.
    fn give_up(&self, error: PhaseError) -> bool {
        let hopeless = self.gives_up
            && match &error {
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
