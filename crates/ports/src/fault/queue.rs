//! Queues that fail, and deliver twice.

use std::time::Duration;

use async_trait::async_trait;
use export_model::{Message, Phase};

use super::plan::suffer;
use super::{Fault, Faulty};
use crate::{DeadLetter, Delivery, PortError, Queue, QueueStats};

#[async_trait]
impl<T: Queue + ?Sized> Queue for Faulty<T> {
    async fn send(&self, message: &Message, delay: Duration) -> Result<(), PortError> {
        let fault = self.plan.next("queue.send");
        suffer(fault, "queue.send", self.inner.send(message, delay)).await?;
        if fault == Some(Fault::Duplicate) {
            self.inner.send(message, delay).await?;
        }
        Ok(())
    }

    async fn receive(
        &self,
        phase: Phase,
        limit: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        let fault = self.plan.next("queue.receive");
        let effect = self.inner.receive(phase, limit, visibility, wait);
        let deliveries = suffer(fault, "queue.receive", effect).await?;
        if fault == Some(Fault::Duplicate) {
            // Sent once more: another receiver gets it while the first still works on it.
            for delivery in &deliveries {
                self.inner.send(&delivery.message, Duration::ZERO).await?;
            }
        }
        Ok(deliveries)
    }

    async fn extend(
        &self,
        phase: Phase,
        receipt: &str,
        visibility: Duration,
    ) -> Result<(), PortError> {
        let effect = self.inner.extend(phase, receipt, visibility);
        self.plan.call("queue.extend", effect).await
    }

    async fn acknowledge(&self, phase: Phase, receipt: &str) -> Result<(), PortError> {
        let effect = self.inner.acknowledge(phase, receipt);
        self.plan.call("queue.acknowledge", effect).await
    }

    async fn put_aside(&self, delivery: &Delivery, reason: &str) -> Result<(), PortError> {
        let effect = self.inner.put_aside(delivery, reason);
        self.plan.call("queue.put_aside", effect).await
    }

    async fn put_body_aside(
        &self,
        phase: Phase,
        receipt: &str,
        body: &str,
        receive_count: u32,
        reason: &str,
    ) -> Result<(), PortError> {
        let effect = self
            .inner
            .put_body_aside(phase, receipt, body, receive_count, reason);
        self.plan.call("queue.put_body_aside", effect).await
    }

    async fn dead_letters(&self, phase: Phase, limit: usize) -> Result<Vec<DeadLetter>, PortError> {
        let effect = self.inner.dead_letters(phase, limit);
        self.plan.call("queue.dead_letters", effect).await
    }

    async fn redrive(&self, phase: Phase, id: Option<&str>) -> Result<u64, PortError> {
        let effect = self.inner.redrive(phase, id);
        self.plan.call("queue.redrive", effect).await
    }

    fn receive_can_be_dropped(&self) -> bool {
        self.inner.receive_can_be_dropped()
    }

    async fn stats(&self, phase: Phase) -> Result<QueueStats, PortError> {
        self.plan.call("queue.stats", self.inner.stats(phase)).await
    }
}
