//! The queue port: messages between phases, delivered at least once, in no order.

use std::time::Duration;

use async_trait::async_trait;
use export_model::{Message, Phase, Timestamp};

use crate::PortError;

/// A message that was received and is invisible to others for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// The queue's name of this delivery; a later delivery of the same message has another.
    pub receipt: String,
    /// How often the message was received, this time included.
    pub receive_count: u32,
}

/// How often a message is received before it is put aside.
pub const MAX_RECEIVES: u32 = 10;

/// How many messages a queue holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Messages that wait or are being worked on.
    pub messages: u64,
    /// Messages that were received too often and put aside.
    pub dead: u64,
}

/// A message that was put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The queue's own name of it.
    pub id: String,
    /// What it says, as it was received.
    pub body: String,
    /// The message, where the body is one.
    pub message: Option<Message>,
    /// How often it was received before.
    pub receive_count: u32,
    /// Why it was put aside, as far as anybody could say.
    pub reason: String,
    /// When it was put aside.
    pub at: Timestamp,
}

/// Messages between phases, one queue a phase.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Sends a message, visible after `delay`. Durable when this returns.
    ///
    /// # Errors
    /// When it cannot be sent; it may have been sent all the same.
    async fn send(&self, message: &Message, delay: Duration) -> Result<(), PortError>;

    /// Receives up to `limit` messages of a phase and hides them for `visibility`. Where there are
    /// none, waits up to `wait` for the first. A message that was received too often (the queue's
    /// own limit), or whose body is none, goes to the dead letters instead.
    ///
    /// A receiver that stops waits for this to return: a queue may have hidden a message for it
    /// that nobody would see for `visibility`. Where a backend can take that back,
    /// [`Queue::receive_can_be_dropped`] says so.
    ///
    /// # Errors
    /// When the queue cannot be asked.
    async fn receive(
        &self,
        phase: Phase,
        limit: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, PortError>;

    /// Hides a received message for `visibility` from now.
    ///
    /// # Errors
    /// `NotFound` when the receipt is no longer the newest or the message is gone.
    async fn extend(
        &self,
        phase: Phase,
        receipt: &str,
        visibility: Duration,
    ) -> Result<(), PortError>;

    /// Removes a received message. A receipt that is no longer the newest, or of a message that is
    /// gone, does nothing.
    ///
    /// # Errors
    /// When the queue cannot be asked.
    async fn acknowledge(&self, phase: Phase, receipt: &str) -> Result<(), PortError>;

    /// Puts a received message among the dead letters, and says why. One whose receipt is no longer
    /// the newest stays where it is.
    ///
    /// # Errors
    /// When the queue cannot be asked.
    async fn put_aside(&self, delivery: &Delivery, reason: &str) -> Result<(), PortError>;

    /// The same for a message whose body is none, known by its receipt: for hosts that are handed
    /// messages by somebody else.
    ///
    /// # Errors
    /// When the queue cannot be asked, or hands out every message itself.
    async fn put_body_aside(
        &self,
        phase: Phase,
        receipt: &str,
        body: &str,
        receive_count: u32,
        reason: &str,
    ) -> Result<(), PortError> {
        let _ = (receipt, body, receive_count, reason);
        let doing = format!(
            "putting aside what is no message of queue {}",
            phase.as_str()
        );
        Err(PortError::new(crate::PortErrorKind::Invalid, doing))
    }

    /// Dead letters of a phase, oldest first as far as the queue knows, at most `limit`.
    ///
    /// # Errors
    /// When the queue cannot be asked.
    async fn dead_letters(&self, phase: Phase, limit: usize) -> Result<Vec<DeadLetter>, PortError>;

    /// Sends dead letters of a phase again, as new messages: the one named `id`, or all that there
    /// are. What is no message is left. Gives how many were sent.
    ///
    /// # Errors
    /// When the queue cannot be asked; a message may have been sent and still be among the dead
    /// letters.
    async fn redrive(&self, phase: Phase, id: Option<&str>) -> Result<u64, PortError>;

    /// Whether the future of a `receive` may be dropped without hiding a message from others.
    fn receive_can_be_dropped(&self) -> bool {
        false
    }

    /// How many messages a phase's queue holds.
    ///
    /// # Errors
    /// When the queue cannot be asked.
    async fn stats(&self, phase: Phase) -> Result<QueueStats, PortError>;
}
