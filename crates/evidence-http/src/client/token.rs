//! Where access tokens come from.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use export_authority::KeyError;
use export_authority::client::{
    ClientGrant, NoToken, Patience, ProofKey, Secret, ask_for_token, connections,
};
use export_model::{Tenant, Timestamp};
use export_ports::{Clock, Ids, PortError, PortErrorKind};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use super::{AGENT, InvalidSettings, secure};

/// The most bytes of a file with a token.
const LARGEST: u64 = 64 << 10;
/// For how long an Authority is waited for.
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(10),
    idle: Duration::from_secs(30),
};
/// A token that is about to end is replaced so long before that.
const MARGIN_MILLIS: i64 = 30_000;

/// An access token, and the key that it is bound to. Its `Debug` form shows neither.
#[derive(Clone, Debug)]
pub struct AccessToken {
    text: Secret,
    key: Option<Arc<ProofKey>>,
}

impl AccessToken {
    /// A token that is bound to a key and sent with a proof of it (DPoP), as our ledgers want it.
    #[must_use]
    pub fn bound(text: Secret, key: Arc<ProofKey>) -> Self {
        Self {
            text,
            key: Some(key),
        }
    }

    /// A token that is good for whoever has it, for ledgers that take such.
    #[must_use]
    pub fn bearer(text: Secret) -> Self {
        Self { text, key: None }
    }

    pub(super) fn same(&self, other: &Self) -> bool {
        self.text.expose() == other.text.expose()
    }

    pub(super) fn authorization(&self) -> Secret {
        let scheme = if self.key.is_some() { "DPoP" } else { "Bearer" };
        Secret::new(format!("{scheme} {}", self.text.expose()))
    }

    pub(super) fn proof(
        &self,
        method: &str,
        url: &str,
        now: Timestamp,
        jti: &str,
    ) -> Result<Option<String>, KeyError> {
        let key = self.key.as_ref();
        key.map(|key| key.proof(method, url, Some(self.text.expose()), now, jti))
            .transpose()
    }
}

/// The id of a proof: 160 random bits.
pub(super) fn new_jti(ids: &dyn Ids) -> String {
    format!("{}{}", ids.token(), ids.token())
}

/// Gives the token for requests about a tenant.
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// A token that allows reading `tenant`'s evidence. `refused` is the one that the ledger has just
    /// refused: a source that has, or can get, another gives that.
    ///
    /// # Errors
    /// `Unavailable` where there may be one later, another kind where there will not.
    async fn token(
        &self,
        tenant: &Tenant,
        refused: Option<&AccessToken>,
    ) -> Result<AccessToken, PortError>;
}

/// A token in a file, read for every request, so that one that was replaced is used at once.
///
/// The file holds a token on one line; or, as `exportctl login` writes it, a JSON object with
/// `access_token` and `proof_key` (the key that it is bound to, PKCS#8 in PEM). `{tenant}` in its
/// path stands for the tenant's name, for hosts that work for several.
#[derive(Clone, Debug)]
pub struct FileToken {
    path: String,
}

impl FileToken {
    /// The token in the file at `path`.
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into() }
    }
}

#[derive(Deserialize)]
struct Login {
    access_token: Option<Secret>,
    proof_key: Secret,
}

#[async_trait]
impl TokenSource for FileToken {
    async fn token(
        &self,
        tenant: &Tenant,
        _refused: Option<&AccessToken>,
    ) -> Result<AccessToken, PortError> {
        let path = PathBuf::from(self.path.replace("{tenant}", tenant.as_str()));
        let read = tokio::task::spawn_blocking(move || read(&path)).await;
        read.map_err(|_| PortError::new(PortErrorKind::Unavailable, "reading the access token"))?
    }
}

fn read(path: &Path) -> Result<AccessToken, PortError> {
    let doing = || format!("reading the access token in {}", path.display());
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST).read_to_string(&mut text));
    let text = Secret::new(text);
    // Whoever replaces a file may be about to.
    read.map_err(|error| PortError::because(PortErrorKind::Unavailable, doing(), error))?;
    let unusable = |why: &str| PortError::because(PortErrorKind::Unavailable, doing(), why);
    let inner = text.expose().trim();
    if inner.starts_with('{') {
        // The parser's message might quote what it read.
        let login: Login = serde_json::from_str(inner)
            .map_err(|_| unusable("it has no access_token and proof_key"))?;
        let key = ProofKey::from_pem(login.proof_key.expose())
            .map_err(|error| unusable(&error.to_string()))?;
        let token = login
            .access_token
            .ok_or_else(|| unusable("nobody has logged in with it"))?;
        return Ok(AccessToken::bound(token, Arc::new(key)));
    }
    if inner.is_empty() || inner.contains(|c: char| c.is_control() || c == ' ') {
        return Err(unusable("it has to hold one line with a token"));
    }
    Ok(AccessToken::bearer(Secret::new(inner.to_owned())))
}

/// Tokens that an Authority gives to a client that it knows (OAuth client credentials, RFC 6749 §4.4),
/// bound to a key (RFC 9449 §5), one a tenant, asked for again before they end.
pub struct ClientCredentials {
    endpoint: Url,
    http: reqwest::Client,
    client: Option<(String, Secret)>,
    subject: Option<String>,
    scopes: Vec<String>,
    key: Arc<ProofKey>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    /// Tokens and when they are replaced.
    given: Mutex<BTreeMap<Tenant, (AccessToken, Option<Timestamp>)>>,
}

impl ClientCredentials {
    /// Tokens from the token endpoint at `endpoint` (HTTPS, or HTTP to this machine), for the client
    /// of that name and password, bound to `key`. Each is asked for with the parameter `tenant`, which
    /// an Authority whose clients have one tenant each passes over.
    ///
    /// # Errors
    /// When the URL may not be used, or no connections can be made.
    pub fn new(
        endpoint: &str,
        client: Option<(String, Secret)>,
        key: ProofKey,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Result<Self, InvalidSettings> {
        let endpoint = secure(endpoint)?;
        let http = connections(&endpoint, AGENT, PATIENCE)
            .map_err(|error| InvalidSettings(format!("{endpoint}: no connections: {error}")))?;
        Ok(Self {
            endpoint,
            http,
            client,
            subject: None,
            scopes: vec!["evidence:read".to_owned(), "evidence:freeze".to_owned()],
            key: Arc::new(key),
            clock,
            ids,
            given: Mutex::default(),
        })
    }

    /// The same, with the parameter `subject`, which a dev authority wants.
    #[must_use]
    pub fn with_subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    async fn ask(&self, tenant: &Tenant) -> Result<(AccessToken, Option<Timestamp>), PortError> {
        let grant = ClientGrant {
            client: self
                .client
                .as_ref()
                .map(|(id, password)| (id.as_str(), Some(password.clone()))),
            tenant: Some(tenant.as_str()),
            subject: self.subject.as_deref(),
            scopes: &self.scopes,
        };
        let now = self.clock.now();
        let jti = new_jti(&*self.ids);
        let asked = ask_for_token(&self.http, &self.endpoint, &self.key, &grant, now, &jti);
        let given = asked.await.map_err(|error| {
            let kind = match &error {
                NoToken::Lost { .. } | NoToken::Refused { passes: true, .. } => {
                    PortErrorKind::Unavailable
                }
                _ => PortErrorKind::Invalid,
            };
            let doing = format!("asking for an access token for {tenant}");
            PortError::because(kind, doing, error)
        })?;
        let replaced_at = given.expires_in.map(|seconds| {
            let millis = seconds.saturating_mul(1_000);
            now.plus_millis(millis.saturating_sub(MARGIN_MILLIS.min(millis / 4)))
        });
        let token = AccessToken::bound(given.access_token, Arc::clone(&self.key));
        Ok((token, replaced_at))
    }
}

#[async_trait]
impl TokenSource for ClientCredentials {
    async fn token(
        &self,
        tenant: &Tenant,
        refused: Option<&AccessToken>,
    ) -> Result<AccessToken, PortError> {
        // Held while one is asked for, so that many who need one ask once.
        let mut given = self.given.lock().await;
        if let Some((token, replaced_at)) = given.get(tenant)
            && replaced_at.is_none_or(|at| self.clock.now() < at)
            && refused.is_none_or(|refused| !refused.same(token))
        {
            return Ok(token.clone());
        }
        let (token, replaced_at) = self.ask(tenant).await?;
        given.insert(tenant.clone(), (token.clone(), replaced_at));
        Ok(token)
    }
}
