//! A ledger that is served, with an Authority, and clients of it.

pub(crate) mod cutter;
pub(crate) mod raw;
pub(crate) mod script;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use export_authority::client::{ProofKey, Secret};
use export_authority::dev::{DevAuthority, Grant};
use export_authority::keys::{FetchError, Fetched, JwksSource};
use export_authority::{AccessTokens, Checks, PublicUrl, Scope, Scopes, Verifier};
use export_embedded::{EmbeddedLedger, Home};
use export_evidence_http::{
    AccessToken, ClientSettings, HttpLedger, LedgerService, TokenSource, router,
};
use export_host::{RandomIds, SystemClock};
use export_model::{
    AdmittedRecord, CompiledSelectors, Facets, Kind, Position, Revisions, Sha256Digest, Source,
    Tenant, Timestamp,
};
use export_ports::{Clock as _, Ids, LedgerWriter as _, PolicyEngine, PortError, Scan};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const ISSUER: &str = "https://authority.test";
const AUDIENCE: &str = "ledger";
pub(crate) fn ids() -> Arc<dyn Ids> {
    Arc::new(RandomIds::new("test").unwrap())
}

pub(crate) fn tenant(name: &str) -> Tenant {
    name.parse().unwrap()
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

/// A home with a ledger, and who may read it.
pub(crate) struct World {
    pub(crate) home: Home,
    pub(crate) authority: Arc<DevAuthority>,
    _folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            home: Home::open(&folder.path().join("home")).unwrap(),
            authority: Arc::new(DevAuthority::generate().unwrap()),
            _folder: folder,
        }
    }

    /// Serves the ledger to clients that know it by `public`, or by its own address.
    pub(crate) async fn serve(&self, public: Option<&str>) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.serve_on(listener, public, self.home.ledger())
    }

    pub(crate) fn serve_on(
        &self,
        listener: TcpListener,
        public: Option<&str>,
        ledger: Arc<dyn PolicyEngine>,
    ) -> Served {
        self.serve_as(listener, public, ledger, |router| router)
    }

    /// Serves the ledger by routes that `change` has made of ours.
    pub(crate) fn serve_as(
        &self,
        listener: TcpListener,
        public: Option<&str>,
        ledger: Arc<dyn PolicyEngine>,
        change: impl FnOnce(Router) -> Router,
    ) -> Served {
        let at = listener.local_addr().unwrap();
        let url = public.map_or_else(|| format!("http://{at}"), str::to_owned);
        let tokens = AccessTokens {
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
            leeway_seconds: 0,
        };
        let keys: Arc<dyn JwksSource> = Arc::new(KeySet(self.authority.jwks()));
        let checks = Checks::new(tokens, PublicUrl::parse(&url).unwrap());
        let service = LedgerService::new(
            ledger,
            Verifier::new(checks, keys),
            self.home.gate(),
            self.home.clock(),
            self.home.ids(),
        );
        let routes = change(router(service));
        let task = tokio::spawn(async move {
            axum::serve(listener, routes).await.unwrap();
        });
        Served { at, url, task }
    }

    /// A source of tokens that allow everything for an hour.
    pub(crate) fn tokens(&self) -> Arc<Minted> {
        Arc::new(Minted {
            authority: Arc::clone(&self.authority),
            scopes: Scope::EVIDENCE.into_iter().collect(),
            tenant: None,
            seconds: 3_600,
        })
    }

    /// Records of `acme`, `count` of them, each a JSON document of its own size.
    pub(crate) async fn fill(&self, count: usize) -> Vec<AdmittedRecord> {
        let records: Vec<_> = (0..count).map(record).collect();
        let ledger: Arc<EmbeddedLedger> = self.home.ledger();
        ledger.append(records.clone(), Timestamp(0)).await.unwrap();
        records
    }
}

/// A server that runs.
pub(crate) struct Served {
    pub(crate) at: SocketAddr,
    pub(crate) url: String,
    pub(crate) task: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Tokens made for whoever is asked about, or for one tenant whoever that is.
#[derive(Clone)]
pub(crate) struct Minted {
    pub(crate) authority: Arc<DevAuthority>,
    pub(crate) scopes: Scopes,
    pub(crate) tenant: Option<Tenant>,
    pub(crate) seconds: u32,
}

impl Minted {
    /// A token, and the key that it is bound to.
    pub(crate) fn mint(&self, tenant: &Tenant, now: Timestamp) -> (String, ProofKey) {
        let key = ProofKey::generate().unwrap();
        let grant = Grant {
            subject: "worker".to_owned(),
            tenant: self.tenant.clone().unwrap_or_else(|| tenant.clone()),
            scopes: self.scopes,
            ttl_seconds: self.seconds,
            jkt: key.thumbprint().to_owned(),
        };
        let id = ids().token();
        let token = self
            .authority
            .mint(&grant, ISSUER, AUDIENCE, now, &id)
            .unwrap();
        (token, key)
    }
}

#[async_trait]
impl TokenSource for Minted {
    async fn token(
        &self,
        tenant: &Tenant,
        _refused: Option<&AccessToken>,
    ) -> Result<AccessToken, PortError> {
        let (token, key) = self.mint(tenant, SystemClock.now());
        Ok(AccessToken::bound(Secret::new(token), Arc::new(key)))
    }
}

/// Settings of a client that loses its patience soon.
pub(crate) fn settings(url: &str) -> ClientSettings {
    ClientSettings {
        idle: Duration::from_secs(10),
        patience: Duration::from_secs(20),
        ..ClientSettings::new(url)
    }
}

pub(crate) fn client(settings: &ClientSettings, tokens: Arc<dyn TokenSource>) -> HttpLedger {
    HttpLedger::new(settings, tokens, Arc::new(SystemClock), ids()).unwrap()
}

/// The record of that number.
pub(crate) fn record(number: usize) -> AdmittedRecord {
    let id = format!("id-{number:04}");
    let text = "é\\n".repeat(number % 7);
    let canonical = format!("{{\"_id\":\"{id}\",\"content\":{{\"raw\":\"{text}\"}}}}").into_bytes();
    AdmittedRecord {
        tenant: tenant("acme"),
        kind: Kind::Vex,
        position: Position {
            subject_key: format!("pkg:npm/{:04}", number / 3),
            id: id.clone(),
        },
        source: Source {
            vendor: "vendor".into(),
            stream: "stream".into(),
        },
        upstream_id: id,
        content_hash: Sha256Digest::of(&canonical),
        modified: None,
        facets: Facets::default(),
        policy_snapshot_id: None,
        record_sha256: Sha256Digest::of(&canonical),
        canonical,
    }
}

/// Everything of `acme`'s VEX.
pub(crate) fn everything() -> Scan {
    Scan {
        tenant: tenant("acme"),
        kind: Kind::Vex,
        watermark: u64::MAX,
        revisions: Revisions::Newest,
        selectors: CompiledSelectors::default(),
        policy_snapshot_id: None,
    }
}
