//! Leases: who does a step, and for how long nobody else may.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use export_model::{
    ErrorCode, Failure, Lease, Message, RunId, RunKey, Tenant, Timestamp, Work, WorkId,
};
use export_ports::{PortError, Ports, Row, Transaction, Write};

use crate::{PhaseError, transact};

/// How long a lease lasts unless renewed, and for how long what was sent is given time before it is
/// sent again: in milliseconds.
#[must_use]
pub fn lease_millis(ports: &Ports) -> i64 {
    i64::try_from(ports.liveness.lease().as_millis()).unwrap_or(i64::MAX)
}

/// How often a step may fail before its run does.
const MAX_FAILURES: u32 = 5;

/// Until when a function may work. A step that nears it stops at the next place from which it can
/// go on, and goes on in a new message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Budget {
    /// The function's deadline; none for hosts that have none.
    pub deadline: Option<Timestamp>,
    /// How long before the deadline to stop, in milliseconds.
    pub margin_millis: i64,
}

impl Budget {
    /// Whether it is time to stop.
    #[must_use]
    pub fn is_spent(&self, now: Timestamp) -> bool {
        self.deadline
            .is_some_and(|deadline| now.plus_millis(self.margin_millis) >= deadline)
    }
}

/// What asking for a step gave.
#[allow(clippy::large_enum_variant)] // Matched where it is made; it never lies in a list.
pub enum Taken {
    /// It is ours.
    Held(Held),
    /// It is done, or somebody else has it: nothing to do.
    NotOurs,
}

/// A step that is ours. Renews its lease until it is dropped.
pub struct Held {
    work: Work,
    token: String,
    lost: Arc<AtomicBool>,
    renewal: tokio::task::JoinHandle<()>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

/// Takes the step that `message` names, unless it is done or somebody else has it.
///
/// # Errors
/// The state port's errors.
pub async fn take(ports: &Ports, message: &Message) -> Result<Taken, PhaseError> {
    loop {
        let Some(mut work) = ports.state.work(&message.tenant, &message.work).await? else {
            return Ok(Taken::NotOurs);
        };
        let now = ports.clock.now();
        if let Some(lease) = &work.lease
            && lease.until > now
            && !ports.liveness.is_gone(&lease.holder)
        {
            return Ok(Taken::NotOurs);
        }
        let token = ports.ids.token();
        let until = now.plus_millis(lease_millis(ports));
        work.lease = Some(Lease {
            token: token.clone(),
            holder: ports.ids.holder(),
            until,
        });
        work.due_at = until;
        work.sent = 0;
        let row = Transaction::new(&message.tenant).put(Row::Work(work.clone()));
        match ports.state.commit(row).await {
            Ok(()) => {
                work.rev += 1;
                return Ok(Taken::Held(Held::new(ports, work, token)));
            }
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
}

impl Held {
    fn new(ports: &Ports, work: Work, token: String) -> Self {
        let lost = Arc::new(AtomicBool::new(false));
        let renewal = tokio::spawn(renew(
            ports.clone(),
            work.clone(),
            token.clone(),
            Arc::clone(&lost),
        ));
        Self {
            work,
            token,
            lost,
            renewal,
        }
    }

    /// The step.
    #[must_use]
    pub fn work(&self) -> &WorkId {
        &self.work.id
    }

    /// What log lines of all that one request made have in common: its trace id; the run's id where
    /// there was no request.
    #[must_use]
    pub fn correlation_id(&self) -> String {
        let trace = self.work.traceparent.as_deref();
        trace
            .and_then(|parent| parent.split('-').nth(1))
            .map_or_else(|| self.run_key().run.to_string(), str::to_owned)
    }

    /// The lease's token: part of every object key that is written under it.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Whether somebody else may have the step by now.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// The tenant that the step belongs to.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.work.tenant
    }

    /// Asks the store whether the step is still ours.
    ///
    /// # Errors
    /// The state port's errors.
    pub async fn is_ours(&self, ports: &Ports) -> Result<bool, PhaseError> {
        let work = ports.state.work(&self.work.tenant, &self.work.id).await?;
        Ok(work.is_some_and(|work| holds(&work, &self.token)))
    }

    /// The run that the step belongs to; for work of a whole tenant, the run that caused it. A
    /// start has none yet: its schedule's id stands for one that does not exist.
    #[must_use]
    pub fn run_key(&self) -> RunKey {
        let run = match &self.work.id {
            WorkId::Admit { cause } => cause.clone(),
            WorkId::Start { schedule, .. } => RunId::from(schedule.clone()),
            // Nobody ever holds one: it has no row.
            WorkId::Export { .. } => RunId::nil(),
            WorkId::Plan { run }
            | WorkId::Shard { run, .. }
            | WorkId::Assemble { run }
            | WorkId::Sign { run }
            | WorkId::Distribute { run, .. }
            | WorkId::Sweep { run } => run.clone(),
        };
        RunKey {
            tenant: self.work.tenant.clone(),
            run,
        }
    }

    /// Gives the step back, to go on in a new message after `delay`.
    ///
    /// # Errors
    /// The state port's errors; a lease that was lost meanwhile is none.
    pub async fn give_back(self, ports: &Ports, delay: Duration) -> Result<(), PhaseError> {
        self.release(ports, delay, false).await
    }

    /// Says that the step is done and makes nothing else necessary.
    ///
    /// # Errors
    /// The state port's errors; a lease that was lost meanwhile is none.
    pub async fn done(self, ports: &Ports) -> Result<(), PhaseError> {
        let finish = Write::FinishWork(self.work.id.clone(), self.token.clone());
        match ports
            .state
            .commit(Transaction::new(&self.work.tenant).and(finish))
            .await
        {
            Err(error) if !error.is_conflict() => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Whether trying again after `error` is of no use, or was tried often enough.
    #[must_use]
    pub fn is_final(&self, error: &PhaseError) -> bool {
        let given_up = self.work.attempts + 1 >= MAX_FAILURES;
        !matches!(error, PhaseError::Superseded) && (!error.is_retryable() || given_up)
    }

    /// Deals with a step that could not be done: gives it back for another attempt where one may
    /// succeed, fails its run where none will.
    ///
    /// # Errors
    /// What cannot be recorded either.
    pub async fn failed(self, ports: &Ports, error: PhaseError) -> Result<(), PhaseError> {
        let key = self.run_key();
        if matches!(error, PhaseError::Superseded) {
            return self.done(ports).await;
        }
        if !self.is_final(&error) {
            let delay = Duration::from_millis(100 << self.work.attempts.min(8));
            tracing::warn!(run_id = %key.run, tenant = %key.tenant, work = %self.work.id, %error,
                "a step failed and will be tried again");
            return self.release(ports, delay, true).await;
        }
        if self.work.id.run().is_none() || matches!(self.work.id, WorkId::Sweep { .. }) {
            // Neither admitting, starting nor sweeping can fail a run; a tick tries again.
            return Err(error);
        }
        let failure = if error.is_retryable() {
            Failure {
                error_code: ErrorCode::RetriesExhausted,
                detail: format!("gave up after {MAX_FAILURES} attempts: {error}"),
            }
        } else {
            error.failure()
        };
        let outcome = transact(ports, &key, |draft| {
            if draft.run.status.is_terminal()
                || draft.run.status == export_model::RunStatus::Cancelling
            {
                return Err(PhaseError::Superseded);
            }
            draft.finish(&self);
            draft.fail(failure.clone());
            Ok(())
        })
        .await;
        match outcome {
            Err(PhaseError::Superseded) => self.done(ports).await,
            Err(error) => Err(error),
            Ok(_) => Ok(()),
        }
    }

    async fn release(self, ports: &Ports, delay: Duration, failed: bool) -> Result<(), PhaseError> {
        self.renewal.abort();
        let millis = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        loop {
            let current = ports.state.work(&self.work.tenant, &self.work.id).await?;
            let Some(mut work) = current.filter(|work| holds(work, &self.token)) else {
                return Ok(());
            };
            work.lease = None;
            work.attempts += u32::from(failed);
            work.due_at = ports
                .clock
                .now()
                .plus_millis(millis)
                .plus_millis(lease_millis(ports));
            let message = work.message();
            let row = Transaction::new(&work.tenant).put(Row::Work(work));
            match ports.state.commit(row).await {
                Ok(()) => {
                    // The tick sends it where this fails.
                    let _ = ports.queue.send(&message, delay).await;
                    return Ok(());
                }
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn holds(work: &Work, token: &str) -> bool {
    work.lease
        .as_ref()
        .is_some_and(|lease| lease.token == token)
}

/// Renews a lease at a third of its time, until it is aborted or the lease is no longer ours.
async fn renew(ports: Ports, work: Work, token: String, lost: Arc<AtomicBool>) {
    let pause = ports.liveness.lease() / 3;
    loop {
        tokio::time::sleep(pause).await;
        match extend(&ports, &work, &token).await {
            Ok(true) => {}
            Ok(false) => {
                lost.store(true, Ordering::Relaxed);
                return;
            }
            Err(error) => tracing::warn!(work = %work.id, %error, "a lease could not be renewed"),
        }
    }
}

async fn extend(ports: &Ports, work: &Work, token: &str) -> Result<bool, PortError> {
    loop {
        let current = ports.state.work(&work.tenant, &work.id).await?;
        let Some(mut current) = current.filter(|current| holds(current, token)) else {
            return Ok(false);
        };
        let until = ports.clock.now().plus_millis(lease_millis(ports));
        if let Some(lease) = &mut current.lease {
            lease.until = until;
        }
        current.due_at = until;
        let row = Transaction::new(&work.tenant).put(Row::Work(current));
        match ports.state.commit(row).await {
            Ok(()) => return Ok(true),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error),
        }
    }
}
