//! Submitting the run that a rule outside asks for: a scheduler's, such as EventBridge.
//!
//! Its message may come twice, like every message; which occasion it is about is remembered with the
//! run, in one transaction, so one occasion makes one run. There is no row of work to retry from: a
//! request that is refused goes to the dead letters with its reason.

use export_lifecycle::{PhaseError, Submission, find_profile, prepare, reserve_run};
use export_model::{
    Limits, Mark, MarkKey, MarkValue, Message, RunOptions, Selectors, Sha256Digest,
};
use export_ports::{Ports, Row, Write};

/// Attempts at the transaction: others count their runs at the same time.
const ATTEMPTS: u32 = 20;
/// For how long an occasion is remembered: as long as any queue keeps a message (SQS: 14 days).
const REMEMBERED_MILLIS: i64 = 14 * 86_400_000;

pub(crate) async fn export(
    ports: &Ports,
    message: &Message,
    profile: &str,
    request: &str,
) -> Result<(), PhaseError> {
    let mut attempt = 0;
    loop {
        match once(ports, message, profile, request).await {
            Err(PhaseError::Port(error)) if error.is_conflict() && attempt < ATTEMPTS => {
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

async fn once(
    ports: &Ports,
    message: &Message,
    profile: &str,
    request: &str,
) -> Result<(), PhaseError> {
    let tenant = &message.tenant;
    let key = MarkKey::Rule {
        request: request.to_owned(),
    };
    if ports.state.mark(tenant, &key).await?.is_some() {
        return Ok(());
    }
    let submission = Submission {
        tenant: tenant.clone(),
        profile: find_profile(ports, tenant, profile, None).await?,
        selectors: Selectors::default(),
        options: RunOptions::default(),
        owners: Vec::new(),
        approvals: Vec::new(),
        requested_by: format!("rule:{request}"),
        traceparent: message.traceparent.clone(),
    };
    let prepared = prepare(ports, submission).await?;
    let run = prepared.run();
    let now = run.submitted_at;
    let mut extra = reserve_run(ports, &run.profile, &Limits::default(), now)
        .await?
        .writes;
    let run = run.key.run.clone();
    extra.push(Write::Put(Box::new(Row::Mark(Mark {
        tenant: tenant.clone(),
        key,
        until: Some(now.plus_millis(REMEMBERED_MILLIS)),
        value: MarkValue::Idempotency {
            request: Sha256Digest::of(profile.as_bytes()),
            run: run.clone(),
        },
        rev: 0,
    }))));
    prepared.commit(ports, extra).await?;
    tracing::info!(run_id = %run, %tenant, request, "a rule asked for a run");
    Ok(())
}
