//! The ledger and the policy engine in a MongoDB database.
//!
//! The model is the embedded ledger's. What planning walks (`ledger_entries`) carries everything
//! that an index line needs, and one index holds all of that in canonical order, so a walk reads an
//! index and nothing else. Records lie in `ledger_bodies` under the `seq` of their entry, as the
//! bytes they came as: BSON never sees inside. Neighbours of one append are neighbours there too,
//! because a batch is sorted before it is numbered; a page of them is one range of `_id`.
//!
//! Canonical order is the order of UTF-8 bytes. So is MongoDB's order of strings, as long as no
//! collation is asked for; none of these collections, indexes or queries has one.
//!
//! An append is one transaction, which begins by writing the one counter. Two of them cannot do
//! that at once, so `seq` is given out in the order of commits, and nobody who sees a number can
//! miss a smaller one.

mod append;
mod body;
mod call;
mod entry;
mod filter;
mod page;
mod pick;
mod plan;
mod policy;
mod read;
mod schema;
mod stats;
mod walk;

#[cfg(test)]
mod explain_tests;

use std::sync::Arc;

use async_trait::async_trait;
use export_model::{AdmittedRecord, IndexEntry, PolicySnapshot, Position, Tenant, Timestamp};
use export_ports::{
    Appended, Evidence, LedgerStats, LedgerWriter, PageBudget, PolicyEngine, PolicyWriter,
    PortError, RecordPage, Scan,
};
use mongodb::bson::{Document, RawDocumentBuf};
use mongodb::{Collection, Database};
use tokio::sync::Mutex;

use call::detached;
pub(crate) use schema::migrate;

pub use append::{MAX_APPEND_BYTES, MAX_APPEND_RECORDS};

/// Positions that one call picks from.
const PICKED_AT_ONCE: usize = 4_096;

/// The ledger and the policy engine of one database.
#[derive(Clone)]
pub struct MongoLedger {
    store: Store,
    /// Appends of one process queue here; only those of several processes collide in the database.
    appending: Arc<Mutex<()>>,
}

impl MongoLedger {
    /// The ledger in `database`. Sends nothing.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self {
            store: Store { database },
            appending: Arc::new(Mutex::new(())),
        }
    }

    /// Makes the ledger's collections, validators and indexes, and its counter. Changes nothing
    /// where they are; several may do it at once.
    ///
    /// # Errors
    /// When the database cannot be changed.
    pub async fn prepare(&self) -> Result<(), PortError> {
        let store = self.store.clone();
        detached("preparing the ledger", async move {
            migrate(&store.database).await
        })
        .await
    }
}

/// The collections.
#[derive(Clone)]
struct Store {
    database: Database,
}

impl Store {
    /// A collection to write to.
    fn documents(&self, name: &str) -> Collection<Document> {
        self.database.collection(name)
    }

    /// A collection whose documents are read in place.
    fn raw(&self, name: &str) -> Collection<RawDocumentBuf> {
        self.database.collection(name)
    }
}

#[async_trait]
impl Evidence for MongoLedger {
    async fn watermark(&self, _tenant: &Tenant) -> Result<u64, PortError> {
        let store = self.store.clone();
        let doing = "reading the watermark";
        detached(doing, async move { read::watermark(&store).await }).await
    }

    async fn watermark_at(
        &self,
        _tenant: &Tenant,
        time: Timestamp,
    ) -> Result<Option<u64>, PortError> {
        let store = self.store.clone();
        let doing = "reading a past watermark";
        detached(doing, async move { read::watermark_at(&store, time).await }).await
    }

    async fn sboms(
        &self,
        tenant: &Tenant,
        subject: &str,
        watermark: u64,
    ) -> Result<Vec<String>, PortError> {
        let store = self.store.clone();
        let (tenant, subject) = (tenant.clone(), subject.to_owned());
        detached("looking up SBOMs", async move {
            read::sboms(&store, &tenant, &subject, watermark).await
        })
        .await
    }

    async fn index(
        &self,
        scan: &Scan,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<IndexEntry>, PortError> {
        let store = self.store.clone();
        let (scan, after) = (scan.clone(), after.cloned());
        detached("walking the index", async move {
            read::index(&store, &scan, after, limit).await
        })
        .await
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
        let store = self.store.clone();
        let range = walk::Range {
            lower: Some(match after {
                Some(after) => (after.clone(), false),
                None => (first.clone(), true),
            }),
            upper: Some(last.clone()),
        };
        let scan = scan.clone();
        detached("reading records", async move {
            read::records(&store, &scan, range, budget, spare).await
        })
        .await
    }

    async fn pick(
        &self,
        scan: &Scan,
        positions: &[Position],
        budget: PageBudget,
        spare: RecordPage,
    ) -> Result<RecordPage, PortError> {
        let mut page = spare;
        page.records.clear();
        page.bytes.clear();
        // A call has positions of its own. Those that no page has room for are not copied for it.
        for some in positions.chunks(PICKED_AT_ONCE) {
            let store = self.store.clone();
            let (scan, some) = (scan.clone(), some.to_vec());
            page = detached("picking records", async move {
                pick::pick(&store, &scan, &some, budget, page).await
            })
            .await?;
            if !page.records.is_empty() {
                break;
            }
        }
        Ok(page)
    }
}

#[async_trait]
impl PolicyEngine for MongoLedger {
    async fn snapshot(
        &self,
        tenant: &Tenant,
        id: Option<&str>,
    ) -> Result<Option<PolicySnapshot>, PortError> {
        let store = self.store.clone();
        let (tenant, id) = (tenant.clone(), id.map(str::to_owned));
        detached("reading a policy snapshot", async move {
            policy::snapshot(&store, &tenant, id.as_deref()).await
        })
        .await
    }

    async fn freeze(&self, tenant: &Tenant, id: &str) -> Result<(), PortError> {
        let store = self.store.clone();
        let (tenant, id) = (tenant.clone(), id.to_owned());
        detached("freezing a policy snapshot", async move {
            policy::freeze(&store, &tenant, &id).await
        })
        .await
    }
}

#[async_trait]
impl PolicyWriter for MongoLedger {
    async fn add_snapshot(&self, snapshot: &PolicySnapshot) -> Result<bool, PortError> {
        let store = self.store.clone();
        let snapshot = snapshot.clone();
        detached("adding a policy snapshot", async move {
            policy::add(&store, &snapshot).await
        })
        .await
    }
}

#[async_trait]
impl LedgerWriter for MongoLedger {
    async fn append(
        &self,
        records: Vec<AdmittedRecord>,
        now: Timestamp,
    ) -> Result<Appended, PortError> {
        let store = self.store.clone();
        let turn = Arc::clone(&self.appending).lock_owned().await;
        detached("appending records", async move {
            let appended = append::append(&store, records, now).await;
            drop(turn);
            appended
        })
        .await
    }

    async fn stats(&self) -> Result<LedgerStats, PortError> {
        let store = self.store.clone();
        let doing = "counting records";
        detached(doing, async move { stats::stats(&store).await }).await
    }
}
