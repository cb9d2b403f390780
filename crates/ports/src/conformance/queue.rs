//! The suite of the queue port.

use std::sync::Arc;
use std::time::{Duration, Instant};

use export_model::{Message, Phase, WorkId};

use super::{PATIENCE, assert_kind, run_key};
use crate::{Delivery, PortErrorKind, Queue, QueueStats};

/// What a backend can do.
#[derive(Clone, Copy, Debug)]
pub struct QueueLimits {
    /// The shortest time for which it can hide a message.
    pub shortest: Duration,
    /// How often it delivers a message before putting it aside.
    pub max_receives: u32,
    /// Whether a receipt that is no longer the newest is refused for certain. SQS promises neither
    /// that nor the contrary, so there the suite does not use one.
    pub stale_receipts_refused: bool,
}

/// A time that no test outlives.
const LONG: Duration = Duration::from_secs(600);

/// Checks a backend of the queue port.
///
/// # Panics
/// Where it does not keep a promise.
pub async fn queue(limits: QueueLimits, fresh: impl AsyncFn() -> Arc<dyn Queue>) {
    each_phase_has_its_own(&*fresh().await).await;
    hidden_messages_come_back(&*fresh().await, limits).await;
    deliveries_are_extended(&*fresh().await, limits).await;
    delayed_messages_wait(&*fresh().await, limits).await;
    dead_letters(&*fresh().await, limits).await;
    every_message_is_delivered(fresh().await).await;
}

/// Checks that a receiver that waits gets a message less than `below` after it was sent, where
/// both are in one process.
///
/// # Panics
/// When it takes longer, ten times in a row.
pub async fn queue_wakes(queue: &dyn Queue, below: Duration) {
    let mut best = Duration::MAX;
    for number in 0..10 {
        let message = message(number);
        let (received, sent_at) = tokio::join!(
            async {
                let received = queue.receive(Phase::Plan, 1, LONG, PATIENCE).await.unwrap();
                (received, Instant::now())
            },
            async {
                tokio::task::yield_now().await;
                queue.send(&message, Duration::ZERO).await.unwrap();
                Instant::now()
            }
        );
        let (received, received_at) = received;
        assert_eq!(received.len(), 1);
        best = best.min(received_at.saturating_duration_since(sent_at));
    }
    assert!(best < below, "a send wakes after {best:?}");
}

fn message(number: u32) -> Message {
    let key = run_key("acme", number);
    Message {
        tenant: key.tenant,
        work: WorkId::Plan { run: key.run },
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
    }
}

async fn none_now(queue: &dyn Queue, phase: Phase) {
    let found = queue.receive(phase, 10, LONG, Duration::ZERO).await;
    assert_eq!(found.unwrap(), []);
}

async fn one(queue: &dyn Queue, visibility: Duration) -> Delivery {
    let mut found = queue
        .receive(Phase::Plan, 10, visibility, PATIENCE)
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0)
}

async fn each_phase_has_its_own(queue: &dyn Queue) {
    let key = run_key("acme", 1);
    let shard = Message {
        tenant: key.tenant.clone(),
        work: WorkId::Shard {
            run: key.run,
            shard: 3,
            first: 24,
            last: 31,
        },
        traceparent: None,
    };
    none_now(queue, Phase::Plan).await;
    queue.send(&message(1), Duration::ZERO).await.unwrap();
    queue.send(&shard, Duration::ZERO).await.unwrap();
    none_now(queue, Phase::Sign).await;
    let found = queue.receive(Phase::Adapter, 10, LONG, PATIENCE).await;
    let found = found.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].message, found[0].receive_count), (&shard, 1));
    assert_eq!(one(queue, LONG).await.message, message(1));
    none_now(queue, Phase::Plan).await;
    none_now(queue, Phase::Adapter).await;
    let waiting = QueueStats {
        messages: 1,
        dead: 0,
    };
    assert_eq!(queue.stats(Phase::Adapter).await.unwrap(), waiting);
    queue
        .acknowledge(Phase::Adapter, &found[0].receipt)
        .await
        .unwrap();
    // Twice does nothing, and neither does a receipt that the queue never gave.
    for receipt in [found[0].receipt.as_str(), "nonsense"] {
        queue.acknowledge(Phase::Adapter, receipt).await.unwrap();
    }
    assert_eq!(
        queue.stats(Phase::Adapter).await.unwrap(),
        QueueStats::default()
    );
    assert_eq!(queue.stats(Phase::Plan).await.unwrap(), waiting);
}

async fn hidden_messages_come_back(queue: &dyn Queue, limits: QueueLimits) {
    queue.send(&message(1), Duration::ZERO).await.unwrap();
    let first = one(queue, limits.shortest).await;
    let second = one(queue, LONG).await;
    assert_eq!(second.message, first.message);
    assert_eq!((first.receive_count, second.receive_count), (1, 2));
    assert_ne!(first.receipt, second.receipt);
    if limits.stale_receipts_refused {
        // The first delivery is over: who still works on it has no say any more.
        queue
            .acknowledge(Phase::Plan, &first.receipt)
            .await
            .unwrap();
        assert_kind(
            queue.extend(Phase::Plan, &first.receipt, LONG).await,
            PortErrorKind::NotFound,
            "extending a delivery that is over",
        );
    }
    assert_eq!(queue.stats(Phase::Plan).await.unwrap().messages, 1);
    none_now(queue, Phase::Plan).await;
    queue
        .acknowledge(Phase::Plan, &second.receipt)
        .await
        .unwrap();
    assert_eq!(queue.stats(Phase::Plan).await.unwrap().messages, 0);
    for receipt in [second.receipt.as_str(), "nonsense"] {
        assert_kind(
            queue.extend(Phase::Plan, receipt, LONG).await,
            PortErrorKind::NotFound,
            "extending what is gone",
        );
    }
}

async fn deliveries_are_extended(queue: &dyn Queue, limits: QueueLimits) {
    queue.send(&message(1), Duration::ZERO).await.unwrap();
    let first = one(queue, LONG).await;
    // Shortened, it comes back; lengthened, it does not.
    queue
        .extend(Phase::Plan, &first.receipt, limits.shortest)
        .await
        .unwrap();
    let second = one(queue, limits.shortest * 20).await;
    queue
        .extend(Phase::Plan, &second.receipt, LONG)
        .await
        .unwrap();
    let found = queue
        .receive(Phase::Plan, 1, LONG, limits.shortest * 30)
        .await
        .unwrap();
    assert_eq!(found, [], "extended beyond its first visibility");
}

async fn delayed_messages_wait(queue: &dyn Queue, limits: QueueLimits) {
    queue.send(&message(1), LONG).await.unwrap();
    none_now(queue, Phase::Plan).await;
    let sent = Instant::now();
    queue.send(&message(2), limits.shortest * 3).await.unwrap();
    assert_eq!(one(queue, LONG).await.message, message(2));
    // Clocks of stores count whole milliseconds or coarser.
    assert!(sent.elapsed() >= limits.shortest * 2, "not before its time");
    assert_eq!(queue.stats(Phase::Plan).await.unwrap().messages, 2);
}

async fn dead_letters(queue: &dyn Queue, limits: QueueLimits) {
    queue.send(&message(1), Duration::ZERO).await.unwrap();
    for count in 1..=limits.max_receives {
        let delivery = one(queue, limits.shortest).await;
        assert_eq!(delivery.receive_count, count);
    }
    // The good message behind a bad one is delivered all the same.
    queue.send(&message(2), limits.shortest * 3).await.unwrap();
    let next = one(queue, LONG).await;
    assert_eq!((next.message, next.receive_count), (message(2), 1));
    let stats = queue.stats(Phase::Plan).await.unwrap();
    assert_eq!((stats.messages, stats.dead), (1, 1));
    none_now(queue, Phase::Plan).await;
    // It says what it was and why it is here, as often as it is asked; and can be sent again.
    for _ in 0..2 {
        let letters = queue.dead_letters(Phase::Plan, 10).await.unwrap();
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0].message, Some(message(1)));
        assert!(letters[0].receive_count >= limits.max_receives);
        assert!(!letters[0].reason.is_empty());
    }
    assert_eq!(queue.dead_letters(Phase::Sign, 10).await.unwrap(), []);
    assert_eq!(queue.redrive(Phase::Sign, None).await.unwrap(), 0);
    assert_eq!(
        queue.redrive(Phase::Plan, Some("nonsense")).await.unwrap(),
        0
    );
    assert_eq!(queue.redrive(Phase::Plan, None).await.unwrap(), 1);
    assert_eq!(queue.dead_letters(Phase::Plan, 10).await.unwrap(), []);
    let again = one(queue, LONG).await;
    assert_eq!((&again.message, again.receive_count), (&message(1), 1));

    // Whoever knows that a message is of no use says why.
    queue
        .put_aside(&again, "its tenant is unknown")
        .await
        .unwrap();
    queue.put_aside(&again, "twice does nothing").await.unwrap();
    let letters = queue.dead_letters(Phase::Plan, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].reason, "its tenant is unknown");
    assert_eq!(letters[0].message, Some(message(1)));
    none_now(queue, Phase::Plan).await;
    let redriven = queue.redrive(Phase::Plan, Some(&letters[0].id)).await;
    assert_eq!(redriven.unwrap(), 1);
    assert_eq!(one(queue, LONG).await.message, message(1));
    let stats = queue.stats(Phase::Plan).await.unwrap();
    assert_eq!((stats.messages, stats.dead), (2, 0));
}

async fn every_message_is_delivered(queue: Arc<dyn Queue>) {
    const MESSAGES: u32 = 100;
    let receiver = |queue: Arc<dyn Queue>| async move {
        let mut seen = Vec::new();
        loop {
            let found = queue
                .receive(Phase::Plan, 3, LONG, Duration::from_millis(500))
                .await
                .unwrap();
            if found.is_empty() {
                return seen;
            }
            for delivery in found {
                queue
                    .acknowledge(Phase::Plan, &delivery.receipt)
                    .await
                    .unwrap();
                seen.push(delivery.message.work.to_string());
            }
        }
    };
    let receivers: Vec<_> = (0..3)
        .map(|_| tokio::spawn(receiver(Arc::clone(&queue))))
        .collect();
    for number in 0..MESSAGES {
        queue.send(&message(number), Duration::ZERO).await.unwrap();
    }
    let mut seen = Vec::new();
    for receiver in receivers {
        seen.extend(receiver.await.unwrap());
    }
    seen.sort_unstable();
    let deliveries = seen.len();
    seen.dedup();
    assert_eq!(seen.len(), MESSAGES as usize, "each at least once");
    assert_eq!(
        deliveries,
        seen.len(),
        "none was hidden from one receiver only"
    );
    assert_eq!(
        queue.stats(Phase::Plan).await.unwrap(),
        QueueStats::default()
    );
}
