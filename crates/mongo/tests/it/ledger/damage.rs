//! Documents that somebody changed behind our back.

use export_model::{Kind, PolicySnapshot, Sha256Digest, Timestamp};
use export_ports::{
    Evidence as _, LedgerWriter as _, PageBudget, PolicyEngine as _, PolicyWriter as _, PortError,
    PortErrorKind, RecordPage,
};
use mongodb::Database;
use mongodb::bson::{Document, doc};

use super::{Server, acme, record, scan};

async fn change(database: &Database, collection: &str, filter: Document, change: Document) {
    let changed = database
        .collection::<Document>(collection)
        .update_one(filter, change)
        .bypass_document_validation(true)
        .await
        .unwrap();
    assert_eq!(changed.matched_count, 1);
}

fn assert_damaged<T: std::fmt::Debug>(outcome: Result<T, PortError>, names: &[&str]) {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Damaged, "{error}");
    let text = error.to_string();
    assert!(names.iter().all(|name| text.contains(name)), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_is_named() {
    let Some(server) = Server::given("damaged documents").await else {
        return;
    };
    let ledger = server.fresh().await;
    let database = server.made.lock().unwrap()[0].clone();
    let list: Vec<_> = ["1", "2", "3"]
        .map(|id| record(Kind::Vex, "s", id, 20))
        .into();
    ledger.append(list.clone(), Timestamp(1)).await.unwrap();
    let scan = scan(&ledger, Kind::Vex).await;
    let read = async || {
        let budget = PageBudget {
            records: 10,
            bytes: 1 << 20,
        };
        let (first, last) = (&list[0].position, &list[2].position);
        ledger
            .records(&scan, first, last, None, budget, RecordPage::default())
            .await
    };
    assert_eq!(read().await.unwrap().records.len(), 3);

    let third = doc! { "_id": 3_i64 };
    change(
        &database,
        "ledger_bodies",
        third.clone(),
        doc! { "$set": { "bytes": "text" } },
    )
    .await;
    assert_damaged(read().await, &["3 of ledger_bodies"]);
    let bodies = database.collection::<Document>("ledger_bodies");
    bodies.delete_one(third).await.unwrap();
    assert_damaged(read().await, &["3 of ledger_bodies"]);
    let short = doc! { "_id": 2_i64 };
    change(
        &database,
        "ledger_bodies",
        short.clone(),
        doc! { "$set": { "bytes": mongodb::bson::Binary {
            subtype: mongodb::bson::spec::BinarySubtype::Generic, bytes: vec![0; 19],
        } } },
    )
    .await;
    assert_damaged(read().await, &["2 of ledger_bodies"]);

    for (member, value) in [
        ("size", mongodb::bson::Bson::Int64(i64::MAX)),
        ("size", mongodb::bson::Bson::String("20".into())),
        ("sha256", mongodb::bson::Bson::Null),
    ] {
        change(
            &database,
            "ledger_entries",
            short.clone(),
            doc! { "$set": { member: value } },
        )
        .await;
        assert_damaged(
            ledger.index(&scan, None, 10).await,
            &["2 of ledger_entries"],
        );
        assert_damaged(read().await, &["2 of ledger_entries"]);
    }

    let snapshot = PolicySnapshot {
        created_at: Timestamp(1),
        inputs_hash: Sha256Digest::of(b"inputs"),
        name: "p".to_owned(),
        policy_snapshot_id: "p".to_owned(),
        policy_version: "1".to_owned(),
        tenant: acme(),
    };
    ledger.add_snapshot(&snapshot).await.unwrap();
    change(
        &database,
        "ledger_snapshots",
        doc! { "_id": "acme/p" },
        doc! { "$set": { "json": "{}" } },
    )
    .await;
    assert_damaged(
        ledger.snapshot(&acme(), None).await,
        &["acme/p", "ledger_snapshots"],
    );

    change(
        &database,
        "ledger_counters",
        doc! { "_id": "ledger" },
        doc! { "$set": { "seq": "three" } },
    )
    .await;
    let names = ["ledger of ledger_counters"];
    assert_damaged(ledger.watermark(&acme()).await, &names);
    let new = vec![record(Kind::Vex, "s", "4", 20)];
    assert_damaged(ledger.append(new, Timestamp(1)).await, &names);
    server.clean().await;
}

/// The validators refuse what the ledger never writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn validators_refuse_what_is_no_ledger() {
    let Some(server) = Server::given("validators").await else {
        return;
    };
    let ledger = server.fresh().await;
    let database = server.made.lock().unwrap()[0].clone();
    let list = vec![record(Kind::Vex, "s", "1", 20)];
    ledger.append(list, Timestamp(1)).await.unwrap();
    for (collection, document) in [
        ("ledger_entries", doc! { "_id": 9_i64, "tenant": "acme" }),
        ("ledger_bodies", doc! { "_id": 9_i64 }),
        ("ledger_bodies", doc! { "_id": 9_i64, "bytes": "text" }),
        (
            "ledger_snapshots",
            doc! { "_id": "acme/p", "tenant": "acme" },
        ),
        ("ledger_commits", doc! { "_id": 9_i64, "at": 1_i64 }),
        ("ledger_counters", doc! { "_id": "other" }),
    ] {
        let inserted = database
            .collection::<Document>(collection)
            .insert_one(&document)
            .await;
        assert!(inserted.is_err(), "{document} in {collection}");
    }
    server.clean().await;
}
