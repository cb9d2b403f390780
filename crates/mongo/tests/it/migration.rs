//! Migrating, by one and by many, and what comes of a database that was not.

use export_mongo::{check, migrate};
use export_ports::{PortErrorKind, State as _};
use futures_util::future::join_all;
use mongodb::bson::{Document, doc};

use crate::server::{on_server, state, tenant};

const COLLECTIONS: [&str; 12] = [
    "export_distributions",
    "export_events",
    "export_inputs",
    "export_marks",
    "export_migrations",
    "export_profiles",
    "export_proofs",
    "export_requests",
    "export_runs",
    "export_schedules",
    "export_slots",
    "export_work",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_and_again() {
    on_server("migrations at once", async |server| {
        let database = server.empty();
        // Connections of their own, as processes have.
        let mut others = Vec::new();
        for _ in 0..4 {
            let client = export_mongo::connect(&server.uri).await.unwrap();
            others.push(client.database(database.name()));
        }
        for outcome in join_all(others.iter().map(migrate)).await {
            outcome.unwrap();
        }
        check(&database).await.unwrap();
        let mut names = database.list_collection_names().await.unwrap();
        names.sort();
        let (ledger, state): (Vec<_>, Vec<_>) =
            names.iter().partition(|name| name.starts_with("ledger_"));
        assert_eq!(state, COLLECTIONS);
        for wanted in ["ledger_entries", "ledger_bodies", "ledger_counters"] {
            assert!(ledger.iter().any(|name| *name == wanted), "{ledger:?}");
        }
        let indexes = database
            .collection::<Document>("export_work")
            .list_index_names()
            .await
            .unwrap();
        assert_eq!(indexes, ["_id_", "by_due", "leased"]);
        migrate(&database).await.unwrap();
        // One that died before it could say that it was done.
        database
            .collection::<Document>("export_migrations")
            .delete_one(doc! {})
            .await
            .unwrap();
        migrate(&database).await.unwrap();
        check(&database).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_or_older_database_is_refused() {
    on_server("versions of the database", async |server| {
        let database = server.empty();
        let store = state(&database);
        let error = store.slots(&tenant("acme")).await.unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Unavailable);
        assert!(error.to_string().contains("migrate"), "{error}");
        migrate(&database).await.unwrap();
        // Found without a restart, and then not asked for again.
        assert_eq!(store.slots(&tenant("acme")).await.unwrap(), None);

        let versions = database.collection::<Document>("export_migrations");
        let newer = doc! { "$set": { "version": 1_000_i64 } };
        versions.update_one(doc! {}, newer).await.unwrap();
        let error = state(&database).slots(&tenant("acme")).await.unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Newer);
        assert!(error.to_string().contains("1000"), "{error}");
        for outcome in [migrate(&database).await, store.ping().await] {
            assert_eq!(outcome.unwrap_err().kind(), PortErrorKind::Newer);
        }
        let kept = versions.find_one(doc! {}).await.unwrap().unwrap();
        assert_eq!(
            kept.get_i64("version").unwrap(),
            1_000,
            "it is left as it is"
        );

        let broken = doc! { "$set": { "version": "one" } };
        versions.update_one(doc! {}, broken).await.unwrap();
        let error = store.ping().await.unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Damaged);
        assert!(error.to_string().contains("export_migrations"), "{error}");
    })
    .await;
}
