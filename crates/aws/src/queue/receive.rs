//! Receiving: long polls until there is something or the time is over.

use std::time::Duration;

use aws_sdk_sqs::types::{Message as Raw, MessageSystemAttributeName};
use export_model::{Message, Phase};
use export_ports::{Delivery, PortError, Queue as _};
use tokio::time::Instant;

use super::{LONGEST_VISIBILITY, SqsQueue, seconds};
use crate::failure::{Access, failed};

/// The most messages that SQS gives at once.
pub(super) const BATCH: usize = 10;

/// How often a poll that was to wait may find nothing at once before it is believed. LocalStack ends
/// a poll that has moved a message to the dead letters; whoever waits would miss what comes next.
const MAX_EARLY: u32 = 10;

/// How soon "at once" is. No poll is asked to wait for less than a second.
const AT_ONCE: Duration = Duration::from_millis(500);

/// The longest that SQS waits for a message.
const LONGEST_POLL: Duration = Duration::from_secs(20);

pub(super) async fn receive(
    queue: &SqsQueue,
    phase: Phase,
    limit: usize,
    visibility: Duration,
    wait: Duration,
) -> Result<Vec<Delivery>, PortError> {
    let deadline = Instant::now() + wait;
    // Hidden for no time, a message would be received again at once.
    let visibility = seconds(visibility.min(LONGEST_VISIBILITY)).max(1);
    if limit == 0 {
        return Ok(Vec::new());
    }
    let mut early = 0;
    loop {
        let asked = Instant::now();
        let left = deadline.saturating_duration_since(asked);
        let found = poll(queue, queue.url(phase), limit, visibility, left).await?;
        let is_empty = found.is_empty();
        let mut deliveries = Vec::with_capacity(found.len());
        for raw in found {
            deliveries.extend(delivery(queue, phase, raw).await);
        }
        if !deliveries.is_empty() {
            return Ok(deliveries);
        }
        if is_empty && asked.elapsed() < left.min(AT_ONCE) {
            early += 1;
        }
        if early > MAX_EARLY || (is_empty && Instant::now() >= deadline) {
            return Ok(Vec::new());
        }
    }
}

/// Asks once for up to `limit` messages, and waits for up to `wait` for the first.
pub(super) async fn poll(
    queue: &SqsQueue,
    url: &str,
    limit: usize,
    visibility: i32,
    wait: Duration,
) -> Result<Vec<Raw>, PortError> {
    let received = queue
        .polling
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(i32::try_from(limit.min(BATCH)).unwrap_or(1))
        .visibility_timeout(visibility)
        .wait_time_seconds(seconds(wait.min(LONGEST_POLL)))
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .message_attribute_names("All")
        .send()
        .await
        .map_err(|error| failed(Access::Read, format!("receiving from queue {url}"), &error))?;
    Ok(received.messages.unwrap_or_default())
}

/// A message as it is handed on; none where it is none and went to the dead letters.
async fn delivery(queue: &SqsQueue, phase: Phase, raw: Raw) -> Option<Delivery> {
    let receive_count = receive_count(&raw);
    let (body, receipt) = (raw.body.unwrap_or_default(), raw.receipt_handle?);
    let error = match serde_json::from_str::<Message>(&body) {
        Ok(message) => {
            return Some(Delivery {
                message,
                receipt,
                receive_count,
            });
        }
        Err(error) => error,
    };
    let reason = format!("it is no message: {error}");
    let aside = queue.put_body_aside(phase, &receipt, &body, receive_count, &reason);
    if let Err(error) = aside.await {
        // It must not stop what came with it; it is received again, and at last SQS moves it.
        tracing::warn!(%error, phase = phase.as_str(), "a bad message could not be put aside");
    }
    None
}

/// How often a message was received, this time included.
pub(super) fn receive_count(raw: &Raw) -> u32 {
    system_attribute(raw, &MessageSystemAttributeName::ApproximateReceiveCount)
        .and_then(|count| count.parse().ok())
        .unwrap_or(1)
}

pub(super) fn system_attribute<'a>(
    raw: &'a Raw,
    name: &MessageSystemAttributeName,
) -> Option<&'a str> {
    Some(raw.attributes()?.get(name)?.as_str())
}
