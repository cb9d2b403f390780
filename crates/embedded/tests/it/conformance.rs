//! The ports' conformance suites, on the embedded backends.

use std::sync::Arc;
use std::time::Duration;

use export_embedded::{Home, SqliteGate};
use export_ports::MAX_RECEIVES;
use export_ports::conformance::{self, QueueLimits};
use export_ports::{Gate, Objects, Queue, State};
use tempfile::TempDir;

/// Homes that live as long as a test.
struct Homes {
    folder: TempDir,
}

impl Homes {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn fresh(&self) -> Home {
        let path = tempfile::tempdir_in(self.folder.path()).unwrap().keep();
        Home::open(&path.join("home")).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state() {
    let homes = Homes::new();
    conformance::state(async || homes.fresh().state() as Arc<dyn State>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gate() {
    let homes = Homes::new();
    conformance::gate(async || {
        let home = homes.fresh();
        let other = SqliteGate::open(&home.path().join("gate.db")).unwrap();
        (
            home.gate() as Arc<dyn Gate>,
            Arc::new(other) as Arc<dyn Gate>,
        )
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects() {
    let homes = Homes::new();
    conformance::objects(async || homes.fresh().objects() as Arc<dyn Objects>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queue() {
    let homes = Homes::new();
    let limits = QueueLimits {
        shortest: Duration::from_millis(20),
        max_receives: MAX_RECEIVES,
        stale_receipts_refused: true,
    };
    conformance::queue(limits, async || homes.fresh().queue() as Arc<dyn Queue>).await;
    // Well below the time between two looks for other processes' messages.
    conformance::queue_wakes(&*homes.fresh().queue(), Duration::from_millis(50)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence() {
    let homes = Homes::new();
    conformance::evidence(async || homes.fresh().ledger()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policy() {
    let homes = Homes::new();
    conformance::policy(async || homes.fresh().ledger()).await;
}
