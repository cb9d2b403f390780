//! Queues on SQS: one standard queue and one queue of dead letters a phase.
//!
//! SQS counts visibility and delays in whole seconds; both are rounded up. How often a message may
//! be received is the queue's own limit (`maxReceiveCount` of its redrive policy), after which SQS
//! itself moves it. What Export Center puts aside it moves itself: sends it to the dead letters
//! first, with the reason, and deletes it then, so that it may be in both but never in neither.
//!
//! A receipt of SQS may outlive its delivery: SQS promises neither to refuse nor to honour one that
//! is no longer the newest. Nothing here depends on it, because a step is done by whoever holds its
//! lease, not by whoever holds its message.

mod dead;
mod receive;
mod removal;
mod urls;

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_sqs::operation::change_message_visibility::ChangeMessageVisibilityError;
use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName};
use export_model::{Message, Phase, Timestamp};
use export_ports::{DeadLetter, Delivery, PortError, PortErrorKind, Queue, QueueStats};

use crate::Aws;
use crate::failure::{Access, failed};
use removal::Removals;
use urls::DeadQueue;
pub use urls::{QueueUrl, QueueUrls};

/// The most bytes that a message has. Messages hold names only, a few hundred bytes; SQS would take
/// 256 KiB and more.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024;

/// The longest delay of SQS. What is due later comes after this time and is found too early.
const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// The longest visibility of SQS.
const LONGEST_VISIBILITY: Duration = Duration::from_secs(43_200);

/// For how long a message is hidden at least that is being put aside.
const WHILE_MOVING: i32 = 30;

/// The queues of an installation.
pub struct SqsQueue {
    aws: Aws,
    client: Client,
    /// For calls that wait for messages.
    polling: Client,
    urls: QueueUrls,
    dead: [DeadQueue; 4],
    removals: [Removals; 4],
}

impl Aws {
    /// The queues at `urls`. Asks nobody: a queue that does not exist is found at first use.
    #[must_use]
    pub fn queue(&self, urls: QueueUrls) -> SqsQueue {
        let [client, polling] = self.sqs();
        SqsQueue {
            aws: self.clone(),
            client,
            polling,
            urls,
            dead: std::array::from_fn(|_| DeadQueue::default()),
            removals: std::array::from_fn(|_| Removals::default()),
        }
    }
}

impl SqsQueue {
    fn url(&self, phase: Phase) -> &str {
        &self.urls.of(phase).queue
    }

    fn now(&self) -> Timestamp {
        self.aws.now()
    }

    async fn send_to(
        &self,
        phase: Phase,
        body: &str,
        traceparent: Option<&str>,
        delay: Duration,
    ) -> Result<(), PortError> {
        let doing = || format!("sending a message to queue {}", self.url(phase));
        if body.len() > MAX_MESSAGE_BYTES {
            return Err(PortError::because(
                PortErrorKind::Invalid,
                doing(),
                format!(
                    "it has {} bytes; at most {MAX_MESSAGE_BYTES} are sent",
                    body.len()
                ),
            ));
        }
        let attributes = traceparent
            .map(|value| text(value, &doing).map(|value| [("traceparent".to_owned(), value)]))
            .transpose()?;
        self.client
            .send_message()
            .queue_url(self.url(phase))
            .message_body(body)
            .set_message_attributes(attributes.map(Into::into))
            .delay_seconds(seconds(delay.min(LONGEST_DELAY)))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| failed(Access::Write, doing(), &error))
    }

    async fn hide(&self, phase: Phase, receipt: &str, seconds: i32) -> Result<(), PortError> {
        let doing = || format!("extending a delivery of queue {}", self.url(phase));
        let changed = self
            .client
            .change_message_visibility()
            .queue_url(self.url(phase))
            .receipt_handle(receipt)
            .visibility_timeout(seconds)
            .send()
            .await;
        match changed {
            Ok(_) => Ok(()),
            Err(error) if is_over(&error) => Err(PortError::new(PortErrorKind::NotFound, doing())),
            Err(error) => Err(failed(Access::Write, doing(), &error)),
        }
    }

    async fn remove(&self, url: &str, receipt: &str) -> Result<(), PortError> {
        let removed = self
            .client
            .delete_message()
            .queue_url(url)
            .receipt_handle(receipt)
            .send()
            .await;
        match removed {
            Ok(_) => Ok(()),
            Err(error) if error.code().is_some_and(is_bad_receipt) => Ok(()),
            Err(error) => {
                let doing = format!("acknowledging a delivery of queue {url}");
                Err(failed(Access::Write, doing, &error))
            }
        }
    }

    async fn count(&self, url: &str) -> Result<u64, PortError> {
        let counts = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let found = self
            .client
            .get_queue_attributes()
            .queue_url(url)
            .set_attribute_names(Some(counts.to_vec()))
            .send()
            .await
            .map_err(|error| {
                failed(
                    Access::Read,
                    format!("counting messages of queue {url}"),
                    &error,
                )
            })?;
        let values = found.attributes();
        let count = |name| values?.get(name)?.parse::<u64>().ok();
        Ok(counts.iter().filter_map(count).sum())
    }
}

/// A duration in whole seconds, rounded up.
fn seconds(duration: Duration) -> i32 {
    let more = u64::from(duration.subsec_nanos() > 0);
    i32::try_from(duration.as_secs().saturating_add(more)).unwrap_or(i32::MAX)
}

/// A text as an attribute of a message.
fn text(value: &str, doing: &impl Fn() -> String) -> Result<MessageAttributeValue, PortError> {
    MessageAttributeValue::builder()
        .data_type("String")
        .string_value(value)
        .build()
        .map_err(|error| PortError::because(PortErrorKind::Invalid, doing(), error))
}

/// Whether a delivery is over, as far as SQS can tell.
fn is_over<R>(error: &SdkError<ChangeMessageVisibilityError, R>) -> bool {
    error.code().is_some_and(|code| {
        is_bad_receipt(code)
            || matches!(
                code,
                "MessageNotInflight" | "AWS.SimpleQueueService.MessageNotInflight"
            )
    })
}

/// Whether a code says that a receipt is none. Nothing else that is sent with one can be invalid.
fn is_bad_receipt(code: &str) -> bool {
    matches!(
        code,
        "ReceiptHandleIsInvalid" | "InvalidParameterValue" | "InvalidParameterValueException"
    )
}

#[async_trait]
impl Queue for SqsQueue {
    async fn put_body_aside(
        &self,
        phase: Phase,
        receipt: &str,
        body: &str,
        receive_count: u32,
        reason: &str,
    ) -> Result<(), PortError> {
        let dead = self.dead_queue(phase).await?;
        // Hidden for as long as this takes, and not there any more if this was done before.
        match self.hide(phase, receipt, WHILE_MOVING).await {
            Err(error) if error.kind() == PortErrorKind::NotFound => return Ok(()),
            other => other?,
        }
        self.send_dead(&dead.url, body, receive_count, reason)
            .await?;
        self.remove(self.url(phase), receipt).await
    }

    async fn send(&self, message: &Message, delay: Duration) -> Result<(), PortError> {
        let body = body(message)?;
        let traceparent = message.traceparent.as_deref();
        self.send_to(message.work.phase(), &body, traceparent, delay)
            .await
    }

    async fn receive(
        &self,
        phase: Phase,
        limit: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        receive::receive(self, phase, limit, visibility, wait).await
    }

    async fn extend(
        &self,
        phase: Phase,
        receipt: &str,
        visibility: Duration,
    ) -> Result<(), PortError> {
        let visibility = seconds(visibility.min(LONGEST_VISIBILITY));
        self.hide(phase, receipt, visibility).await
    }

    async fn acknowledge(&self, phase: Phase, receipt: &str) -> Result<(), PortError> {
        let removals = &self.removals[urls::number(phase)];
        removals.remove(self, self.url(phase), receipt).await
    }

    async fn put_aside(&self, delivery: &Delivery, reason: &str) -> Result<(), PortError> {
        let phase = delivery.message.work.phase();
        let body = body(&delivery.message)?;
        let (receipt, count) = (&delivery.receipt, delivery.receive_count);
        self.put_body_aside(phase, receipt, &body, count, reason)
            .await
    }

    async fn dead_letters(&self, phase: Phase, limit: usize) -> Result<Vec<DeadLetter>, PortError> {
        dead::list(self, phase, limit).await
    }

    async fn redrive(&self, phase: Phase, id: Option<&str>) -> Result<u64, PortError> {
        dead::redrive(self, phase, id).await
    }

    async fn stats(&self, phase: Phase) -> Result<QueueStats, PortError> {
        let dead = self.dead_queue(phase).await?;
        let (messages, dead) =
            tokio::try_join!(self.count(self.url(phase)), self.count(&dead.url))?;
        Ok(QueueStats { messages, dead })
    }
}

fn body(message: &Message) -> Result<String, PortError> {
    serde_json::to_string(message)
        .map_err(|error| PortError::because(PortErrorKind::Invalid, "writing a message", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_up() {
        for (millis, expected) in [(0, 0), (1, 1), (1000, 1), (1001, 2), (900_000, 900)] {
            assert_eq!(seconds(Duration::from_millis(millis)), expected, "{millis}");
        }
        assert_eq!(seconds(Duration::MAX), i32::MAX);
    }
}
