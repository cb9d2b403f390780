//! Dead letters.
//!
//! SQS has no way of looking at a queue: messages are received, hidden for a while, and shown
//! again. So two that look at once may each see a part.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, Message as Raw, MessageSystemAttributeName,
};
use export_model::{Message, Phase, Timestamp};
use export_ports::{DeadLetter, PortError, PortErrorKind};

use super::receive::{BATCH, poll, system_attribute};
use super::urls::Dead;
use super::{SqsQueue, text};
use crate::failure::{Access, failed};

/// For how long a dead letter is hidden from others while somebody looks at it, in seconds.
const WHILE_LOOKING: i32 = 30;

/// How long a look waits for more: a wait of any length makes SQS ask all of its servers.
const LOOK: Duration = Duration::from_secs(1);

/// The longest reason that is kept, in characters.
const MAX_REASON: usize = 500;

impl SqsQueue {
    /// Sends a body to the dead letters, with what is known of it.
    pub(super) async fn send_dead(
        &self,
        url: &str,
        body: &str,
        receive_count: u32,
        reason: &str,
    ) -> Result<(), PortError> {
        let doing = || format!("putting a message aside in queue {url}");
        let reason = match reason {
            "" => "no reason was given".to_owned(),
            reason => reason.chars().take(MAX_REASON).map(sendable).collect(),
        };
        let mut attributes = vec![
            ("reason", reason),
            ("receive_count", receive_count.to_string()),
            ("at", self.now().to_string()),
        ];
        if let Ok(Message {
            traceparent: Some(traceparent),
            ..
        }) = serde_json::from_str(body)
        {
            attributes.push(("traceparent", traceparent));
        }
        let attributes = attributes
            .into_iter()
            .map(|(name, value)| Ok((name.to_owned(), text(&value, &doing)?)))
            .collect::<Result<_, PortError>>()?;
        self.client
            .send_message()
            .queue_url(url)
            .message_body(body)
            .set_message_attributes(Some(attributes))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| failed(Access::Write, doing(), &error))
    }
}

/// Characters that XML, and so SQS, cannot carry are replaced.
fn sendable(c: char) -> char {
    if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') {
        ' '
    } else {
        c
    }
}

pub(super) async fn list(
    queue: &SqsQueue,
    phase: Phase,
    limit: usize,
) -> Result<Vec<DeadLetter>, PortError> {
    let dead = queue.dead_queue(phase).await?;
    let mut held = BTreeMap::new();
    let looked = look(queue, dead, &mut held, |held| held.len() >= limit).await;
    let mut letters: Vec<_> = held.values().map(|raw| letter(raw, dead)).collect();
    show_again(queue, dead, held.into_values()).await?;
    looked?;
    letters.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    letters.truncate(limit);
    Ok(letters)
}

pub(super) async fn redrive(
    queue: &SqsQueue,
    phase: Phase,
    id: Option<&str>,
) -> Result<u64, PortError> {
    let dead = queue.dead_queue(phase).await?;
    let mut held = BTreeMap::new();
    let looked = look(queue, dead, &mut held, |held| {
        id.is_some_and(|id| held.contains_key(id))
    })
    .await;
    let (chosen, others): (Vec<_>, Vec<_>) = held
        .into_iter()
        .partition(|(held, _)| id.is_none_or(|id| id == held));
    let (mut sent, mut left) = (0, Vec::new());
    let mut outcome = looked;
    for (_, raw) in chosen {
        let again = match outcome {
            Ok(()) => send_again(queue, phase, dead, &raw).await,
            // After a failure the rest is only shown again.
            Err(_) => Ok(false),
        };
        match again {
            Ok(true) => sent += 1,
            Ok(false) => left.push(raw),
            Err(error) => {
                outcome = Err(error);
                left.push(raw);
            }
        }
    }
    let others = others.into_iter().map(|(_, raw)| raw);
    show_again(queue, dead, left.into_iter().chain(others)).await?;
    outcome.map(|()| sent)
}

/// Sends a dead letter to its queue; says whether it is a message.
async fn send_again(
    queue: &SqsQueue,
    phase: Phase,
    dead: &Dead,
    raw: &Raw,
) -> Result<bool, PortError> {
    let body = raw.body().unwrap_or_default();
    let (Ok(message), Some(receipt)) =
        (serde_json::from_str::<Message>(body), raw.receipt_handle())
    else {
        return Ok(false);
    };
    let traceparent = message.traceparent.as_deref();
    queue
        .send_to(phase, body, traceparent, Duration::ZERO)
        .await?;
    queue.remove(&dead.url, receipt).await?;
    Ok(true)
}

/// Receives dead letters into `held`, by id, until there are no more or it is `enough`.
async fn look(
    queue: &SqsQueue,
    dead: &Dead,
    held: &mut BTreeMap<String, Raw>,
    enough: impl Fn(&BTreeMap<String, Raw>) -> bool,
) -> Result<(), PortError> {
    while !enough(held) {
        let found = poll(queue, &dead.url, BATCH, WHILE_LOOKING, LOOK).await?;
        let before = held.len();
        let mut again = BTreeSet::new();
        for raw in found {
            let id = raw.message_id().unwrap_or_default().to_owned();
            // Hidden for too short a time: the newer receipt counts.
            if held.insert(id.clone(), raw).is_some() {
                again.insert(id);
            }
        }
        if held.len() == before || !again.is_empty() {
            break;
        }
    }
    Ok(())
}

/// Makes dead letters visible again.
async fn show_again(
    queue: &SqsQueue,
    dead: &Dead,
    letters: impl Iterator<Item = Raw>,
) -> Result<(), PortError> {
    let doing = || format!("showing dead letters of queue {} again", dead.url);
    let receipts: Vec<_> = letters.filter_map(|raw| raw.receipt_handle).collect();
    for batch in receipts.chunks(BATCH) {
        let entries = batch.iter().enumerate().map(|(index, receipt)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(receipt)
                .visibility_timeout(0)
                .build()
        });
        let entries = entries
            .collect::<Result<_, _>>()
            .map_err(|error| PortError::because(PortErrorKind::Unavailable, doing(), error))?;
        // Of one that somebody has removed meanwhile there is nothing to show.
        queue
            .client
            .change_message_visibility_batch()
            .queue_url(&dead.url)
            .set_entries(Some(entries))
            .send()
            .await
            .map_err(|error| failed(Access::Write, doing(), &error))?;
    }
    Ok(())
}

fn letter(raw: &Raw, dead: &Dead) -> DeadLetter {
    let attribute = |name: &str| {
        raw.message_attributes()
            .and_then(|attributes| attributes.get(name))
            .and_then(|value| value.string_value())
    };
    let body = raw.body().unwrap_or_default().to_owned();
    // Looking counts as receiving, so SQS's own count says nothing any more.
    let receive_count = attribute("receive_count")
        .and_then(|count| count.parse().ok())
        .unwrap_or(dead.max_receives);
    let sent_at = || {
        let millis = system_attribute(raw, &MessageSystemAttributeName::SentTimestamp)?;
        Some(Timestamp(millis.parse().ok()?))
    };
    DeadLetter {
        id: raw.message_id().unwrap_or_default().to_owned(),
        message: serde_json::from_str(&body).ok(),
        body,
        receive_count,
        reason: attribute("reason").map_or_else(
            || format!("it was received {receive_count} times and never done"),
            str::to_owned,
        ),
        at: attribute("at")
            .and_then(|at| at.parse().ok())
            .or_else(sent_at)
            .unwrap_or(Timestamp(0)),
    }
}
