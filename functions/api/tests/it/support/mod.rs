//! A home of the scenarios with the API in front of it, on real sockets, and clients with tokens.

mod ask;
pub(crate) mod forge;
pub(crate) mod heavy;
pub(crate) mod stream;
pub(crate) mod wire;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use axum::serve::ListenerExt as _;
use export_adapter::Registry;
use export_api::http::{Authority, BASE, Service, ServiceConfig, router};
use export_authority::client::ProofKey;
use export_authority::dev::{DevAuthority, Grant};
use export_authority::keys::{FetchError, Fetched, JwksSource};
use export_authority::{AccessTokens, Checks, PublicUrl, Scope, Scopes, Verifier};
use export_model::{RunKey, Timestamp};
use export_ports::{Clock as _, Ports};
use export_scenarios::{Evidence, ManualClock, Process, World};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub(crate) use ask::{Ask, Reply};
use forge::{AUDIENCE, ISSUER};

/// The URL that clients know, as behind a proxy: no replica listens there.
pub(crate) const PUBLIC: &str = "https://export.test";
pub(crate) const SCOPES: [Scope; 4] = [
    Scope::ProfileManage,
    Scope::Run,
    Scope::Read,
    Scope::Download,
];

/// Runs a test. All of them share one runtime, so that they can share servers.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME
        .get_or_init(|| {
            tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()
                .unwrap()
        })
        .block_on(test)
}

/// A number that no other call gives.
pub(crate) fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::SeqCst)
}

/// The API on a home of its own, served by one replica or several.
pub(crate) struct Api {
    pub(crate) world: World,
    /// Who does the runs, when told to.
    pub(crate) worker: Process,
    /// Where the replicas listen.
    pub(crate) at: Vec<SocketAddr>,
    /// A key of the Authority's that signs whatever a test wants.
    pub(crate) forge: forge::Key,
    authority: DevAuthority,
}

struct KeySet(Vec<u8>);

#[async_trait]
impl JwksSource for KeySet {
    async fn fetch(&self) -> Result<Fetched, FetchError> {
        Ok(Fetched {
            body: self.0.clone(),
            max_age: None,
        })
    }
}

impl Api {
    pub(crate) async fn new(evidence: &Evidence) -> Self {
        Self::with(evidence, 1, ServiceConfig::default()).await
    }

    pub(crate) async fn with(evidence: &Evidence, replicas: usize, config: ServiceConfig) -> Self {
        Self::over(evidence, replicas, config, |ports| ports).await
    }

    /// The same, over ports that are changed first.
    pub(crate) async fn over(
        evidence: &Evidence,
        replicas: usize,
        config: ServiceConfig,
        change: impl Fn(Ports) -> Ports,
    ) -> Self {
        let world = World::new(evidence).unwrap();
        let authority = DevAuthority::generate().unwrap();
        let forge = forge::Key::new();
        let mut keys: Value = serde_json::from_slice(&authority.jwks()).unwrap();
        let mut forged = forge.jwk();
        forged["kid"] = forge::KEY_ID.into();
        keys["keys"].as_array_mut().unwrap().push(forged);
        let mut at = Vec::new();
        for number in 0..replicas {
            // Each but the first has a home of its own on the same files, as another process has.
            let ports = match number {
                0 => world.observer.clone(),
                _ => world.stranger().unwrap().ports,
            };
            let ports = change(ports);
            at.push(serve(&ports, keys.to_string().into_bytes(), config.clone()).await);
        }
        Self {
            worker: world.sound_process(),
            world,
            at,
            forge,
            authority,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    /// A client of the first replica with a token that allows everything.
    pub(crate) fn caller(&self, tenant: &str) -> Caller {
        self.caller_with(tenant, &SCOPES, 3_600)
    }

    pub(crate) fn caller_with(&self, tenant: &str, scopes: &[Scope], ttl_seconds: u32) -> Caller {
        let key = ProofKey::generate().unwrap();
        let grant = Grant {
            subject: "auditor".to_owned(),
            tenant: tenant.parse().unwrap(),
            scopes: scopes.iter().copied().collect::<Scopes>(),
            ttl_seconds,
            jkt: key.thumbprint().to_owned(),
        };
        let id = next_id().to_string();
        let token = self
            .authority
            .mint(&grant, ISSUER, AUDIENCE, self.now(), &id)
            .unwrap();
        Caller {
            at: self.at[0],
            key: Arc::new(key),
            token,
            clock: Arc::clone(&self.world.clock),
        }
    }

    /// Does the run to its end.
    pub(crate) async fn finish(&self, run: &Value) {
        let key = self.key_of(run);
        self.world.end(&self.worker, &key).await.unwrap();
    }

    pub(crate) fn key_of(&self, run: &Value) -> RunKey {
        RunKey {
            tenant: run["tenant"].as_str().unwrap().parse().unwrap(),
            run: run["run_id"].as_str().unwrap().parse().unwrap(),
        }
    }
}

async fn serve(ports: &Ports, keys: Vec<u8>, config: ServiceConfig) -> SocketAddr {
    let tokens = AccessTokens {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        leeway_seconds: 60,
    };
    let checks = Checks::new(tokens, PublicUrl::parse(PUBLIC).unwrap());
    let source: Arc<dyn JwksSource> = Arc::new(KeySet(keys));
    let authority: Authority = Verifier::new(checks, source);
    let service = Service::new(ports, &Arc::new(Registry::default()), authority, config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
    tokio::spawn(async move { axum::serve(listener, router(service)).await });
    at
}

/// A client with a token.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) at: SocketAddr,
    key: Arc<ProofKey>,
    token: String,
    clock: Arc<ManualClock>,
}

impl Caller {
    /// The same client at another replica.
    pub(crate) fn on(&self, at: SocketAddr) -> Self {
        Self { at, ..self.clone() }
    }

    /// A new proof.
    pub(crate) fn proof(&self, method: &str, path: &str) -> String {
        let url = format!("{PUBLIC}{path}");
        let id = format!("proof-{}", next_id());
        let now = self.clock.now();
        self.key
            .proof(method, &url, Some(&self.token), now, &id)
            .unwrap()
    }

    /// The same request with the API's path before its own, a token and a new proof.
    pub(crate) fn signed(&self, ask: Ask) -> Ask {
        let path = format!("{BASE}{}", ask.path);
        let proof = self.proof(&ask.method, &path);
        Ask { path, ..ask }
            .with("authorization", format!("DPoP {}", self.token))
            .with("dpop", proof)
    }

    pub(crate) async fn send(&self, ask: Ask) -> Reply {
        self.signed(ask).at(self.at).await
    }

    pub(crate) async fn get(&self, path: impl Into<String>) -> Reply {
        self.send(Ask::get(path)).await
    }

    pub(crate) async fn post(&self, path: impl Into<String>, body: &Value) -> Reply {
        self.send(Ask::post(path, body)).await
    }

    /// A run that was accepted.
    pub(crate) async fn submit(&self, profile: &str) -> Value {
        let reply = self.post("/runs", &json!({ "profile": profile })).await;
        reply.ok(202)
    }
}

/// The id of a run.
pub(crate) fn id(run: &Value) -> &str {
    run["run_id"].as_str().unwrap()
}
