//! What every handler works with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use export_adapter::Registry;
use export_approval::ApprovalPolicy;
use export_http::{Authority, Door};
use export_model::{ErrorCode, Limits, Run, Tenant};
use export_ports::Ports;
use export_signing::PublicKey;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use super::Problem;
use super::feed::Feeds;
use crate::views::RunView;

/// Manifests that are verified at once.
const VERIFYING: usize = 2;

/// What a host decides about the service.
#[derive(Clone, Debug, Default)]
pub struct ServiceConfig {
    /// What each tenant may use.
    pub limits: Limits,
    /// What single tenants may use instead.
    pub tenant_limits: BTreeMap<Tenant, Limits>,
    /// Whether runs may have other tenants' evidence, and whose signatures count for that.
    pub approvals: ApprovalPolicy,
    /// Public keys, PEM, that signed earlier bundles: `POST /verify` knows them too.
    pub former_keys: Vec<String>,
    /// The service's version, as it tells it.
    pub version: String,
    /// How much of a response the host can carry; none where it carries anything.
    pub carried: Option<Carried>,
}

/// What a host that buffers every response can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Objects with more bytes than this are handed out by the store: clients are sent there by a
    /// link that is good for [`LINK_VALID`].
    pub bytes: u64,
    /// After this time a stream of events ends, and its client comes again.
    pub stream: Duration,
}

/// How long a link to the store is good.
pub const LINK_VALID: Duration = Duration::from_secs(300);

/// The service. Clones share everything.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    ports: Ports,
    registry: Arc<Registry>,
    config: ServiceConfig,
    door: Door,
    feeds: Feeds,
    verifying: Semaphore,
    stopping: watch::Sender<bool>,
}

impl Service {
    /// A service over `ports`. To be called within a runtime: it starts a task of its own.
    #[must_use]
    pub fn new(
        ports: &Ports,
        registry: &Arc<Registry>,
        authority: Authority,
        config: ServiceConfig,
    ) -> Self {
        Self(Arc::new(Inner {
            door: Door::new(
                authority,
                Arc::clone(&ports.gate),
                Arc::clone(&ports.clock),
                Arc::clone(&ports.ids),
            ),
            feeds: Feeds::new(Arc::clone(&ports.state)),
            ports: ports.clone(),
            registry: Arc::clone(registry),
            config,
            verifying: Semaphore::new(VERIFYING),
            stopping: watch::Sender::new(false),
        }))
    }

    /// Ends what would go on for as long as a run does: streams of events. Their clients are told
    /// to come again, and go on elsewhere or later where they were. For a host that is to stop.
    pub fn stop(&self) {
        self.0.stopping.send_replace(true);
    }

    /// Turns true when the service is to stop.
    pub(super) fn stopping(&self) -> watch::Receiver<bool> {
        self.0.stopping.subscribe()
    }

    pub(super) fn ports(&self) -> &Ports {
        &self.0.ports
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    pub(super) fn authority(&self) -> &Authority {
        self.0.door.authority()
    }

    pub(super) fn door(&self) -> &Door {
        &self.0.door
    }

    pub(super) fn feeds(&self) -> &Feeds {
        &self.0.feeds
    }

    pub(super) fn approvals(&self) -> &ApprovalPolicy {
        &self.0.config.approvals
    }

    pub(super) fn carried(&self) -> Option<Carried> {
        self.0.config.carried
    }

    pub(super) fn version(&self) -> &str {
        &self.0.config.version
    }

    pub(super) fn limits(&self, tenant: &Tenant) -> Limits {
        let own = self.0.config.tenant_limits.get(tenant);
        own.copied().unwrap_or(self.0.config.limits)
    }

    pub(super) fn view(&self, run: &Run) -> RunView {
        RunView::of(run, self.0.ports.clock.now())
    }

    /// A turn at holding a manifest.
    pub(super) async fn verifying(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.0
            .verifying
            .acquire()
            .await
            .map_err(|_| Problem::new(ErrorCode::Internal, "the service is going away"))
    }

    /// The keys that bundles of this service are signed with, today's first.
    pub(super) async fn public_keys(&self) -> Result<Vec<PublicKey>, Problem> {
        let current = self.0.ports.signer.public_key_pem().await?;
        std::iter::once(&current)
            .chain(&self.0.config.former_keys)
            .map(|pem| {
                PublicKey::from_pem(pem.as_bytes())
                    .map_err(|error| Problem::new(ErrorCode::KeyUnreadable, error.to_string()))
            })
            .collect()
    }
}
