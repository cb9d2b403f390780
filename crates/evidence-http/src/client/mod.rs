//! A ledger that is elsewhere, as the ports.
//!
//! Nothing that comes is believed: an order that is none, a record that is not what its digest says, a
//! page without its last line. What is cut off is asked for again behind the last line that was
//! good; a page of records that was cut is simply a shorter page. At most one page is in memory.

mod ask;
mod lines;
mod pages;
mod pick;
mod retry;
mod token;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use export_authority::PublicUrl;
use export_authority::client::{Patience, connections, is_loopback};
use export_model::{IndexEntry, PolicySnapshot, Position, Tenant, Timestamp};
use export_ports::{
    Clock, Evidence, Ids, PageBudget, PolicyEngine, PortError, PortErrorKind, RecordPage, Scan,
    pick_one_by_one,
};
use reqwest::Method;
use url::Url;

use crate::query::Form;
use crate::wire::{Sboms, Snapshot, Watermark};
use ask::{Ask, Link};
use retry::Trouble;

pub use token::{AccessToken, ClientCredentials, FileToken, TokenSource};

const AGENT: &str = concat!("export-evidence-http/", env!("CARGO_PKG_VERSION"));

/// How a ledger is reached.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// The ledger's URL, without `/evidence/v1`: HTTPS, or HTTP to this machine.
    pub url: String,
    /// Whether a record that the ledger says was admitted by this version's guardrails is not checked
    /// again. Whoever says so trusts whoever runs the ledger.
    pub trust_admission: bool,
    /// How long a connection may take.
    pub connect: Duration,
    /// For how long nothing may come of an answer.
    pub idle: Duration,
    /// For how long requests that fail are sent again while nothing good comes.
    pub patience: Duration,
}

impl ClientSettings {
    /// A ledger at `url`, which is not trusted, with 10 s for a connection, 60 s for the next bytes,
    /// and requests sent again for up to two minutes.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            trust_admission: false,
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            patience: Duration::from_secs(120),
        }
    }
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSettings(pub(crate) String);

/// A ledger and policy engine behind HTTP. Clones share connections.
#[derive(Clone)]
pub struct HttpLedger {
    link: Arc<Link>,
    trust_admission: bool,
}

impl HttpLedger {
    /// The ledger that `settings` describe, with tokens from `tokens`.
    ///
    /// # Errors
    /// When the URL may not be used, or no connections can be made.
    pub fn new(
        settings: &ClientSettings,
        tokens: Arc<dyn TokenSource>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Result<Self, InvalidSettings> {
        let url = secure(&settings.url)?;
        let base = url.as_str().trim_end_matches('/').to_owned();
        let patience = Patience {
            connect: settings.connect,
            idle: settings.idle,
        };
        let http = connections(&url, AGENT, patience)
            .map_err(|error| InvalidSettings(format!("{base}: no connections: {error}")))?;
        Ok(Self {
            link: Arc::new(Link {
                http,
                base,
                tokens,
                clock,
                ids,
                patience: settings.patience,
            }),
            trust_admission: settings.trust_admission,
        })
    }

    fn get<'a>(&self, path: &'static str, tenant: &'a Tenant, doing: &str, form: Form) -> Ask<'a> {
        self.ask(Method::GET, path, tenant, doing, form)
    }

    fn ask<'a>(
        &self,
        method: Method,
        path: &str,
        tenant: &'a Tenant,
        doing: &str,
        form: Form,
    ) -> Ask<'a> {
        Ask {
            method,
            path: path.to_owned(),
            form: form.finish(),
            tenant,
            doing: format!("{doing} of {tenant} at {}", self.link.base),
        }
    }
}

/// A URL to which tokens may be sent.
fn secure(text: &str) -> Result<Url, InvalidSettings> {
    let refused = |why: &str| InvalidSettings(format!("{text}: {why}"));
    // A user or password in a URL is refused without being repeated.
    let public = PublicUrl::parse(text).map_err(|_| {
        InvalidSettings("not the URL of a ledger: http(s)://host[:port][/path]".into())
    })?;
    let url = Url::parse(public.as_str()).map_err(|error| refused(&error.to_string()))?;
    if url.scheme() != "https" && !is_loopback(&url) {
        return Err(refused(
            "has to begin with https:// (http:// is for this machine only)",
        ));
    }
    Ok(url)
}

#[async_trait]
impl Evidence for HttpLedger {
    async fn watermark(&self, tenant: &Tenant) -> Result<u64, PortError> {
        let ask = self.get(
            "/watermark",
            tenant,
            "reading the watermark",
            Form::of(tenant),
        );
        let answer: Watermark = self.link.document(&ask).await?;
        answer
            .watermark
            .ok_or_else(|| ask.damaged("the answer has no watermark"))
    }

    async fn watermark_at(
        &self,
        tenant: &Tenant,
        time: Timestamp,
    ) -> Result<Option<u64>, PortError> {
        let mut form = Form::of(tenant);
        form.add("as_of", time);
        let ask = self.get("/watermark", tenant, "reading a past watermark", form);
        let answer: Watermark = self.link.document(&ask).await?;
        Ok(answer.watermark)
    }

    async fn sboms(
        &self,
        tenant: &Tenant,
        subject: &str,
        watermark: u64,
    ) -> Result<Vec<String>, PortError> {
        let mut form = Form::of(tenant);
        form.add("subject", subject);
        form.add("watermark", watermark);
        let ask = self.get("/sboms", tenant, "looking up SBOMs", form);
        let answer: Sboms = self.link.document(&ask).await?;
        if !answer.sboms.is_sorted() {
            return Err(ask.damaged("the SBOMs are not sorted"));
        }
        Ok(answer.sboms)
    }

    async fn index(
        &self,
        scan: &Scan,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<IndexEntry>, PortError> {
        pages::index(&self.link, scan, after, limit).await
    }

    async fn records(
        &self,
        scan: &Scan,
        first: &Position,
        last: &Position,
        after: Option<&Position>,
        budget: PageBudget,
        spare: RecordPage,
    ) -> Result<RecordPage, PortError> {
        let read = pages::Read {
            scan,
            first,
            last,
            after,
            budget,
            among: None,
            trusted: self.trust_admission,
        };
        pages::records(&self.link, &read, spare).await
    }

    async fn pick(
        &self,
        scan: &Scan,
        positions: &[Position],
        budget: PageBudget,
        spare: RecordPage,
    ) -> Result<RecordPage, PortError> {
        let (link, trusted) = (&self.link, self.trust_admission);
        match pick::pick(link, scan, positions, budget, trusted, spare).await? {
            Some(page) => Ok(page),
            // It may learn to; a page is dear enough that asking first each time is nothing.
            None => {
                let spare = RecordPage::default();
                pick_one_by_one(self, scan, positions, budget, spare).await
            }
        }
    }
}

#[async_trait]
impl PolicyEngine for HttpLedger {
    async fn snapshot(
        &self,
        tenant: &Tenant,
        id: Option<&str>,
    ) -> Result<Option<PolicySnapshot>, PortError> {
        let mut form = Form::of(tenant);
        if let Some(id) = id {
            form.add("id", id);
        }
        let ask = self.get("/snapshot", tenant, "reading a policy snapshot", form);
        let answer: Snapshot = self.link.document(&ask).await?;
        if let Some(found) = &answer.snapshot
            && (found.tenant != *tenant || id.is_some_and(|id| id != found.policy_snapshot_id))
        {
            return Err(ask.damaged("it is another snapshot than the one that was asked for"));
        }
        Ok(answer.snapshot)
    }

    async fn freeze(&self, tenant: &Tenant, id: &str) -> Result<(), PortError> {
        let mut form = Form::of(tenant);
        form.add("id", id);
        let doing = "freezing a policy snapshot";
        let ask = self.ask(Method::POST, "/snapshot/freeze", tenant, doing, form);
        self.link.done(&ask).await
    }
}

impl Ask<'_> {
    /// What came is not what the contract says.
    fn damaged(&self, why: impl Into<String>) -> PortError {
        Trouble::fatal(PortErrorKind::Damaged, why).into_error(&self.doing)
    }
}
