//! Schedules: requests for runs that are made again and again.

use export_adapter::Registry;
use export_model::{
    ErrorCode, FieldError, Recurrence, RunOptions, Schedule, ScheduleId, Selectors, Tenant,
};
use export_ports::{Ports, Row, Transaction, Write};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ApiError, find_profile};

/// A schedule that somebody wants to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSchedule {
    /// What it is called.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// The profile's name.
    pub profile: String,
    /// Which records.
    #[serde(default)]
    pub selectors: Selectors,
    /// What else.
    #[serde(default)]
    pub options: RunOptions,
    /// When: `cron(0 3 * * *)` in UTC, or `rate(6 hours)`.
    pub when: String,
    /// Whether it is in force.
    #[serde(default = "in_force")]
    pub enabled: bool,
}

fn in_force() -> bool {
    true
}

/// Makes a schedule in the name of `created_by`. A rate is due for the first time one period from
/// now.
///
/// # Errors
/// `ERR_INVALID_REQUEST` naming every wrong member, `ERR_UNKNOWN_PROFILE`, `ERR_PROFILE_RETIRED`,
/// `ERR_UNKNOWN_VARIANT`, or the ports' errors.
pub async fn create_schedule(
    ports: &Ports,
    registry: &Registry,
    tenant: &Tenant,
    created_by: &str,
    new: NewSchedule,
) -> Result<Schedule, ApiError> {
    let now = ports.clock.now();
    let mut errors = Schedule::errors(&new.name, &new.description);
    let wrong = |message: String| FieldError {
        field: "when".into(),
        message,
    };
    let when = match new.when.parse::<Recurrence>() {
        Ok(when) => when.next(now).map(|next| (when, next)),
        Err(error) => {
            errors.push(wrong(error.to_string()));
            None
        }
    };
    if when.is_none() && errors.iter().all(|error| error.field != "when") {
        errors.push(wrong("names a time that never comes".to_owned()));
    }
    if !new.options.approval.is_empty() {
        errors.push(FieldError {
            field: "options.approval".into(),
            message: "cannot be given: a schedule exports its own tenant's evidence".into(),
        });
    }
    let profile = find_profile(ports, tenant, &new.profile, None).await?;
    if registry.find(profile.kind).is_none() {
        let detail = format!("no adapter of this service makes {}", profile.kind);
        return Err(ApiError::new(ErrorCode::UnknownVariant, detail));
    }
    if let Err(wrong) = new.selectors.compile(profile.kind) {
        errors.extend(wrong);
    }
    let Some((when, next_at)) = when.filter(|_| errors.is_empty()) else {
        return Err(ApiError::invalid(errors));
    };
    let schedule = Schedule {
        tenant: tenant.clone(),
        id: ports.ids.schedule_id(now),
        name: new.name,
        description: new.description,
        profile: new.profile,
        selectors: new.selectors,
        options: new.options,
        when,
        enabled: new.enabled,
        created_by: created_by.to_owned(),
        created_at: now,
        next_at,
        last_run: None,
        last_error: None,
        rev: 0,
    };
    let row = Transaction::new(tenant).put(Row::Schedule(schedule.clone()));
    ports.state.commit(row).await?;
    Ok(Schedule { rev: 1, ..schedule })
}

/// Schedules of `tenant`, oldest first, after (exclusive) the id `after`.
///
/// # Errors
/// When the state cannot be read.
pub async fn list_schedules(
    ports: &Ports,
    tenant: &Tenant,
    after: Option<&ScheduleId>,
    limit: usize,
) -> Result<Vec<Schedule>, ApiError> {
    Ok(ports.state.schedules(tenant, after, limit).await?)
}

/// A schedule of `tenant`.
///
/// # Errors
/// `ERR_UNKNOWN_SCHEDULE`, or when the state cannot be read.
pub async fn find_schedule(ports: &Ports, tenant: &Tenant, id: &str) -> Result<Schedule, ApiError> {
    let parsed: ScheduleId = id.parse().map_err(|_| unknown(tenant, id))?;
    let found = ports.state.schedule(tenant, &parsed).await?;
    found.ok_or_else(|| unknown(tenant, id))
}

/// Removes a schedule. Runs that it submitted go on; a start that is under way may still become a
/// run.
///
/// # Errors
/// `ERR_UNKNOWN_SCHEDULE`, or the ports' errors.
pub async fn delete_schedule(ports: &Ports, tenant: &Tenant, id: &str) -> Result<(), ApiError> {
    let parsed: ScheduleId = id.parse().map_err(|_| unknown(tenant, id))?;
    let drop = Transaction::new(tenant).and(Write::DropSchedule(parsed));
    match ports.state.commit(drop).await {
        Err(error) if error.is_conflict() => Err(unknown(tenant, id)),
        outcome => Ok(outcome?),
    }
}

fn unknown(tenant: &Tenant, id: &str) -> ApiError {
    let id: String = id.chars().take(80).collect();
    let detail = format!("tenant {tenant} has no schedule `{id}`");
    ApiError::new(ErrorCode::UnknownSchedule, detail)
}
