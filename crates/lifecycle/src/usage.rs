//! What a tenant and its profiles have used of a day, and whether there is any left.
//!
//! Usage is counted in marks, a mark a day, which are written in the same transaction as what they
//! count. Whatever it is that commits, a count that somebody else changed meanwhile is a conflict,
//! and is read again. The tenant's usage is counted whether or not it has a limit, so that a limit
//! is right from the moment it is set.

use export_model::{
    Limits, Mark, MarkKey, MarkValue, Profile, ProfileLimits, QuotaName, QuotaState, Tenant,
    Timestamp,
};
use export_ports::{Ports, Row, Write};

use crate::PhaseError;

/// What was used of a day.
#[derive(Clone, Copy, Default)]
struct Used {
    runs: u64,
    bytes: u64,
}

/// The mark that counts a day's usage: as it is stored, or of nothing yet.
async fn count(
    ports: &Ports,
    tenant: &Tenant,
    profile: Option<&str>,
    now: Timestamp,
) -> Result<(Mark, Used), PhaseError> {
    let key = MarkKey::Usage {
        profile: profile.map(str::to_owned),
        day: now.utc_day(),
    };
    let stored = ports.state.mark(tenant, &key).await?;
    let used = match stored.as_ref().map(|mark| &mark.value) {
        Some(MarkValue::Usage { runs, bytes }) => Used {
            runs: *runs,
            bytes: *bytes,
        },
        _ => Used::default(),
    };
    let mark = stored.unwrap_or_else(|| Mark {
        tenant: tenant.clone(),
        key,
        // A day longer than it is asked for: clocks differ.
        until: Some(now.next_utc_day().plus_millis(Timestamp::DAY_MILLIS)),
        value: MarkValue::Usage { runs: 0, bytes: 0 },
        rev: 0,
    });
    Ok((mark, used))
}

fn states(
    (runs_name, bytes_name): (QuotaName, QuotaName),
    limits: ProfileLimits,
    used: Used,
    now: Timestamp,
) -> impl Iterator<Item = QuotaState> {
    let reset = now.next_utc_day();
    let runs = limits
        .runs_per_day
        .map(|limit| QuotaState::new(runs_name, limit, used.runs, reset));
    let bytes = limits
        .bytes_per_day
        .map(|limit| QuotaState::new(bytes_name, limit, used.bytes, reset));
    runs.into_iter().chain(bytes)
}

const OF_TENANT: (QuotaName, QuotaName) = (QuotaName::TenantRuns, QuotaName::TenantBytes);
const OF_PROFILE: (QuotaName, QuotaName) = (QuotaName::ProfileRuns, QuotaName::ProfileBytes);

fn of_tenant(limits: &Limits) -> ProfileLimits {
    ProfileLimits {
        runs_per_day: limits.runs_per_day,
        bytes_per_day: limits.bytes_per_day,
    }
}

/// What is left of the day's quotas: of the tenant, and of `profile` where one is given that has
/// some. Only quotas that are set.
///
/// # Errors
/// The state port's errors.
pub async fn quota_state(
    ports: &Ports,
    tenant: &Tenant,
    profile: Option<&Profile>,
    limits: &Limits,
    now: Timestamp,
) -> Result<Vec<QuotaState>, PhaseError> {
    let mut list = Vec::new();
    let limits = of_tenant(limits);
    if limits != ProfileLimits::default() {
        let (_, used) = count(ports, tenant, None, now).await?;
        list.extend(states(OF_TENANT, limits, used, now));
    }
    if let Some(profile) = profile
        && let Some(limits) = profile.config.limits
    {
        let (_, used) = count(ports, tenant, Some(&profile.name), now).await?;
        list.extend(states(OF_PROFILE, limits, used, now));
    }
    Ok(list)
}

/// A run that is counted once these writes are committed.
pub struct Reservation {
    /// To be committed with the run.
    pub writes: Vec<Write>,
    /// What is left of every quota that is set, this run counted.
    pub quotas: Vec<QuotaState>,
}

/// Counts one more run of `profile`. Where the commit conflicts, reserve again.
///
/// # Errors
/// `OverQuota` when a quota is used up, the state port's errors.
pub async fn reserve_run(
    ports: &Ports,
    profile: &Profile,
    limits: &Limits,
    now: Timestamp,
) -> Result<Reservation, PhaseError> {
    let (tenant, name) = (&profile.tenant, profile.name.as_str());
    let mut counted = vec![(
        OF_TENANT,
        of_tenant(limits),
        count(ports, tenant, None, now).await?,
    )];
    if let Some(limits) = profile.config.limits {
        let found = count(ports, tenant, Some(name), now).await?;
        counted.push((OF_PROFILE, limits, found));
    }
    let mut reservation = Reservation {
        writes: Vec::new(),
        quotas: Vec::new(),
    };
    for (names, limits, (mark, used)) in counted {
        if let Some(over) = states(names, limits, used, now).find(|state| state.remaining == 0) {
            return Err(PhaseError::OverQuota(over));
        }
        let used = Used {
            runs: used.runs.saturating_add(1),
            ..used
        };
        reservation.quotas.extend(states(names, limits, used, now));
        reservation.writes.push(written(mark, used));
    }
    Ok(reservation)
}

/// Counts `bytes` that a run of `profile` has made.
pub(crate) async fn count_bytes(
    ports: &Ports,
    profile: &Profile,
    bytes: u64,
    now: Timestamp,
) -> Result<Vec<Write>, PhaseError> {
    let mut writes = Vec::new();
    let of_profile = profile.config.limits.map(|_| profile.name.as_str());
    for name in std::iter::once(None).chain(of_profile.map(Some)) {
        let (mark, used) = count(ports, &profile.tenant, name, now).await?;
        let used = Used {
            bytes: used.bytes.saturating_add(bytes),
            ..used
        };
        writes.push(written(mark, used));
    }
    Ok(writes)
}

fn written(mut mark: Mark, used: Used) -> Write {
    mark.value = MarkValue::Usage {
        runs: used.runs,
        bytes: used.bytes,
    };
    Write::Put(Box::new(Row::Mark(mark)))
}
