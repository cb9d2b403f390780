//! Several who append, prepare and freeze at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use export_model::{Kind, PolicySnapshot, Sha256Digest, Timestamp};
use export_mongo::MongoLedger;
use export_ports::{
    BatchImporter, Evidence as _, Import, Importer as _, LedgerWriter as _, PolicyEngine as _,
    PolicyWriter as _, PortErrorKind,
};

use super::{Server, acme, ids, record, scan};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_may_prepare_one_database() {
    let Some(server) = Server::given("preparing a database").await else {
        return;
    };
    let database = server.database();
    let before = MongoLedger::new(database.clone());
    let error = before.watermark(&acme()).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::NotFound, "{error}");
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let ledger = MongoLedger::new(database.clone());
            tokio::spawn(async move { ledger.prepare().await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let list = vec![record(Kind::Vex, "s", "1", 10)];
    before.append(list, Timestamp(1)).await.unwrap();
    before.prepare().await.unwrap();
    assert_eq!(before.watermark(&acme()).await.unwrap(), 1, "and again");
    server.clean().await;
}

/// Two processes (two ledgers: appends of one queue in it) append; a third one looks on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_are_given_out_in_the_order_of_commits() {
    const APPENDS: usize = 20;
    let Some(server) = Server::given("two who append").await else {
        return;
    };
    let database = server.database();
    let reader = Arc::new(MongoLedger::new(database.clone()));
    reader.prepare().await.unwrap();
    let writers: Vec<_> = (0..2)
        .map(|writer| {
            let ledger = MongoLedger::new(database.clone());
            tokio::spawn(async move {
                for number in 0..APPENDS {
                    let batch = (0..3).map(|n| {
                        // One of each batch revises what the other writer writes.
                        let id = format!("{writer}-{number:03}-{n}");
                        let mut record = record(Kind::Vex, &format!("{n}"), &id, 20);
                        if n == 0 {
                            record.upstream_id = "shared".to_owned();
                            record.modified = Some(Timestamp(number as i64));
                        }
                        record
                    });
                    let appended = ledger.append(batch.collect(), Timestamp(1)).await.unwrap();
                    assert_eq!(appended.added, 3);
                }
            })
        })
        .collect();
    let is_over = Arc::new(AtomicBool::new(false));
    let watching = {
        let (reader, is_over) = (Arc::clone(&reader), Arc::clone(&is_over));
        tokio::spawn(async move {
            let (mut newest, mut looks) = (0, 0);
            while !is_over.load(Ordering::Relaxed) {
                let scan = scan(&reader, Kind::Vex).await;
                assert!(scan.watermark >= newest, "never backwards");
                assert_eq!(scan.watermark % 3, 0, "whole batches only");
                newest = scan.watermark;
                let all = export_ports::Scan {
                    revisions: export_model::Revisions::All,
                    ..scan.clone()
                };
                let seen = ids(&reader, &all).await.len() as u64;
                assert_eq!(seen, newest, "no number below the watermark is missing");
                looks += 1;
            }
            looks
        })
    };
    for writer in writers {
        writer.await.unwrap();
    }
    is_over.store(true, Ordering::Relaxed);
    assert!(watching.await.unwrap() > 0);
    let end = scan(&reader, Kind::Vex).await;
    assert_eq!(end.watermark, (2 * APPENDS * 3) as u64);
    // All of "shared" but one are superseded.
    assert_eq!(ids(&reader, &end).await.len(), 2 * APPENDS * 2 + 1);
    server.clean().await;
}

/// Each batch is an append: what came before a bad one stays, and the same import adds the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imports_go_on_where_they_stopped() {
    let Some(server) = Server::given("imports").await else {
        return;
    };
    let ledger = server.fresh().await;
    let importer = BatchImporter(Arc::clone(&ledger));
    assert!(!importer.is_atomic());
    let batch = |ids: &[&str]| Import::Batch {
        records: ids
            .iter()
            .map(|id| record(Kind::Vex, "s", id, 20))
            .collect(),
        snapshots: Vec::new(),
    };
    let import = async |what: Vec<Import>| {
        let (sender, receiver) = mpsc::channel();
        for batch in what {
            sender.send(batch).unwrap();
        }
        drop(sender);
        importer.import(receiver, Timestamp(1)).await
    };
    let mut taken = record(Kind::Vex, "s", "1", 30);
    taken.upstream_id = "other".to_owned();
    let bad = Import::Batch {
        records: vec![record(Kind::Vex, "s", "3", 20), taken],
        snapshots: Vec::new(),
    };
    let refused = import(vec![batch(&["1", "2"]), bad, Import::Commit]).await;
    assert_eq!(refused.unwrap_err().kind(), PortErrorKind::AlreadyExists);
    assert_eq!(ledger.watermark(&acme()).await.unwrap(), 2);
    let given_up = import(vec![batch(&["1", "2"]), batch(&["3"])]).await;
    assert_eq!(given_up.unwrap(), None, "nobody said that this was all");
    let again = vec![batch(&["1", "2"]), batch(&["3", "4"]), Import::Commit];
    let records = import(again).await.unwrap().unwrap().records;
    assert_eq!((records.added, records.present), (1, 3));
    server.clean().await;
}

/// Whoever freezes a snapshot knows all of its findings from then on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn freezing_and_appending_do_not_miss_each_other() {
    let Some(server) = Server::given("freezing while findings are added").await else {
        return;
    };
    let ledger = server.fresh().await;
    for round in 0..10 {
        let id = format!("p{round}");
        let snapshot = PolicySnapshot {
            created_at: Timestamp(round),
            inputs_hash: Sha256Digest::of(b"inputs"),
            name: id.clone(),
            policy_snapshot_id: id.clone(),
            policy_version: "1".to_owned(),
            tenant: acme(),
        };
        ledger.add_snapshot(&snapshot).await.unwrap();
        let adding = {
            let (ledger, id) = (Arc::clone(&ledger), id.clone());
            tokio::spawn(async move {
                for number in 0..1_000 {
                    let name = format!("{id}-{number:04}");
                    let mut finding = record(Kind::Finding, "s", &name, 20);
                    finding.policy_snapshot_id = Some(id.clone());
                    if let Err(error) = ledger.append(vec![finding], Timestamp(1)).await {
                        assert_eq!(error.kind(), PortErrorKind::Frozen, "{error}");
                        return number;
                    }
                }
                1_000
            })
        };
        let of = async || {
            let scan = export_ports::Scan {
                policy_snapshot_id: Some(id.clone()),
                ..scan(&ledger, Kind::Finding).await
            };
            ids(&ledger, &scan).await.len()
        };
        while of().await <= round as usize % 3 {
            assert!(!adding.is_finished());
        }
        ledger.freeze(&acme(), &id).await.unwrap();
        let frozen = of().await;
        assert_eq!(adding.await.unwrap(), frozen, "what was answered is there");
        assert_eq!(of().await, frozen, "and nothing came after");
    }
    server.clean().await;
}
