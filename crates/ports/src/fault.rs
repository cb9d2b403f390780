//! Ports that fail on demand: wrappers that let any call fail before or after its effect, deliver
//! messages twice, or let the process die at a call.
//!
//! A [`FaultPlan`] decides, and every wrapper that shares it counts its calls there, so that
//! "the 17th call" means the 17th call of any port. A plan is either a script or a seed; the same
//! plan over the same calls gives the same faults.

mod evidence;
mod gate;
mod objects;
mod plan;
mod queue;
mod state;

use std::sync::Arc;

use async_trait::async_trait;

use crate::{PortError, Ports, Signer, SignerLevel};

pub use plan::{Fault, FaultPlan, When};

/// A port whose calls suffer the faults of a plan.
#[derive(Clone)]
pub struct Faulty<T: ?Sized> {
    inner: Arc<T>,
    plan: FaultPlan,
}

impl<T: ?Sized> Faulty<T> {
    /// `inner`, with the faults of `plan`.
    pub fn new(inner: Arc<T>, plan: &FaultPlan) -> Self {
        Self {
            inner,
            plan: plan.clone(),
        }
    }
}

/// Every port of `ports` that does work, with the faults of `plan`. Time, ids and liveness stay as
/// they are: they cannot fail.
#[must_use]
pub fn faulty(ports: &Ports, plan: &FaultPlan) -> Ports {
    Ports {
        state: Arc::new(Faulty::new(Arc::clone(&ports.state), plan)),
        gate: Arc::new(Faulty::new(Arc::clone(&ports.gate), plan)),
        objects: Arc::new(Faulty::new(Arc::clone(&ports.objects), plan)),
        queue: Arc::new(Faulty::new(Arc::clone(&ports.queue), plan)),
        ledger: Arc::new(Faulty::new(Arc::clone(&ports.ledger), plan)),
        policy: Arc::new(Faulty::new(Arc::clone(&ports.policy), plan)),
        signer: Arc::new(Faulty::new(Arc::clone(&ports.signer), plan)),
        ..ports.clone()
    }
}

#[async_trait]
impl<T: Signer + ?Sized> Signer for Faulty<T> {
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, PortError> {
        self.plan
            .call("signer.sign", self.inner.sign(message))
            .await
    }

    async fn public_key_pem(&self) -> Result<String, PortError> {
        self.plan
            .call("signer.public_key_pem", self.inner.public_key_pem())
            .await
    }

    fn key_id(&self) -> String {
        self.inner.key_id()
    }

    fn level(&self) -> SignerLevel {
        self.inner.level()
    }
}
