//! Transitions of a run.

use std::time::Duration;

use export_model::{
    Distribution, ErrorCode, Event, EventBody, Failure, Part, Run, RunKey, RunStatus, Slots,
    Timestamp, Work, WorkId,
};
use export_ports::{PortErrorKind, Ports, Row, Transaction, Write};
use export_telemetry as telemetry;

use crate::{Held, PhaseError, lease_millis, usage};

/// Attempts at a transaction before giving up: enough for every worker of a large run to get its
/// turn.
const ATTEMPTS: u32 = 200;

/// A transition in the making: the run as it was read, to be changed in place, and everything that
/// is to be committed with it.
pub struct Draft {
    /// The run.
    pub run: Run,
    /// The time of the transition.
    pub now: Timestamp,
    slots: Slots,
    slots_changed: bool,
    writes: Vec<Write>,
    new_work: Vec<Work>,
    used_bytes: u64,
    /// For how long the tick leaves a message that was just sent alone.
    patience_millis: i64,
}

/// What was committed.
pub struct Committed {
    /// The run, as it is now.
    pub run: Run,
}

impl Draft {
    /// Adds an event.
    pub fn event(&mut self, body: EventBody) {
        self.run.last_seq += 1;
        self.writes.push(Write::Event(Event {
            run: self.run.key.clone(),
            seq: self.run.last_seq,
            at: self.now,
            body,
        }));
    }

    /// Moves the run to `status`, with an event.
    pub fn status(&mut self, status: RunStatus, detail: Option<String>) {
        self.run.status = status;
        self.event(EventBody::Status {
            status,
            detail,
            error_code: None,
        });
    }

    /// Writes a part's row.
    pub fn part(&mut self, part: Part) {
        self.writes.push(Write::Put(Box::new(Row::Part(part))));
    }

    /// Writes a distribution's row.
    pub fn distribution(&mut self, distribution: Distribution) {
        self.writes
            .push(Write::Put(Box::new(Row::Distribution(distribution))));
    }

    /// Adds a condition or an effect.
    pub fn also(&mut self, write: Write) {
        self.writes.push(write);
    }

    /// Counts bytes of an archive as used, of the day's quotas.
    pub fn use_bytes(&mut self, bytes: u64) {
        self.used_bytes += bytes;
    }

    /// Makes a step necessary; its message is sent once the transition is committed.
    pub fn step(&mut self, id: WorkId) {
        let due = self.now.plus_millis(self.patience_millis);
        let mut work = Work::new(&self.run.key.tenant, id, due);
        work.traceparent.clone_from(&self.run.traceparent);
        self.new_work.push(work);
    }

    /// Goes on after the last part: to the step that merges parts, where the run has one,
    /// and to the documents otherwise.
    pub fn parts_are_done(&mut self) {
        let run = self.run.key.run.clone();
        if self.run.is_assembled() {
            self.status(RunStatus::Assembling, None);
            self.step(WorkId::Assemble { run });
        } else {
            self.status(RunStatus::Signing, None);
            self.step(WorkId::Sign { run });
        }
    }

    /// Says that the step held by `held` is done, if it is still held.
    pub fn finish(&mut self, held: &Held) {
        let write = Write::FinishWork(held.work().clone(), held.token().to_owned());
        self.writes.push(write);
    }

    /// Requires that `held` still holds its step.
    pub fn require(&mut self, held: &Held) {
        let write = Write::RequireLease(held.work().clone(), held.token().to_owned());
        self.writes.push(write);
    }

    /// The leases that the transition depends on.
    fn leases(&self) -> Vec<(WorkId, String)> {
        self.writes
            .iter()
            .filter_map(|write| match write {
                Write::FinishWork(id, token) | Write::RequireLease(id, token) => {
                    Some((id.clone(), token.clone()))
                }
                _ => None,
            })
            .collect()
    }

    /// Ends the run: gives its slot back, asks that waiting runs be admitted and that what no row
    /// points at be swept.
    pub fn end(&mut self, status: RunStatus, failure: Option<Failure>) {
        self.run.status = status;
        self.run.finished_at = Some(self.now);
        if matches!(status, RunStatus::Completed | RunStatus::Undelivered) {
            let days = i64::from(self.run.profile.config.retention.days);
            let kept = days.saturating_mul(Timestamp::DAY_MILLIS);
            self.run.expires_at = Some(self.now.plus_millis(kept));
        }
        let error_code = failure.as_ref().map(|f| f.error_code);
        let detail = failure.as_ref().map(|f| f.detail.clone()).or_else(|| {
            let cancellation = self.run.cancellation.as_ref()?;
            (status == RunStatus::Aborted).then(|| format!("cancelled by {}", cancellation.by))
        });
        self.run.failure = failure;
        self.event(EventBody::Status {
            status,
            detail,
            error_code,
        });
        let run = self.run.key.run.clone();
        if status != RunStatus::Aborted {
            // A cancelled run is swept before it ends.
            self.step(WorkId::Sweep { run: run.clone() });
        }
        if self.run.admitted {
            self.slots.active.retain(|(active, _)| *active != run);
            self.slots_changed = true;
            self.run.admitted = false;
            self.step(WorkId::Admit { cause: run });
        }
    }

    /// Ends the run as failed; what it has written is swept.
    pub fn fail(&mut self, failure: Failure) {
        self.run.assembled.clear();
        self.run.tree = None;
        self.run.published = None;
        self.run.archive = None;
        self.end(RunStatus::Failed, Some(failure));
    }
}

/// Commits the transition of a run that `decide` makes of its newest state. Where another process
/// changed a row first, reads again and decides again.
///
/// # Errors
/// What `decide` gives; `Superseded` when a lease that it requires is lost; `ERR_UNKNOWN_RUN` when there is no such run; the state port's errors.
pub async fn transact<F>(
    ports: &Ports,
    key: &RunKey,
    mut decide: F,
) -> Result<Committed, PhaseError>
where
    F: FnMut(&mut Draft) -> Result<(), PhaseError> + Send,
{
    let mut attempt = 0;
    loop {
        let Some(run) = ports.state.run(key).await? else {
            let detail = format!("run {key} does not exist");
            return Err(PhaseError::permanent(ErrorCode::UnknownRun, detail));
        };
        let slots = ports
            .state
            .slots(&key.tenant)
            .await?
            .unwrap_or_else(|| Slots::empty(&key.tenant));
        let mut draft = Draft {
            run,
            now: ports.clock.now(),
            slots,
            slots_changed: false,
            writes: Vec::new(),
            new_work: Vec::new(),
            used_bytes: 0,
            patience_millis: lease_millis(ports),
        };
        decide(&mut draft)?;
        let leases = draft.leases();
        match commit(ports, draft).await {
            Err(PhaseError::Port(error)) if error.is_conflict() && attempt < ATTEMPTS => {
                attempt += 1;
                if !still_held(ports, key, &leases).await? {
                    return Err(PhaseError::Superseded);
                }
                tokio::time::sleep(Duration::from_millis(u64::from(attempt.min(20)))).await;
            }
            outcome => return outcome,
        }
    }
}

/// Whether every one of these leases is still held: a lost lease is a conflict that no second
/// attempt can mend.
async fn still_held(
    ports: &Ports,
    key: &RunKey,
    leases: &[(WorkId, String)],
) -> Result<bool, PhaseError> {
    for (id, token) in leases {
        let work = ports.state.work(&key.tenant, id).await?;
        let lease = work.and_then(|work| work.lease);
        if lease.is_none_or(|lease| lease.token != *token) {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn commit(ports: &Ports, draft: Draft) -> Result<Committed, PhaseError> {
    let Draft {
        mut run,
        slots,
        slots_changed,
        writes,
        new_work,
        used_bytes,
        now,
        patience_millis: _,
    } = draft;
    let mut transaction = Transaction::new(&run.key.tenant);
    transaction.writes = writes;
    if used_bytes > 0 {
        let counts = usage::count_bytes(ports, &run.profile, used_bytes, now).await?;
        transaction.writes.extend(counts);
    }
    for work in &new_work {
        transaction = transaction.put(Row::Work(work.clone()));
    }
    if slots_changed {
        transaction = transaction.put(Row::Slots(slots.clone()));
    }
    transaction = transaction.put(Row::Run(run.clone()));
    ports.state.commit(transaction).await?;
    run.rev += 1;
    if slots_changed {
        telemetry::active_runs(run.key.tenant.as_str(), slots.active.len());
    }
    if run.finished_at == Some(now) {
        report_end(&run);
    }
    send(ports, &new_work).await;
    Ok(Committed { run })
}

/// Sends the messages of work that was just committed. A message that cannot be sent is sent by
/// the tick, so this cannot fail.
pub(crate) async fn send(ports: &Ports, work: &[Work]) {
    for work in work {
        if let Err(error) = ports.queue.send(&work.message(), Duration::ZERO).await {
            let kind = error.kind();
            if kind != PortErrorKind::Unavailable {
                tracing::warn!(%error, work = %work.id, "a message waits for the next tick");
            }
        }
    }
}

fn report_end(run: &Run) {
    match &run.failure {
        Some(failure) => {
            telemetry::run_failed(failure.error_code.as_str());
            tracing::error!(
                run_id = %run.key.run, tenant = %run.key.tenant, error_code = %failure.error_code,
                "run failed: {}", failure.detail
            );
        }
        None if run.status == RunStatus::Completed => {
            let finished = run.finished_at.unwrap_or(run.submitted_at);
            let took = Duration::from_millis(finished.millis_since(run.submitted_at));
            telemetry::run_completed(run.profile.kind.as_str(), took, run.bytes);
            tracing::info!(
                run_id = %run.key.run, tenant = %run.key.tenant, records = run.records,
                bytes = run.bytes, millis = took.as_millis(), "run completed"
            );
        }
        None => {}
    }
}
