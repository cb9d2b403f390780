//! Runs: submitting, finding and cancelling them.

use std::time::Duration;

use export_adapter::Registry;
use export_approval::ApprovalPolicy;
use export_lifecycle::{Prepared, Submission, prepare, reserve_run};
use export_model::{
    ErrorCode, FieldError, Limits, Mark, MarkKey, MarkValue, QuotaState, RecordedApproval, Run,
    RunId, RunKey, RunOptions, Selectors, Sha256Digest, Tenant, Timestamp,
};
use export_ports::{Ports, Row, Write};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cross_tenant::{access, approvals_to_mark};
use crate::{ApiError, find_profile};

/// For how long a request is known by its idempotency key.
const IDEMPOTENCY_MILLIS: i64 = Timestamp::DAY_MILLIS;
/// Longest idempotency key, in bytes.
const LONGEST_KEY: usize = 255;
/// Attempts at making the run: others count theirs at the same time.
const ATTEMPTS: u64 = 200;

/// What a request for a run says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// What comes with a request for a run.
#[derive(Clone, Debug, Default)]
pub struct SubmitContext {
    /// The key under which the request is carried out once, however often it is sent within 24
    /// hours, and the digest of the request.
    pub idempotency: Option<(String, Sha256Digest)>,
    /// What the tenant may use.
    pub limits: Limits,
    /// Trace context of the request (`traceparent`).
    pub traceparent: Option<String>,
}

/// An accepted request.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// The run: of a replayed request, as it is now.
    pub run: Run,
    /// Whether the request had been accepted before.
    pub replayed: bool,
    /// What is left of every quota that is set. Empty for a replayed request, which uses nothing.
    pub quotas: Vec<QuotaState>,
}

/// Accepts a request for a run of `tenant` in the name of `requested_by`. `approvals` says whether
/// it may name other tenants, and whose signatures count for that.
///
/// The run, its marks and its counts are one transaction. So of two requests with one idempotency
/// key one makes the run, wherever they arrive, and both are told of it.
///
/// # Errors
/// Every refusal of the catalogue that a request can meet, or the ports' errors.
/// `ERR_IDEMPOTENCY_MISMATCH` when the key was used for another request,
/// `ERR_IDEMPOTENCY_CONFLICT` when it cannot be told what became of the one that used it, and
/// `ERR_QUOTA_RUNS` or `ERR_QUOTA_BYTES` with [`ApiError::quota`]. `ERR_APPROVAL_USED` when an
/// approval that is good for one run has been used.
pub async fn submit(
    ports: &Ports,
    registry: &Registry,
    approvals: &ApprovalPolicy,
    tenant: &Tenant,
    requested_by: &str,
    request: RunRequest,
    context: SubmitContext,
) -> Result<Submitted, ApiError> {
    let once = context.idempotency.map(Once::new).transpose()?;
    if let Some(once) = &once
        && let Some(run) = once.answer(ports, tenant).await?
    {
        return Ok(replayed(run));
    }
    let profile = find_profile(ports, tenant, &request.profile, None).await?;
    if registry.find(profile.kind).is_none() {
        let detail = format!("no adapter of this service makes {}", profile.kind);
        return Err(ApiError::new(ErrorCode::UnknownVariant, detail));
    }
    let access = access(approvals, tenant, &profile, &request, ports.clock.now())?;
    let submission = Submission {
        tenant: tenant.clone(),
        profile,
        selectors: request.selectors,
        // Envelopes are kept once, with what was found of them.
        options: RunOptions {
            approval: Vec::new(),
            ..request.options
        },
        owners: access.owners,
        approvals: access.approvals,
        requested_by: requested_by.to_owned(),
        traceparent: context.traceparent,
    };
    let prepared = prepare(ports, submission).await?;
    for attempt in 1..=ATTEMPTS {
        let run = prepared.run();
        let reserved = reserve_run(ports, &run.profile, &context.limits, run.submitted_at).await;
        // What is in the way may be this very request, which was accepted meanwhile.
        if (attempt > 1 || reserved.is_err())
            && let Some(once) = &once
            && let Some(run) = once.answer(ports, tenant).await?
        {
            return Ok(replayed(run));
        }
        let reservation = reserved?;
        let uses = uses(ports, run).await?;
        let mut extra = reservation.writes;
        extra.extend(uses);
        extra.extend(once.as_ref().map(|once| once.mark(&prepared)));
        match prepared.commit(ports, extra).await {
            Ok(run) => {
                return Ok(Submitted {
                    run,
                    replayed: false,
                    quotas: reservation.quotas,
                });
            }
            Err(export_lifecycle::PhaseError::Port(error)) if error.is_conflict() => {
                tokio::time::sleep(Duration::from_millis(attempt.min(20))).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let code = match once {
        Some(_) => ErrorCode::IdempotencyConflict,
        None => ErrorCode::Storage,
    };
    let detail = format!("tenant {tenant} submits too many runs at once; try again");
    Err(ApiError::new(code, detail))
}

/// Says that the run's approvals are used, where they are good for one run only.
async fn uses(ports: &Ports, run: &Run) -> Result<Vec<Write>, ApiError> {
    let mut writes = Vec::new();
    for approval in approvals_to_mark(&run.approvals) {
        let RecordedApproval { grantor, nonce, .. } = approval;
        let key = MarkKey::Approval {
            grantor: grantor.clone(),
            nonce: nonce.clone(),
        };
        let tenant = &run.key.tenant;
        if ports.state.mark(tenant, &key).await?.is_some() {
            let detail =
                format!("the approval {nonce} of {grantor} was good for one run, and used");
            return Err(ApiError::new(ErrorCode::ApprovalUsed, detail));
        }
        writes.push(Write::Put(Box::new(Row::Mark(Mark {
            tenant: tenant.clone(),
            key,
            // It is good for nothing any more then.
            until: Some(approval.expires_at),
            value: MarkValue::Approval {
                run: run.key.run.clone(),
            },
            rev: 0,
        }))));
    }
    Ok(writes)
}

fn replayed(run: Run) -> Submitted {
    Submitted {
        run,
        replayed: true,
        quotas: Vec::new(),
    }
}

/// A request that is carried out once.
struct Once {
    key: String,
    request: Sha256Digest,
}

impl Once {
    fn new((key, request): (String, Sha256Digest)) -> Result<Self, ApiError> {
        let plain = key.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        if key.is_empty() || key.len() > LONGEST_KEY || !plain {
            return Err(ApiError::invalid(vec![FieldError {
                field: "Idempotency-Key".into(),
                message: format!("must be 1 to {LONGEST_KEY} printable ASCII characters"),
            }]));
        }
        Ok(Self { key, request })
    }

    fn mark_key(&self) -> MarkKey {
        MarkKey::Idempotency {
            key: self.key.clone(),
        }
    }

    /// The run that an earlier request with this key has made; none where there was no request.
    async fn answer(&self, ports: &Ports, tenant: &Tenant) -> Result<Option<Run>, ApiError> {
        let Some(mark) = ports.state.mark(tenant, &self.mark_key()).await? else {
            return Ok(None);
        };
        let untold = || {
            let detail = format!(
                "what became of the request with idempotency key `{}` cannot be told yet",
                self.key
            );
            ApiError::new(ErrorCode::IdempotencyConflict, detail)
        };
        let MarkValue::Idempotency { request, run } = mark.value else {
            return Err(untold());
        };
        if request != self.request {
            let detail = format!(
                "idempotency key `{}` was used for another request, which became run {run}",
                self.key
            );
            return Err(ApiError::new(ErrorCode::IdempotencyMismatch, detail));
        }
        let key = RunKey {
            tenant: tenant.clone(),
            run,
        };
        let run = ports.state.run(&key).await?;
        run.map(Some).ok_or_else(untold)
    }

    /// Says that the request became this run.
    fn mark(&self, prepared: &Prepared) -> Write {
        let run = prepared.run();
        Write::Put(Box::new(Row::Mark(Mark {
            tenant: run.key.tenant.clone(),
            key: self.mark_key(),
            until: Some(run.submitted_at.plus_millis(IDEMPOTENCY_MILLIS)),
            value: MarkValue::Idempotency {
                request: self.request,
                run: run.key.run.clone(),
            },
            rev: 0,
        })))
    }
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
