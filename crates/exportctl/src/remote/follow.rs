//! Following a run of a service: its events in order, each once, whatever becomes of connections.

use std::collections::VecDeque;
use std::time::Duration;

use export_api::views::RunView;
use export_model::{Event, EventBody, RunId};
use reqwest::header::{ACCEPT, HeaderName};
use reqwest::{Response, StatusCode};

use super::http::Client;
use super::patience::Patience;
use super::runs;
use super::sse::{Message, Parser};
use super::trouble::{Trouble, media_type};
use crate::failure::Failed;
use crate::output::Output;
use crate::progress::{Interrupts, View};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The longest pause before another connection that a service may ask for.
const LONGEST_RETRY: Duration = Duration::from_secs(10);

/// The events of a run. Where a connection ends early another one goes on after the last event
/// that was seen.
pub(super) struct Events<'a> {
    client: &'a Client,
    run: RunId,
    seen: u64,
    stream: Option<(Response, Parser)>,
    waiting: VecDeque<Event>,
    patience: Patience,
    /// The run, once it has ended and all its events were seen.
    ended: Option<RunView>,
}

impl<'a> Events<'a> {
    pub(super) fn new(client: &'a Client, run: &RunId) -> Self {
        Self {
            client,
            run: run.clone(),
            seen: 0,
            stream: None,
            waiting: VecDeque::new(),
            patience: Patience::new(),
            ended: None,
        }
    }

    /// The next event; none when the run has ended and all were seen. May be dropped while it
    /// waits.
    pub(super) async fn next(&mut self) -> Result<Option<Event>, Failed> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                if event.seq <= self.seen {
                    continue;
                }
                if event.seq == self.seen + 1 {
                    self.seen = event.seq;
                    return Ok(Some(event));
                }
                // Events count without gaps, so something was lost on the way.
                self.waiting.clear();
                self.stream = None;
            }
            match self.more().await {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(trouble) => {
                    self.stream = None;
                    self.patience.endure(trouble).await?;
                }
            }
        }
    }

    /// Waits for more; false when there is nothing more to come.
    async fn more(&mut self) -> Result<bool, Trouble> {
        let url = format!("the events of run {}", self.run);
        let Some((response, parser)) = &mut self.stream else {
            let response = self.connect().await?;
            if response.status() == StatusCode::NO_CONTENT {
                return self.goes_on().await;
            }
            if media_type(&response) != "text/event-stream" {
                return Err(Trouble::strange(&url, "are not sent as text/event-stream"));
            }
            self.stream = Some((response, Parser::default()));
            return Ok(true);
        };
        let chunk = response.chunk().await;
        let Some(bytes) = chunk.map_err(|error| Trouble::lost(&url, &error))? else {
            let pause = parser.retry().unwrap_or_default();
            self.stream = None;
            if !self.goes_on().await? {
                return Ok(false);
            }
            tokio::time::sleep(pause.min(LONGEST_RETRY)).await;
            return Ok(true);
        };
        self.patience.renew();
        let messages = parser
            .push(&bytes)
            .map_err(|error| Trouble::strange(&url, error))?;
        for message in messages {
            self.waiting.extend(read(&url, &message)?);
        }
        Ok(true)
    }

    /// Whether more is to come after what was seen.
    async fn goes_on(&mut self) -> Result<bool, Trouble> {
        let run = runs::show(self.client, self.run.as_str()).await?;
        let over = run.status.is_terminal() && self.seen >= run.last_seq;
        self.ended = over.then_some(run);
        Ok(!over)
    }

    async fn connect(&self) -> Result<Response, Trouble> {
        let path = format!("/runs/{}/events", self.run);
        let ask = self
            .client
            .get(&path)
            .with(ACCEPT, "text/event-stream")
            .with(LAST_EVENT_ID, self.seen.to_string());
        // Attempts are counted here.
        self.client.send(&ask.once()).await
    }
}

fn read(url: &str, message: &Message) -> Result<Option<Event>, Trouble> {
    if message.id.is_none() {
        return Ok(None);
    }
    serde_json::from_str(&message.data)
        .map(Some)
        .map_err(|error| {
            Trouble::strange(
                url,
                format!("hold one that this version cannot read: {error}"),
            )
        })
}

/// Follows a run until it has ended, as on a home. Ctrl-C cancels it.
pub(super) async fn follow(
    client: &Client,
    run: &RunView,
    output: &Output,
) -> Result<RunView, Failed> {
    let mut view = View::new(output, "exporting");
    let outcome = watch(client, run, &mut view).await;
    view.end();
    outcome
}

async fn watch(client: &Client, run: &RunView, view: &mut View<'_>) -> Result<RunView, Failed> {
    let id = run.run_id.as_str();
    let mut planned = run.records_planned;
    let mut events = Events::new(client, &run.run_id);
    let mut interrupts = Interrupts::new();
    loop {
        let event = tokio::select! {
            event = events.next() => event?,
            () = interrupts.next() => {
                view.line("cancelling; nothing of the payload is kept");
                // It may have ended in this very moment.
                let _ = runs::cancel(client, id).await;
                continue;
            }
        };
        let Some(event) = event else {
            return match events.ended.take() {
                Some(run) => Ok(run),
                None => Ok(runs::show(client, id).await?),
            };
        };
        if planned == 0 && matches!(event.body, EventBody::Status { .. }) {
            // Only for the bar, which can do without.
            planned = runs::show(client, id)
                .await
                .map_or(0, |run| run.records_planned);
        }
        view.show(&event, planned);
    }
}
