//! The ports' conformance suites through client and server, each store on a home of its own.

use std::sync::Arc;

use async_trait::async_trait;
use export_embedded::EmbeddedLedger;
use export_evidence_http::{ClientSettings, HttpLedger};
use export_model::{AdmittedRecord, IndexEntry, PolicySnapshot, Position, Tenant, Timestamp};
use export_ports::{
    Appended, Evidence, LedgerStats, LedgerWriter, PageBudget, PolicyEngine, PolicyWriter,
    PortError, RecordPage, Scan, conformance,
};

use crate::support::{Served, World, client, settings};

/// A ledger that is filled where it is and read over HTTP.
struct Both {
    near: HttpLedger,
    far: Arc<EmbeddedLedger>,
    _served: Served,
    _world: World,
}

async fn both() -> Arc<Both> {
    let world = World::new();
    let served = world.serve(None).await;
    let settings = ClientSettings {
        trust_admission: true,
        ..settings(&served.url)
    };
    Arc::new(Both {
        near: client(&settings, world.tokens()),
        far: world.home.ledger(),
        _served: served,
        _world: world,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence() {
    conformance::evidence(both).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policy() {
    conformance::policy(both).await;
}

#[async_trait]
impl Evidence for Both {
    async fn watermark(&self, tenant: &Tenant) -> Result<u64, PortError> {
        self.near.watermark(tenant).await
    }

    async fn watermark_at(
        &self,
        tenant: &Tenant,
        time: Timestamp,
    ) -> Result<Option<u64>, PortError> {
        self.near.watermark_at(tenant, time).await
    }

    async fn sboms(
        &self,
        tenant: &Tenant,
        subject: &str,
        watermark: u64,
    ) -> Result<Vec<String>, PortError> {
        self.near.sboms(tenant, subject, watermark).await
    }

    async fn index(
        &self,
        scan: &Scan,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<IndexEntry>, PortError> {
        self.near.index(scan, after, limit).await
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
        let near = &self.near;
        near.records(scan, first, last, after, budget, spare).await
    }

    async fn pick(
        &self,
        scan: &Scan,
        positions: &[Position],
        budget: PageBudget,
        spare: RecordPage,
    ) -> Result<RecordPage, PortError> {
        self.near.pick(scan, positions, budget, spare).await
    }
}

#[async_trait]
impl PolicyEngine for Both {
    async fn snapshot(
        &self,
        tenant: &Tenant,
        id: Option<&str>,
    ) -> Result<Option<PolicySnapshot>, PortError> {
        self.near.snapshot(tenant, id).await
    }

    async fn freeze(&self, tenant: &Tenant, id: &str) -> Result<(), PortError> {
        self.near.freeze(tenant, id).await
    }
}

#[async_trait]
impl LedgerWriter for Both {
    async fn append(
        &self,
        records: Vec<AdmittedRecord>,
        now: Timestamp,
    ) -> Result<Appended, PortError> {
        self.far.append(records, now).await
    }

    async fn stats(&self) -> Result<LedgerStats, PortError> {
        self.far.stats().await
    }
}

#[async_trait]
impl PolicyWriter for Both {
    async fn add_snapshot(&self, snapshot: &PolicySnapshot) -> Result<bool, PortError> {
        self.far.add_snapshot(snapshot).await
    }
}
