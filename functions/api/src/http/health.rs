//! `/health/live` and `/health/ready`: for load balancers and for people who wonder.

use std::future::Future;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use export_model::{ObjectKey, Phase, RunKey};
use export_ports::{PortError, PortErrorKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Service;
use super::answer::Answer;

/// A dependency that takes longer than this does not answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether the service can work.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Readiness {
    /// Whether everything that it needs answers.
    pub ready: bool,
    /// What it needs, one by one.
    pub dependencies: Vec<Dependency>,
}

/// Something that the service needs.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// Whether it answers.
    pub ready: bool,
    /// How long the answer took, in milliseconds.
    pub millis: u64,
    /// The class of the error, where it does not: `timeout`, or what the port calls it.
    pub error: Option<String>,
}

/// That the process answers at all.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Liveness {
    /// Always true.
    pub live: bool,
    /// The service's version.
    pub version: String,
}

pub(super) async fn live(State(service): State<Service>) -> Response {
    Answer::<_, 200>::new(Liveness {
        live: true,
        version: service.version().to_owned(),
    })
    .into_response()
}

pub(super) async fn ready(State(service): State<Service>) -> Response {
    let ports = service.ports();
    let dependencies = vec![
        ask("state", ports.state.ping()).await,
        ask("gate", ports.gate.ping()).await,
        ask("objects", async {
            // Nothing lies there; that the store can say so is the answer.
            ports.objects.head(&probe()?).await.map(drop)
        })
        .await,
        ask("queue", async {
            ports.queue.stats(Phase::Plan).await.map(drop)
        })
        .await,
        ask("signer", async {
            ports.signer.public_key_pem().await.map(drop)
        })
        .await,
        ask("adapters", async {
            match service.registry().adapters().is_empty() {
                false => Ok(()),
                true => Err(PortError::new(PortErrorKind::NotFound, "listing adapters")),
            }
        })
        .await,
        ask("authority", async {
            let now = ports.clock.now();
            let keys = service.authority().keys().current(now).await;
            keys.map(drop).map_err(|error| {
                PortError::because(PortErrorKind::Unavailable, "reading the key set", error)
            })
        })
        .await,
    ];
    let ready = dependencies.iter().all(|dependency| dependency.ready);
    let readiness = Readiness {
        ready,
        dependencies,
    };
    if ready {
        Answer::<_, 200>::new(readiness).into_response()
    } else {
        Answer::<_, 503>::new(readiness).into_response()
    }
}

/// The key of an object that nobody writes.
fn probe() -> Result<ObjectKey, PortError> {
    let key = || {
        let run = RunKey {
            tenant: "health".parse().ok()?,
            run: "00000000-0000-7000-8000-000000000000".parse().ok()?,
        };
        ObjectKey::new(&run, "none", "probe").ok()
    };
    key().ok_or_else(|| PortError::new(PortErrorKind::Invalid, "naming an object"))
}

async fn ask(name: &str, answer: impl Future<Output = Result<(), PortError>>) -> Dependency {
    let begun = Instant::now();
    let error = match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => {
            tracing::warn!(dependency = name, %error, "a dependency does not answer");
            Some(format!("{:?}", error.kind()).to_ascii_lowercase())
        }
        Err(_) => Some("timeout".to_owned()),
    };
    Dependency {
        name: name.to_owned(),
        ready: error.is_none(),
        millis: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        error,
    }
}
