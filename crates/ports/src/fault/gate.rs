//! A gate that fails.

use async_trait::async_trait;
use export_model::Timestamp;

use super::Faulty;
use crate::{Entered, Entry, Gate, PortError};

#[async_trait]
impl<T: Gate + ?Sized> Gate for Faulty<T> {
    async fn enter(&self, entries: Vec<Entry>, now: Timestamp) -> Result<Vec<Entered>, PortError> {
        let effect = self.inner.enter(entries, now);
        self.plan.call("gate.enter", effect).await
    }

    async fn ping(&self) -> Result<(), PortError> {
        self.plan.call("gate.ping", self.inner.ping()).await
    }
}
