//! `/runs`: submitting, listing, reading, cancelling and retrying.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{HeaderName, LOCATION};
use export_model::{RunKey, RunStatus, Sha256Digest, Timestamp};
use export_ports::RunFilter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::caller::{Caller, Read, Submit};
use super::extract::{Document, Params, Segments};
use super::{BASE, Problem, Service, cursor};
use crate::views::{RunPage, RunView};
use crate::{RunRequest, SubmitContext, cancel_run, find_run, submit};
use export_http::Notes;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const PAGE: usize = 50;
const LARGEST_PAGE: usize = 500;

/// A run, named in the path.
#[derive(Deserialize, JsonSchema)]
pub(super) struct RunPath {
    /// The run's id.
    pub(super) id: String,
}

/// Which runs to list.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RunQuery {
    /// Only runs in this state.
    status: Option<RunStatus>,
    /// Only runs of this profile.
    profile: Option<String>,
    /// Only runs submitted at or after this time (RFC 3339).
    submitted_from: Option<Timestamp>,
    /// Only runs submitted before this time (RFC 3339).
    submitted_to: Option<Timestamp>,
    /// How many at most: 1 to 500, 50 where it is left out.
    limit: Option<usize>,
    /// Continues a list: `next_cursor` of the page before.
    #[serde(skip_serializing)]
    cursor: Option<String>,
}

pub(super) async fn create(
    caller: Caller<Submit>,
    State(service): State<Service>,
    axum::Extension(notes): axum::Extension<Notes>,
    headers: HeaderMap,
    request: Document<RunRequest>,
) -> Result<Answer<RunView, 202>, Problem> {
    let context = SubmitContext {
        idempotency: idempotency(&headers, &request.bytes)?,
        limits: service.limits(caller.tenant()),
        traceparent: notes.trace(),
    };
    let submitted = submit(
        service.ports(),
        service.registry(),
        service.approvals(),
        caller.tenant(),
        caller.subject(),
        request.value,
        context,
    )
    .await?;
    for state in &submitted.quotas {
        notes.quota(*state);
    }
    let view = service.view(&submitted.run);
    let location = format!("{BASE}/runs/{}", view.run_id);
    let answer = Answer::new(view).with(LOCATION, &location);
    Ok(if submitted.replayed {
        answer.with(IDEMPOTENCY_REPLAYED, "true")
    } else {
        answer
    })
}

/// The key of a request that must not be carried out twice, and what it is a key of.
fn idempotency(
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Option<(String, Sha256Digest)>, Problem> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = keys.next() else {
        return Ok(None);
    };
    let good =
        |text: &&str| (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    match (key.to_str().ok().filter(good), keys.next()) {
        (Some(key), None) => Ok(Some((key.to_owned(), Sha256Digest::of(body)))),
        _ => Err(super::field(
            "Idempotency-Key",
            "must be one value of 1 to 255 visible ASCII characters",
        )),
    }
}

pub(super) async fn list(
    caller: Caller<Read>,
    State(service): State<Service>,
    Params(query): Params<RunQuery>,
) -> Result<Answer<RunPage>, Problem> {
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        let message = format!("must be 1 to {LARGEST_PAGE}");
        return Err(super::field("limit", message));
    }
    let after = match &query.cursor {
        None => None,
        Some(text) => {
            let id = cursor::decode(&query, text)?;
            let run = id
                .parse()
                .map_err(|_| super::field("cursor", "is not a cursor that this service gave"))?;
            Some(RunKey {
                tenant: caller.tenant().clone(),
                run,
            })
        }
    };
    let filter = RunFilter {
        statuses: query.status.into_iter().collect(),
        profile: query.profile.clone(),
        submitted_from: query.submitted_from,
        submitted_to: query.submitted_to,
        ..RunFilter::default()
    };
    // One more than is shown tells whether there is more.
    let mut runs = service
        .ports()
        .state
        .runs(caller.tenant(), &filter, after.as_ref(), limit + 1)
        .await?;
    let more = runs.len() > limit;
    runs.truncate(limit);
    let last = runs.last().filter(|_| more);
    Ok(Answer::new(RunPage {
        next_cursor: last.map(|run| cursor::encode(&query, run.key.run.as_str())),
        runs: runs.iter().map(|run| service.view(run)).collect(),
    }))
}

pub(super) async fn show(
    caller: Caller<Read>,
    State(service): State<Service>,
    Segments(path): Segments<RunPath>,
) -> Result<Answer<RunView>, Problem> {
    let run = find_run(service.ports(), caller.tenant(), &path.id).await?;
    let rows = service.ports().state.distributions(&run.key).await?;
    Ok(Answer::new(service.view(&run).with_distributions(&rows)))
}

pub(super) async fn cancel(
    caller: Caller<Submit>,
    State(service): State<Service>,
    Segments(path): Segments<RunPath>,
) -> Result<Answer<RunView, 202>, Problem> {
    let ports = service.ports();
    let run = cancel_run(ports, caller.tenant(), &path.id, caller.subject()).await?;
    Ok(Answer::new(service.view(&run)))
}

pub(super) async fn retry(
    caller: Caller<Submit>,
    State(service): State<Service>,
    Segments(path): Segments<RunPath>,
) -> Result<Answer<RunView, 202>, Problem> {
    let ports = service.ports();
    let run = find_run(ports, caller.tenant(), &path.id).await?;
    let run = export_lifecycle::retry(ports, &run.key)
        .await
        .map_err(crate::ApiError::from)?;
    Ok(Answer::new(service.view(&run)))
}
