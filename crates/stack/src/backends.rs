//! From settings to ports.

use std::sync::Arc;
use std::time::Duration;

use export_ports::{
    Clock, Evidence, Gate, Ids, Importer, LedgerWriter, Liveness, NoSeals, Objects, PolicyEngine,
    PortError, PortErrorKind, Ports, Queue, Seals, Signer, State,
};

use crate::liveness::Presumed;

/// The backends that the settings name. What they do not name is none.
pub struct Backends {
    /// Run state.
    pub state: Option<Arc<dyn State>>,
    /// The gate, which goes with it.
    pub gate: Option<Arc<dyn Gate>>,
    /// Payloads.
    pub objects: Option<Arc<dyn Objects>>,
    /// Messages.
    pub queue: Option<Arc<dyn Queue>>,
    /// Evidence.
    pub ledger: Option<Arc<dyn Evidence>>,
    /// Findings and snapshots.
    pub policy: Option<Arc<dyn PolicyEngine>>,
    /// For whom files may be sealed.
    pub seals: Option<Arc<dyn Seals>>,
    /// The signing key.
    pub signer: Option<Arc<dyn Signer>>,
    /// The ledger, where it can tell what it holds.
    pub books: Option<Arc<dyn LedgerWriter>>,
    /// The ledger, where it can be filled.
    pub importer: Option<Arc<dyn Importer>>,
    /// How long leases stand.
    pub lease: Duration,
}

impl Backends {
    /// Whether every port is there.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.missing().is_empty()
    }

    /// The names of the ports that are there, for people.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.each()
            .into_iter()
            .filter_map(|(is_there, name, _)| is_there.then_some(name))
            .collect()
    }

    /// The settings that would name what is missing.
    fn missing(&self) -> Vec<&'static str> {
        self.each()
            .into_iter()
            .filter_map(|(is_there, _, setting)| (!is_there).then_some(setting))
            .collect()
    }

    fn each(&self) -> [(bool, &'static str, &'static str); 6] {
        [
            (self.state.is_some(), "run state in MongoDB", "mongodb.uri"),
            (self.objects.is_some(), "objects in S3", "objects.bucket"),
            (self.queue.is_some(), "queues in SQS", "queues.*"),
            (
                self.ledger.is_some(),
                "the ledger elsewhere",
                "evidence.ledger",
            ),
            (
                self.policy.is_some(),
                "the policy engine elsewhere",
                "evidence.policy",
            ),
            (
                self.signer.is_some(),
                "the signing key in KMS",
                "signer.key",
            ),
        ]
    }

    /// Every port, for a host that has nothing else.
    ///
    /// # Errors
    /// `Invalid` when one is missing; the message names its setting.
    pub fn into_ports(self, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Result<Ports, PortError> {
        let missing = self.missing().join(", ");
        let liveness: Arc<dyn Liveness> = Arc::new(Presumed::new(self.lease));
        match (
            self.state,
            self.gate,
            self.objects,
            self.queue,
            self.ledger,
            self.policy,
            self.signer,
        ) {
            (
                Some(state),
                Some(gate),
                Some(objects),
                Some(queue),
                Some(ledger),
                Some(policy),
                Some(signer),
            ) => Ok(Ports {
                state,
                gate,
                objects,
                queue,
                ledger,
                policy,
                seals: self.seals.unwrap_or_else(|| Arc::new(NoSeals)),
                signer,
                clock,
                ids,
                liveness,
            }),
            _ => {
                let doing = format!("opening the stack without {missing}");
                Err(PortError::new(PortErrorKind::Invalid, doing))
            }
        }
    }

    /// Puts the stack's backends in the place of others.
    pub fn overlay(self, ports: &mut Ports) {
        if let Some(state) = self.state {
            ports.state = state;
            // Whoever shares run state runs on machines of their own.
            ports.liveness = Arc::new(Presumed::new(self.lease));
        }
        replace(&mut ports.gate, self.gate);
        replace(&mut ports.objects, self.objects);
        replace(&mut ports.queue, self.queue);
        replace(&mut ports.ledger, self.ledger);
        replace(&mut ports.policy, self.policy);
        replace(&mut ports.seals, self.seals);
        replace(&mut ports.signer, self.signer);
    }
}

fn replace<T: ?Sized>(port: &mut Arc<T>, with: Option<Arc<T>>) {
    if let Some(with) = with {
        *port = with;
    }
}
