//! `/schedules`: runs that begin by themselves.

use axum::extract::State;
use axum::http::header::LOCATION;
use export_model::{RunId, RunOptions, Schedule, ScheduleId, Selectors, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{Answer, Done};
use super::caller::{Caller, Manage, Read};
use super::extract::{Document, Params, Segments};
use super::{BASE, Problem, Service, cursor};
use crate::{NewSchedule, create_schedule, delete_schedule, find_schedule, list_schedules};

/// A schedule, named in the path.
#[derive(Deserialize, JsonSchema)]
pub(super) struct SchedulePath {
    /// The schedule's id.
    id: String,
}

/// A schedule.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Schedule")]
pub struct ScheduleView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The profile's name.
    pub profile: String,
    /// Which records.
    pub selectors: Selectors,
    /// What else.
    pub options: RunOptions,
    /// `cron(minute hour day month weekday)` in UTC, or `rate(N minutes|hours|days)`.
    pub when: String,
    /// Whether it starts runs.
    pub enabled: bool,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it starts the next run.
    pub next_at: Timestamp,
    /// The run that it started last.
    pub last_run: Option<RunId>,
    /// Why it could not start one the last time.
    pub last_error: Option<String>,
}

impl From<&Schedule> for ScheduleView {
    fn from(schedule: &Schedule) -> Self {
        Self {
            id: schedule.id.to_string(),
            name: schedule.name.clone(),
            description: schedule.description.clone(),
            profile: schedule.profile.clone(),
            selectors: schedule.selectors.clone(),
            options: schedule.options.clone(),
            when: schedule.when.to_string(),
            enabled: schedule.enabled,
            created_by: schedule.created_by.clone(),
            created_at: schedule.created_at,
            next_at: schedule.next_at,
            last_run: schedule.last_run.clone(),
            last_error: schedule.last_error.clone(),
        }
    }
}

/// A page of a tenant's schedules, oldest first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SchedulePage {
    /// The schedules.
    pub schedules: Vec<ScheduleView>,
    /// Continues the list; none at its end.
    pub next_cursor: Option<String>,
}

/// Which schedules to list.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScheduleQuery {
    /// Continues a list: `next_cursor` of the page before.
    #[serde(skip_serializing)]
    cursor: Option<String>,
}

const PAGE: usize = 100;

pub(super) async fn list(
    caller: Caller<Read>,
    State(service): State<Service>,
    Params(query): Params<ScheduleQuery>,
) -> Result<Answer<SchedulePage>, Problem> {
    let after: Option<ScheduleId> = match &query.cursor {
        None => None,
        Some(text) => Some(
            cursor::decode(&query, text)?
                .parse()
                .map_err(|_| super::field("cursor", "is not a cursor that this service gave"))?,
        ),
    };
    let ports = service.ports();
    let mut schedules = list_schedules(ports, caller.tenant(), after.as_ref(), PAGE + 1).await?;
    let more = schedules.len() > PAGE;
    schedules.truncate(PAGE);
    let last = schedules.last().filter(|_| more);
    Ok(Answer::new(SchedulePage {
        next_cursor: last.map(|last| cursor::encode(&query, &last.id.to_string())),
        schedules: schedules.iter().map(ScheduleView::from).collect(),
    }))
}

pub(super) async fn create(
    caller: Caller<Manage>,
    State(service): State<Service>,
    request: Document<NewSchedule>,
) -> Result<Answer<ScheduleView, 201>, Problem> {
    let schedule = create_schedule(
        service.ports(),
        service.registry(),
        caller.tenant(),
        caller.subject(),
        request.value,
    )
    .await?;
    let location = format!("{BASE}/schedules/{}", schedule.id);
    Ok(Answer::new(ScheduleView::from(&schedule)).with(LOCATION, &location))
}

pub(super) async fn show(
    caller: Caller<Read>,
    State(service): State<Service>,
    Segments(path): Segments<SchedulePath>,
) -> Result<Answer<ScheduleView>, Problem> {
    let schedule = find_schedule(service.ports(), caller.tenant(), &path.id).await?;
    Ok(Answer::new(ScheduleView::from(&schedule)))
}

pub(super) async fn delete(
    caller: Caller<Manage>,
    State(service): State<Service>,
    Segments(path): Segments<SchedulePath>,
) -> Result<Done, Problem> {
    delete_schedule(service.ports(), caller.tenant(), &path.id).await?;
    Ok(Done)
}
