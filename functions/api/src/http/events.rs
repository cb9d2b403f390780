//! `/runs/{id}/events`: what happens to a run, as it happens (Server-Sent Events) or as a page.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use export_model::{ErrorCode, Event, EventBody, Run, Timestamp};
use export_ports::Clock;
use futures_util::stream;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::answer::Answer;
use super::caller::{Caller, Read};
use super::extract::{Params, Segments};
use super::feed::Follower;
use super::runs::RunPath;
use super::{Problem, Service};
use crate::find_run;
use crate::views::EventPage;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Proxies close what is silent for 30 s (a load balancer's usual limit), so that much less.
const HEARTBEAT: Duration = Duration::from_secs(12);
/// Ends a stream that is not at its end: the client connects again after a second.
const COME_AGAIN: &[u8] = b"retry: 1000\n\n";
const PAGE: usize = 500;
const LONGEST_WAIT: u64 = 20;

/// Which events.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventQuery {
    /// Events after this sequence number, for pages; a stream has `Last-Event-ID`.
    after: Option<u64>,
    /// For how many seconds a page waits for the next event where there is none: 0 to 20.
    wait: Option<u64>,
}

pub(super) async fn events(
    caller: Caller<Read>,
    State(service): State<Service>,
    Segments(path): Segments<RunPath>,
    Params(query): Params<EventQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let run = find_run(service.ports(), caller.tenant(), &path.id).await?;
    let after = match last_event_id(&headers)? {
        Some(seen) => seen,
        None => query.after.unwrap_or(0),
    };
    if query.wait.is_some_and(|wait| wait > LONGEST_WAIT) {
        let message = format!("must be 0 to {LONGEST_WAIT}");
        return Err(super::field("wait", message));
    }
    match wanted(&headers) {
        Some(Form::Page) => page(&service, &run, after, query.wait.unwrap_or(0)).await,
        Some(Form::Stream) => Ok(follow(&service, &run, after, caller.expires_at())),
        None => {
            let detail = "events are sent as text/event-stream or application/json";
            Err(Problem::new(ErrorCode::NotAcceptable, detail))
        }
    }
}

enum Form {
    Stream,
    Page,
}

/// The form that a client accepts; a stream where it accepts both or does not say.
fn wanted(headers: &HeaderMap) -> Option<Form> {
    let mut accepted = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|range| range.split(';').next().unwrap_or_default().trim())
        .peekable();
    if accepted.peek().is_none() {
        return Some(Form::Stream);
    }
    let mut form = None;
    for range in accepted {
        match range {
            "text/event-stream" | "text/*" | "*/*" | "" => return Some(Form::Stream),
            "application/json" | "application/*" => form = Some(Form::Page),
            _ => {}
        }
    }
    form
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(LAST_EVENT_ID) else {
        return Ok(None);
    };
    let seen = value.to_str().ok().and_then(|text| text.parse().ok());
    seen.map(Some).ok_or_else(|| {
        super::field(
            "Last-Event-ID",
            "must be the id of an event of this run: a whole number",
        )
    })
}

async fn page(service: &Service, run: &Run, after: u64, wait: u64) -> Result<Response, Problem> {
    let state = &service.ports().state;
    let wait = if run.status.is_terminal() { 0 } else { wait };
    let events = state
        .events(&run.key, after, PAGE, Duration::from_secs(wait))
        .await?;
    let run = state.run(&run.key).await?.unwrap_or_else(|| run.clone());
    let after = events.last().map_or(after, |event| event.seq);
    let view = EventPage {
        run_id: run.key.run.clone(),
        ended: run.status.is_terminal() && after >= run.last_seq,
        after,
        events,
    };
    Ok(Answer::<_, 200>::new(view).into_response())
}

/// Whether nothing more happens to a run after this event, unless somebody asks for it.
fn is_final(event: &Event) -> bool {
    matches!(&event.body, EventBody::Status { status, .. } if status.is_terminal())
}

struct Stream {
    follower: Follower,
    waiting: VecDeque<Arc<Event>>,
    clock: Arc<dyn Clock>,
    stopping: watch::Receiver<bool>,
    /// When the caller's token ends.
    until: Timestamp,
    /// When the host can carry no more of it.
    carried_until: Option<Instant>,
    /// The greatest sequence number that the run had when the stream began, where it had ended.
    last: Option<u64>,
    ended: bool,
}

fn follow(service: &Service, run: &Run, after: u64, until: Timestamp) -> Response {
    let last = run.status.is_terminal().then_some(run.last_seq);
    if last.is_some_and(|last| after >= last) {
        // "HTML Living Standard", 9.2.3: this status tells a client not to connect again.
        return StatusCode::NO_CONTENT.into_response();
    }
    let stream = Stream {
        follower: service.feeds().follow(run, after),
        waiting: VecDeque::new(),
        clock: Arc::clone(&service.ports().clock),
        stopping: service.stopping(),
        until,
        carried_until: service
            .carried()
            .map(|carried| Instant::now() + carried.stream),
        last,
        ended: false,
    };
    let body = Body::from_stream(stream::unfold(stream, |mut stream| async move {
        let chunk = stream.next().await?;
        Some((Ok::<_, Infallible>(chunk), stream))
    }));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx, ngx_http_proxy_module: a proxy must not gather what is to be seen at once.
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}

impl Stream {
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        if self.waiting.is_empty() {
            let now = self.clock.now();
            if now >= self.until {
                self.ended = true;
                return Some(Bytes::from_static(
                    b": the access token has expired; connect again with a new one\n\n",
                ));
            }
            let left = Duration::from_millis(self.until.millis_since(now));
            let mut deadline = Instant::now() + left.min(HEARTBEAT);
            if let Some(until) = self.carried_until {
                if Instant::now() >= until {
                    self.ended = true;
                    return Some(Bytes::from_static(COME_AGAIN));
                }
                deadline = deadline.min(until);
            }
            let next = tokio::select! {
                next = timeout_at(deadline, self.follower.next()) => next,
                _ = self.stopping.wait_for(|stop| *stop) => {
                    self.ended = true;
                    return Some(Bytes::from_static(COME_AGAIN));
                }
            };
            match next {
                Err(_) => return Some(Bytes::from_static(b": waiting\n\n")),
                Ok(Ok(events)) => self.waiting.extend(events),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "events could not be read");
                    // The client comes again and goes on where it was.
                    self.ended = true;
                    return Some(Bytes::from_static(COME_AGAIN));
                }
            }
        }
        let mut text = String::new();
        while let Some(event) = self.waiting.pop_front() {
            write(&mut text, &event);
            self.ended = match self.last {
                Some(last) => event.seq >= last,
                None => is_final(&event),
            };
            if self.ended {
                break;
            }
        }
        Some(text.into())
    }
}

/// One event as a stream carries it. Its document is one line, as JSON is without line ends.
fn write(text: &mut String, event: &Event) {
    let document = serde_json::to_value(event).unwrap_or_default();
    let name = document
        .get("type")
        .and_then(serde_json::Value::as_str)
        .unwrap_or("message");
    text.push_str(&format!(
        "id: {}\nevent: {name}\ndata: {document}\n\n",
        event.seq
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_the_form_that_it_accepts() {
        let form = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.append(ACCEPT, accept.parse().unwrap());
            wanted(&headers).map(|form| matches!(form, Form::Stream))
        };
        assert_eq!(form("text/event-stream"), Some(true));
        assert_eq!(form("*/*"), Some(true));
        assert_eq!(
            form("application/json, text/event-stream;q=0.5"),
            Some(true)
        );
        assert_eq!(form("application/json; charset=utf-8"), Some(false));
        assert_eq!(form("image/png"), None);
        assert!(matches!(wanted(&HeaderMap::new()), Some(Form::Stream)));
    }
}
