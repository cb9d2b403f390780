//! Submitting a run: what makes an accepted request a `pending` run and a step to admit it.
//!
//! In two halves. [`prepare`] looks at everything that the request names and freezes its policy
//! snapshot, before the run exists, so that nothing can be added to it in between;
//! [`Prepared::commit`] makes the run, together with whatever else has to happen with it: a
//! request's mark, a count, the end of the step that asked for it.

use std::collections::BTreeMap;
use std::time::Duration;

use export_model::{
    CrossTenant, ErrorCode, Event, EventBody, FieldError, Kind, MirrorBase, PolicySnapshot,
    Profile, RecordedApproval, Run, RunKey, RunOptions, RunStatus, Selectors, Tenant, Timestamp,
    Work, WorkId, builtin_profiles,
};
use export_ports::{Ports, Row, Transaction, Write};

use crate::{NoSuchState, PhaseError, base, lease_millis, sealing, watermark};

/// What a run is asked for.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Who will own it.
    pub tenant: Tenant,
    /// The profile's revision that it runs.
    pub profile: Profile,
    /// Which records.
    pub selectors: Selectors,
    /// What else.
    pub options: RunOptions,
    /// Whose evidence it may have, as its approvals allow; empty for its own tenant's alone.
    pub owners: Vec<Tenant>,
    /// The approvals, with what was found of them.
    pub approvals: Vec<RecordedApproval>,
    /// Who asks.
    pub requested_by: String,
    /// Trace context of the request, where there is one.
    pub traceparent: Option<String>,
}

/// A run that can be made: its id is fixed, and nothing is stored yet.
#[derive(Clone, Debug)]
pub struct Prepared {
    run: Run,
    admit: Work,
}

/// The newest revision of a profile that can be run, or the revision that is named.
///
/// # Errors
/// `ERR_UNKNOWN_PROFILE`; `ERR_PROFILE_RETIRED` where no revision is named and nothing is run with
/// it any more; the state port's errors.
pub async fn find_profile(
    ports: &Ports,
    tenant: &Tenant,
    name: &str,
    revision: Option<u32>,
) -> Result<Profile, PhaseError> {
    let builtin = builtin_profiles(tenant)
        .into_iter()
        .find(|profile| profile.name == name && revision.is_none_or(|r| r == profile.revision));
    if let Some(profile) = builtin {
        return Ok(profile);
    }
    if let Some(profile) = ports.state.profile(tenant, name, revision).await? {
        return match profile.retired_at {
            Some(since) if revision.is_none() => Err(PhaseError::permanent(
                ErrorCode::ProfileRetired,
                format!("profile `{name}` of {tenant} was retired at {since}"),
            )),
            _ => Ok(profile),
        };
    }
    let known: Vec<_> = usable_profiles(ports, tenant)
        .await?
        .into_iter()
        .map(|profile| profile.name)
        .collect();
    let what = match revision {
        Some(revision) => format!("revision {revision} of profile `{name}`"),
        None => format!("profile `{name}`"),
    };
    Err(PhaseError::permanent(
        ErrorCode::UnknownProfile,
        format!("tenant {tenant} has no {what}; it has {}", known.join(", ")),
    ))
}

/// The newest revision of every profile that `tenant` can run: built-in ones first, then by name.
///
/// # Errors
/// The state port's errors.
pub async fn usable_profiles(ports: &Ports, tenant: &Tenant) -> Result<Vec<Profile>, PhaseError> {
    let mut profiles = builtin_profiles(tenant);
    profiles.extend(ports.state.profiles(tenant).await?);
    profiles.retain(|profile| profile.retired_at.is_none());
    Ok(profiles)
}

/// Checks a submission, and freezes the policy snapshot that it refers to.
///
/// # Errors
/// Every refusal of the catalogue that a request can meet, or the ports' errors.
pub async fn prepare(ports: &Ports, mut submission: Submission) -> Result<Prepared, PhaseError> {
    let wrong = submission.options.errors(submission.profile.kind);
    if !wrong.is_empty() {
        return Err(PhaseError::invalid(wrong));
    }
    let (tenant, profile) = (&submission.tenant, &submission.profile);
    let base = base::base(
        ports,
        tenant,
        profile,
        &mut submission.selectors,
        &submission.options,
    )
    .await?;
    let selectors = submission
        .selectors
        .compile_with(profile.kind, CrossTenant::Allowed)
        .map_err(PhaseError::invalid)?;
    check_schema(profile, &submission.options)?;
    let owners = match submission.owners.as_slice() {
        [] => std::slice::from_ref(tenant),
        owners => owners,
    };
    if let Some(other) = selectors
        .tenants
        .iter()
        .find(|named| !owners.contains(named))
    {
        let detail = format!("selectors.tenants names {other}, whose approval is missing");
        return Err(PhaseError::permanent(ErrorCode::CrossTenant, detail));
    }
    watermark(ports, owners, submission.options.as_of)
        .await?
        .map_err(|NoSuchState(what)| no_such_state(what))?;
    let of_base = base
        .as_ref()
        .and_then(|(run, _)| run.policy_snapshot.as_ref());
    let snapshot = snapshot(ports, tenant, profile, &submission.options, of_base).await?;
    let sealing = sealing::sealing(ports, tenant, profile, &submission.options).await?;
    let now = ports.clock.now();
    let key = RunKey {
        tenant: tenant.clone(),
        run: ports.ids.run_id(now),
    };
    let cause = key.run.clone();
    let due = now.plus_millis(lease_millis(ports));
    let mut admit = Work::new(tenant, WorkId::Admit { cause }, due);
    admit.traceparent.clone_from(&submission.traceparent);
    Ok(Prepared {
        run: Run {
            sealing,
            ..pending(key, submission, snapshot, base.map(|(_, base)| base), now)
        },
        admit,
    })
}

impl Prepared {
    /// The run as it will be.
    #[must_use]
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Makes the run, in one transaction with `extra`, and asks for its admission.
    ///
    /// # Errors
    /// A conflict when a condition of `extra` does not hold: the run was not made, and can still
    /// be. The ports' errors otherwise.
    pub async fn commit(&self, ports: &Ports, extra: Vec<Write>) -> Result<Run, PhaseError> {
        let run = &self.run;
        let mut transaction = Transaction::new(&run.key.tenant)
            .put(Row::Run(run.clone()))
            .put(Row::Work(self.admit.clone()));
        let events = events(run).into_iter().map(Write::Event);
        transaction.writes.extend(events.chain(extra));
        ports.state.commit(transaction).await?;
        // The tick sends it where this fails.
        let _ = ports
            .queue
            .send(&self.admit.message(), Duration::ZERO)
            .await;
        Ok(Run {
            rev: 1,
            ..run.clone()
        })
    }
}

/// Checks a submission and makes its run, in one transaction with `extra`.
///
/// # Errors
/// As [`prepare`] and [`Prepared::commit`].
pub async fn submit(
    ports: &Ports,
    submission: Submission,
    extra: Vec<Write>,
) -> Result<Run, PhaseError> {
    prepare(ports, submission).await?.commit(ports, extra).await
}

/// The first events of a run: who asked, and by whose approval.
fn events(run: &Run) -> Vec<Event> {
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
    (1..)
        .zip(std::iter::once(submitted).chain(used))
        .map(|(seq, body)| Event {
            run: run.key.clone(),
            seq,
            at: run.submitted_at,
            body,
        })
        .collect()
}

fn pending(
    key: RunKey,
    submission: Submission,
    policy_snapshot: Option<PolicySnapshot>,
    base: Option<MirrorBase>,
    now: Timestamp,
) -> Run {
    let profile = submission.profile;
    let last_seq = 1 + submission.approvals.len() as u64;
    Run {
        key,
        targets_left: u32::try_from(profile.config.targets.len()).unwrap_or(u32::MAX),
        profile,
        selectors: submission.selectors,
        options: submission.options,
        owners: submission.owners,
        approvals: submission.approvals,
        requested_by: submission.requested_by,
        submitted_at: now,
        status: RunStatus::Pending,
        admitted: false,
        watermark: None,
        policy_snapshot,
        sources: Vec::new(),
        sboms: BTreeMap::new(),
        sboms_of: Vec::new(),
        sealing: None,
        base,
        tree: None,
        parts: 0,
        parts_left: 0,
        records_planned: 0,
        bytes_planned: 0,
        records: 0,
        bytes: 0,
        quarantined: 0,
        assembled: Vec::new(),
        published: None,
        archive: None,
        failure: None,
        cancellation: None,
        started_at: None,
        finished_at: None,
        expires_at: None,
        pruned: None,
        traceparent: submission.traceparent,
        last_seq,
        rev: 0,
    }
}

/// Whether this version writes the version of the scanner's schema that is asked for.
fn check_schema(profile: &Profile, options: &RunOptions) -> Result<(), PhaseError> {
    let (field, wanted) = match (options.schema_version, profile.config.schema_version) {
        (Some(wanted), _) => ("options.schema_version", wanted),
        (None, Some(wanted)) => ("config.schema_version", wanted),
        (None, None) => return Ok(()),
    };
    let Some(written) = profile.kind.schema_version().filter(|it| *it != wanted) else {
        return Ok(());
    };
    let kind = profile.kind;
    let detail = match field {
        "config.schema_version" => format!(
            "profile `{}` asks for schema version {wanted} of {kind}; this version writes {written}",
            profile.name
        ),
        _ => {
            format!("schema version {wanted} of {kind} is asked for; this version writes {written}")
        }
    };
    Err(PhaseError::Refused {
        code: ErrorCode::TrivySchema,
        fields: vec![FieldError {
            field: field.into(),
            message: format!("is {wanted}; this version writes {written}"),
        }],
        detail,
    })
}

fn no_such_state(what: String) -> PhaseError {
    PhaseError::Refused {
        code: ErrorCode::AsOfUnknown,
        fields: vec![FieldError {
            field: "options.as_of".into(),
            message: what.clone(),
        }],
        detail: what,
    }
}

async fn snapshot(
    ports: &Ports,
    tenant: &Tenant,
    profile: &Profile,
    options: &RunOptions,
    of_base: Option<&PolicySnapshot>,
) -> Result<Option<PolicySnapshot>, PhaseError> {
    // A delta shows the decisions that its base shows, unless it is asked for others.
    let of_base = of_base.map(|snapshot| snapshot.policy_snapshot_id.as_str());
    let wanted = options.policy_snapshot_id.as_deref().or(of_base);
    let kinds = profile.config.kinds.as_ref();
    let is_needed = profile.kind.needs_policy()
        || profile.kind.takes_policy()
            && (wanted.is_some() || kinds.is_some_and(|kinds| kinds.contains(&Kind::Finding)));
    if !is_needed {
        return Ok(None);
    }
    let Some(snapshot) = ports.policy.snapshot(tenant, wanted).await? else {
        let detail = match wanted {
            Some(id) => format!("tenant {tenant} has no policy snapshot `{id}`"),
            None => format!(
                "tenant {tenant} has no policy snapshot, and {} needs one",
                profile.kind
            ),
        };
        return Err(PhaseError::permanent(ErrorCode::UnknownSnapshot, detail));
    };
    ports
        .policy
        .freeze(tenant, &snapshot.policy_snapshot_id)
        .await?;
    Ok(Some(snapshot))
}
