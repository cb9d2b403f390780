//! Imports of many batches: all of it or nothing.

use std::sync::mpsc;

use export_embedded::Home;
use export_model::Timestamp;
use export_ports::{Evidence as _, Import, Importer as _, LedgerWriter as _, PortErrorKind};

use crate::home::{key, record};

fn batches(numbers: &[usize]) -> Import {
    Import::Batch {
        records: numbers.iter().map(|number| record(*number, 100)).collect(),
        snapshots: Vec::new(),
    }
}

#[tokio::test]
async fn all_batches_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Home::open(folder.path()).unwrap().ledger();
    let import = async |what: Vec<Import>| {
        let (sender, receiver) = mpsc::channel();
        for batch in what {
            sender.send(batch).unwrap();
        }
        drop(sender);
        ledger.import(receiver, Timestamp(1)).await
    };
    let given_up = import(vec![batches(&[1, 2]), batches(&[3])]).await;
    assert_eq!(given_up.unwrap(), None, "nobody said that this was all");
    let mut bad = record(1, 100);
    bad.canonical[50] = b'y';
    bad.content_hash = export_model::Sha256Digest::of(&bad.canonical);
    bad.upstream_id = "other".to_owned();
    let bad = Import::Batch {
        records: vec![bad],
        snapshots: Vec::new(),
    };
    let refused = import(vec![batches(&[1, 2]), bad, Import::Commit]).await;
    assert_eq!(refused.unwrap_err().kind(), PortErrorKind::AlreadyExists);
    let tenant = key().tenant;
    assert_eq!(ledger.watermark(&tenant).await.unwrap(), 0);
    assert_eq!(ledger.stats().await.unwrap().sources, []);

    let good = import(vec![batches(&[2, 1]), batches(&[3, 1]), Import::Commit]).await;
    let records = good.unwrap().unwrap().records;
    assert_eq!((records.added, records.present), (3, 1));
    assert_eq!(ledger.watermark(&tenant).await.unwrap(), 3);
}
