//! The ports' conformance suites, on a server.

use std::sync::Arc;

use export_mongo::MongoGate;
use export_ports::conformance;
use export_ports::{Gate, State};
use mongodb::bson::doc;

use crate::server::{on_server, state as state_in};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state() {
    on_server("conformance of run state", async |server| {
        conformance::state(async || {
            let database = server.fresh().await;
            // The suite counts marks that expired in 1970; the server must not come first.
            let never = doc! { "name": "expiring", "expireAfterSeconds": i64::from(i32::MAX) };
            let change = doc! { "collMod": "export_marks", "index": never };
            database.run_command(change).await.unwrap();
            Arc::new(state_in(&database)) as Arc<dyn State>
        })
        .await;
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
