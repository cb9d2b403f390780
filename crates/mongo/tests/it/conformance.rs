//! The ports' conformance suites, on a server.

use std::sync::Arc;

use export_mongo::MongoGate;
use export_ports::conformance;
use export_ports::{Gate, State};

use crate::server::on_server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state() {
    on_server("conformance of run state", async |server| {
        conformance::state(async || server.state().await as Arc<dyn State>).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gate() {
    on_server("conformance of the gate", async |server| {
        conformance::gate(async || {
            let database = server.fresh().await;
            let other = database.clone();
            (
                Arc::new(MongoGate::new(database)) as Arc<dyn Gate>,
                Arc::new(MongoGate::new(other)) as Arc<dyn Gate>,
            )
        })
        .await;
    })
    .await;
}
