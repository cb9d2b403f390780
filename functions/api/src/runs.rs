//! Runs: submitting, finding and cancelling them.

use std::collections::BTreeMap;
use std::time::Duration;

use export_adapter::Registry;
use export_approval::ApprovalPolicy;
use export_model::{
    ErrorCode, Event, EventBody, FieldError, PolicySnapshot, Profile, Run, RunId, RunKey,
    RunOptions, RunStatus, Selectors, Tenant, Timestamp, Work, WorkId,
};
use export_plan::{NoSuchState, watermark};
use export_ports::{Ports, Row, Transaction, Write};
use serde::Deserialize;

use crate::cross_tenant::{Access, access};
use crate::{ApiError, find_profile};

/// What a request for a run says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// The profile's name.
    pub profile: String,
    /// Which records.
    #[serde(default)]
    pub selectors: Selectors,
    /// What else.
    #[serde(default)]
    pub options: RunOptions,
}

/// Accepts a request for a run of `tenant` in the name of `requested_by`. `approvals` says whether
/// it may name other tenants, and whose signatures count for that.
///
/// A policy snapshot that the run refers to is frozen before the run exists, so that nothing can
/// be added to it in between.
///
/// # Errors
/// Every refusal of the catalogue that a request can meet, or the ports' errors.
pub async fn submit(
    ports: &Ports,
    registry: &Registry,
    approvals: &ApprovalPolicy,
    tenant: &Tenant,
    requested_by: &str,
    request: RunRequest,
) -> Result<Run, ApiError> {
    let profile = find_profile(ports, tenant, &request.profile, None).await?;
    if registry.find(profile.kind).is_none() {
        let detail = format!("no adapter of this service makes {}", profile.kind);
        return Err(ApiError::new(ErrorCode::UnknownVariant, detail));
    }
    let now = ports.clock.now();
    let access = access(approvals, tenant, &profile, &request, now)?;
    let owners = access.owners(tenant);
    watermark(ports, owners, request.options.as_of)
        .await?
        .map_err(|NoSuchState(what)| no_such_state(&what))?;
    let snapshot = snapshot(ports, tenant, &profile, &request.options).await?;

    let key = RunKey {
        tenant: tenant.clone(),
        run: ports.ids.run_id(now),
    };
    let mut run = pending(key, profile, request, snapshot, requested_by, now);
    let events = record(&mut run, access);
    let cause = run.key.run.clone();
    let admit = Work::new(tenant, WorkId::Admit { cause }, now.plus_millis(60_000));
    let mut transaction = Transaction::new(tenant)
        .put(Row::Run(run.clone()))
        .put(Row::Work(admit.clone()));
    for event in events {
        transaction = transaction.and(Write::Event(event));
    }
    ports.state.commit(transaction).await?;
    // The tick sends it where this fails.
    let _ = ports.queue.send(&admit.message(), Duration::ZERO).await;
    Ok(Run { rev: 1, ..run })
}

/// Records who may see what in a run; gives its first events.
fn record(run: &mut Run, access: Access) -> Vec<Event> {
    run.owners = access.owners;
    run.approvals = access.approvals;
    let submitted = EventBody::Status {
        status: RunStatus::Pending,
        detail: Some(format!("submitted by {}", run.requested_by)),
        error_code: None,
    };
    let used = run
        .approvals
        .iter()
        .map(|approval| EventBody::ApprovalUsed {
            grantor: approval.grantor.clone(),
            nonce: approval.nonce.clone(),
            key_fingerprint: approval.key_fingerprint.clone(),
        });
    let events: Vec<_> = (1..)
        .zip(std::iter::once(submitted).chain(used))
        .map(|(seq, body)| Event {
            run: run.key.clone(),
            seq,
            at: run.submitted_at,
            body,
        })
        .collect();
    run.last_seq = events.len() as u64;
    events
}

fn no_such_state(what: &str) -> ApiError {
    ApiError {
        code: ErrorCode::AsOfUnknown,
        detail: what.to_owned(),
        fields: vec![FieldError {
            field: "options.as_of".into(),
            message: what.to_owned(),
        }],
    }
}

fn pending(
    key: RunKey,
    profile: Profile,
    request: RunRequest,
    policy_snapshot: Option<PolicySnapshot>,
    requested_by: &str,
    now: Timestamp,
) -> Run {
    Run {
        key,
        targets_left: u32::try_from(profile.config.targets.len()).unwrap_or(u32::MAX),
        profile,
        selectors: request.selectors,
        // Envelopes are kept once, with what was found of them.
        options: RunOptions {
            approval: Vec::new(),
            ..request.options
        },
        owners: Vec::new(),
        approvals: Vec::new(),
        requested_by: requested_by.to_owned(),
        submitted_at: now,
        status: RunStatus::Pending,
        admitted: false,
        watermark: None,
        policy_snapshot,
        sources: Vec::new(),
        sboms: BTreeMap::new(),
        sboms_of: Vec::new(),
        parts: 0,
        parts_left: 0,
        records_planned: 0,
        bytes_planned: 0,
        records: 0,
        bytes: 0,
        quarantined: 0,
        published: None,
        archive: None,
        failure: None,
        cancellation: None,
        started_at: None,
        finished_at: None,
        last_seq: 0,
        rev: 0,
    }
}

async fn snapshot(
    ports: &Ports,
    tenant: &Tenant,
    profile: &Profile,
    options: &RunOptions,
) -> Result<Option<PolicySnapshot>, ApiError> {
    let wanted = options.policy_snapshot_id.as_deref();
    if !profile.kind.needs_policy() {
        return match wanted {
            None => Ok(None),
            Some(_) => Err(ApiError::invalid(vec![FieldError {
                field: "options.policy_snapshot_id".into(),
                message: format!("{} exports no policy; leave it out", profile.kind),
            }])),
        };
    }
    let Some(snapshot) = ports.policy.snapshot(tenant, wanted).await? else {
        let detail = match wanted {
            Some(id) => format!("tenant {tenant} has no policy snapshot `{id}`"),
            None => format!(
                "tenant {tenant} has no policy snapshot, and {} needs one",
                profile.kind
            ),
        };
        return Err(ApiError::new(ErrorCode::UnknownSnapshot, detail));
    };
    ports
        .policy
        .freeze(tenant, &snapshot.policy_snapshot_id)
        .await?;
    Ok(Some(snapshot))
}

/// A run of `tenant`.
///
/// # Errors
/// `ERR_UNKNOWN_RUN`, or when the state cannot be read.
pub async fn find_run(ports: &Ports, tenant: &Tenant, id: &str) -> Result<Run, ApiError> {
    let unknown = || {
        let detail = format!("tenant {tenant} has no run `{id}`");
        ApiError::new(ErrorCode::UnknownRun, detail)
    };
    let run: RunId = id.parse().map_err(|_| unknown())?;
    let key = RunKey {
        tenant: tenant.clone(),
        run,
    };
    ports.state.run(&key).await?.ok_or_else(unknown)
}

/// Asks that a run be cancelled, in the name of `by`.
///
/// # Errors
/// `ERR_UNKNOWN_RUN`, `ERR_RUN_ENDED`, or the ports' errors.
pub async fn cancel_run(
    ports: &Ports,
    tenant: &Tenant,
    id: &str,
    by: &str,
) -> Result<Run, ApiError> {
    let run = find_run(ports, tenant, id).await?;
    Ok(export_lifecycle::cancel(ports, &run.key, by).await?)
}
