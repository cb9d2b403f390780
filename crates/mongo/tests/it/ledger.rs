//! The ledger on the server at `MONGODB_URI`. Each test has databases of its own.

mod appending;
mod conformance;
mod damage;
mod large;
mod order;
mod picking;

use std::sync::{Arc, Mutex};

use export_model::{
    AdmittedRecord, CompiledSelectors, Facets, Kind, Position, Revisions, Sha256Digest, Source,
    Tenant,
};
use export_mongo::{MongoLedger, connect};
use export_ports::{Evidence as _, Scan};
use mongodb::bson::oid::ObjectId;
use mongodb::{Client, Database};

/// Databases that are removed when a test is over.
struct Server {
    client: Client,
    made: Mutex<Vec<Database>>,
}

impl Server {
    /// The server that tests are to use; without one, the test is skipped and says so.
    async fn given(what: &str) -> Option<Self> {
        let Ok(uri) = std::env::var("MONGODB_URI") else {
            println!("skipped: {what}: MONGODB_URI is not set");
            return None;
        };
        Some(Self {
            client: connect(&uri).await.unwrap(),
            made: Mutex::default(),
        })
    }

    /// An empty database.
    fn database(&self) -> Database {
        let name = format!("ledger_{}", ObjectId::new().to_hex());
        let database = self.client.database(&name);
        self.made.lock().unwrap().push(database.clone());
        database
    }

    /// An empty ledger.
    async fn fresh(&self) -> Arc<MongoLedger> {
        let ledger = MongoLedger::new(self.database());
        ledger.prepare().await.unwrap();
        Arc::new(ledger)
    }

    async fn clean(self) {
        for database in self.made.into_inner().unwrap() {
            database.drop().await.unwrap();
        }
    }
}

fn acme() -> Tenant {
    "acme".parse().unwrap()
}

/// A record of `acme` with `bytes` of content that its id decides.
fn record(kind: Kind, subject_key: &str, id: &str, bytes: usize) -> AdmittedRecord {
    let seed = Sha256Digest::of(id.as_bytes()).0;
    let canonical: Vec<u8> = seed.iter().copied().cycle().take(bytes).collect();
    AdmittedRecord {
        tenant: acme(),
        kind,
        position: Position {
            subject_key: subject_key.to_owned(),
            id: id.to_owned(),
        },
        source: Source {
            vendor: "vendor".into(),
            stream: "stream".into(),
        },
        upstream_id: id.to_owned(),
        content_hash: Sha256Digest::of(&canonical),
        modified: None,
        facets: Facets::default(),
        policy_snapshot_id: None,
        record_sha256: Sha256Digest::of(&canonical),
        canonical,
    }
}

/// Everything of `kind` that is visible now.
async fn scan(ledger: &MongoLedger, kind: Kind) -> Scan {
    Scan {
        tenant: acme(),
        kind,
        watermark: ledger.watermark(&acme()).await.unwrap(),
        revisions: Revisions::Newest,
        selectors: CompiledSelectors::default(),
        policy_snapshot_id: None,
    }
}

async fn ids(ledger: &MongoLedger, scan: &Scan) -> Vec<String> {
    let lines = ledger.index(scan, None, usize::MAX).await.unwrap();
    lines.into_iter().map(|line| line.position.id).collect()
}
