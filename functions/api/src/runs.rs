//! Runs: submitting, finding and cancelling them.

use std::collections::BTreeMap;
use std::time::Duration;

use export_adapter::Registry;
use export_model::{
    AsOf, ErrorCode, Event, EventBody, FieldError, PolicySnapshot, Profile, Run, RunId, RunKey,
    RunOptions, RunStatus, Selectors, Tenant, Timestamp, Work, WorkId,
};
use export_ports::{Ports, Row, Transaction, Write};
use serde::Deserialize;

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

/// Accepts a request for a run of `tenant` in the name of `requested_by`.
///
/// A policy snapshot that the run refers to is frozen before the run exists, so that nothing can
/// be added to it in between.
///
/// # Errors
/// Every refusal of the catalogue that a request can meet, or the ports' errors.
pub async fn submit(
    ports: &Ports,
    registry: &Registry,
    tenant: &Tenant,
    requested_by: &str,
    request: RunRequest,
) -> Result<Run, ApiError> {
    let profile = find_profile(ports, tenant, &request.profile, None).await?;
    if registry.find(profile.kind).is_none() {
        let detail = format!("no adapter of this service makes {}", profile.kind);
        return Err(ApiError::new(ErrorCode::UnknownVariant, detail));
    }
    request
        .selectors
        .compile(profile.kind)
        .map_err(ApiError::invalid)?;
    as_of_exists(ports, tenant, request.options.as_of).await?;
    let snapshot = snapshot(ports, tenant, &profile, &request.options).await?;

    let now = ports.clock.now();
    let key = RunKey {
        tenant: tenant.clone(),
        run: ports.ids.run_id(now),
    };
    let run = pending(key, profile, request, snapshot, requested_by, now);
    let event = Event {
        run: run.key.clone(),
        seq: 1,
        at: now,
        body: EventBody::Status {
            status: RunStatus::Pending,
            detail: Some(format!("submitted by {requested_by}")),
            error_code: None,
        },
    };
    let cause = run.key.run.clone();
    let admit = Work::new(tenant, WorkId::Admit { cause }, now.plus_millis(60_000));
    let transaction = Transaction::new(tenant)
        .put(Row::Run(run.clone()))
        .put(Row::Work(admit.clone()))
        .and(Write::Event(event));
    ports.state.commit(transaction).await?;
    // The tick sends it where this fails.
    let _ = ports.queue.send(&admit.message(), Duration::ZERO).await;
    Ok(Run { rev: 1, ..run })
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
        options: request.options,
        requested_by: requested_by.to_owned(),
        submitted_at: now,
        status: RunStatus::Pending,
        admitted: false,
        watermark: None,
        policy_snapshot,
        sources: Vec::new(),
        sboms: BTreeMap::new(),
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
        last_seq: 1,
        rev: 0,
    }
}

async fn as_of_exists(ports: &Ports, tenant: &Tenant, as_of: Option<AsOf>) -> Result<(), ApiError> {
    let unknown = |detail: String| ApiError {
        code: ErrorCode::AsOfUnknown,
        fields: vec![FieldError {
            field: "options.as_of".into(),
            message: detail.clone(),
        }],
        detail,
    };
    match as_of {
        None => Ok(()),
        Some(AsOf::Watermark(wanted)) => {
            let newest = ports.ledger.watermark(tenant).await?;
            if wanted <= newest {
                return Ok(());
            }
            Err(unknown(format!(
                "names watermark {wanted}, but the ledger's newest is {newest}"
            )))
        }
        Some(AsOf::Time(time)) => match ports.ledger.watermark_at(tenant, time).await? {
            Some(_) => Ok(()),
            None => Err(unknown(format!(
                "names {time}, before the ledger's first import"
            ))),
        },
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
