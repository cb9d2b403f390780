//! The suite of the policy engine's port, for one that can be filled.

use std::sync::Arc;

use export_model::{AdmittedRecord, Kind, PolicySnapshot, Sha256Digest};

use super::evidence::{append, ids, record, scan};
use super::{assert_kind, at, tenant};
use crate::{LedgerWriter, PolicyEngine, PolicyWriter, PortErrorKind, Scan};

/// Checks a backend of the policy engine's port.
///
/// # Panics
/// Where it does not keep a promise.
pub async fn policy<S: PolicyEngine + PolicyWriter + LedgerWriter>(
    fresh: impl AsyncFn() -> Arc<S>,
) {
    snapshots(&*fresh().await).await;
    findings_belong_to_snapshots(&*fresh().await).await;
    frozen_snapshots(&*fresh().await).await;
}

fn snapshot(owner: &str, id: &str, seconds: i64) -> PolicySnapshot {
    PolicySnapshot {
        created_at: at(seconds),
        inputs_hash: Sha256Digest::of(id.as_bytes()),
        name: format!("snapshot {id}"),
        policy_snapshot_id: id.to_owned(),
        policy_version: "1.2.3".to_owned(),
        tenant: tenant(owner),
    }
}

fn finding(snapshot: &str, id: &str) -> AdmittedRecord {
    AdmittedRecord {
        policy_snapshot_id: Some(snapshot.to_owned()),
        ..record(Kind::Finding, "pkg:npm/a", id)
    }
}

async fn snapshots<S: PolicyEngine + PolicyWriter + LedgerWriter>(store: &S) {
    let acme = tenant("acme");
    assert_eq!(store.snapshot(&acme, None).await.unwrap(), None);
    // The newest by its own time, then by its id, whatever came first.
    for (id, seconds) in [("b", 20), ("c", 20), ("a", 30), ("d", 10), ("z", 30)] {
        let one = snapshot("acme", id, seconds);
        assert!(store.add_snapshot(&one).await.unwrap(), "{id} is new");
        assert!(!store.add_snapshot(&one).await.unwrap(), "{id} is known");
    }
    store
        .add_snapshot(&snapshot("globex", "b", 99))
        .await
        .unwrap();
    let newest = store.snapshot(&acme, None).await.unwrap();
    assert_eq!(newest, Some(snapshot("acme", "z", 30)));
    let named = store.snapshot(&acme, Some("b")).await.unwrap();
    assert_eq!(named, Some(snapshot("acme", "b", 20)));
    assert_eq!(store.snapshot(&acme, Some("x")).await.unwrap(), None);
    let none = store.snapshot(&tenant("other"), Some("b")).await.unwrap();
    assert_eq!(none, None);
    let mut other = snapshot("acme", "b", 20);
    other.policy_version = "2".to_owned();
    assert_kind(
        store.add_snapshot(&other).await,
        PortErrorKind::AlreadyExists,
        "another snapshot with the same id",
    );
    let listed = store.stats().await.unwrap().snapshots;
    let listed: Vec<_> = listed
        .iter()
        .map(|(t, id, _)| (t.as_str(), id.as_str()))
        .collect();
    assert_eq!(
        listed,
        [
            ("acme", "a"),
            ("acme", "b"),
            ("acme", "c"),
            ("acme", "d"),
            ("acme", "z"),
            ("globex", "b")
        ]
    );
}

async fn findings_belong_to_snapshots<S: PolicyEngine + PolicyWriter + LedgerWriter>(store: &S) {
    // Findings may come before their snapshot does.
    append(
        store,
        &[
            finding("p1", "f1"),
            finding("p2", "f2"),
            finding("p1", "f3"),
        ],
    )
    .await;
    let none = store.snapshot(&tenant("acme"), Some("p1")).await.unwrap();
    assert_eq!(none, None, "findings alone make no snapshot");
    assert!(
        store
            .add_snapshot(&snapshot("acme", "p1", 1))
            .await
            .unwrap()
    );
    let of = async |snapshot: &str| {
        let scan = Scan {
            policy_snapshot_id: Some(snapshot.to_owned()),
            ..scan(store, Kind::Finding).await
        };
        ids(store, &scan).await
    };
    assert_eq!(of("p1").await, ["f1", "f3"]);
    assert_eq!(of("p2").await, ["f2"]);
    assert_eq!(of("p3").await, [""; 0]);
}

async fn frozen_snapshots<S: PolicyEngine + PolicyWriter + LedgerWriter>(store: &S) {
    let acme = tenant("acme");
    assert_kind(
        store.freeze(&acme, "p1").await,
        PortErrorKind::NotFound,
        "freezing what is not there",
    );
    store
        .add_snapshot(&snapshot("acme", "p1", 1))
        .await
        .unwrap();
    store
        .add_snapshot(&snapshot("globex", "p1", 1))
        .await
        .unwrap();
    append(store, &[finding("p1", "f1")]).await;
    store.freeze(&acme, "p1").await.unwrap();
    store.freeze(&acme, "p1").await.unwrap();
    let before = scan(store, Kind::Finding).await.watermark;
    let batch = vec![finding("p2", "f2"), finding("p1", "f3")];
    let error = store.append(batch, at(1)).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Frozen);
    let text = error.to_string();
    assert!(text.contains("f3") && text.contains("p1"), "{text}");
    let after = scan(store, Kind::Finding).await;
    assert_eq!(after.watermark, before, "all of a batch or nothing");
    assert_eq!(ids(store, &after).await, ["f1"]);
    let again = append(store, &[finding("p1", "f1"), finding("p2", "f2")]).await;
    assert_eq!(
        (again.present, again.added),
        (1, 1),
        "what it has may come again"
    );
    assert!(
        !store
            .add_snapshot(&snapshot("acme", "p1", 1))
            .await
            .unwrap(),
        "and so may the snapshot itself"
    );
    // Another tenant's snapshot of the same name is not frozen.
    let mut theirs = finding("p1", "f9");
    theirs.tenant = tenant("globex");
    assert_eq!(append(store, &[theirs]).await.added, 1);
    let frozen = store.stats().await.unwrap().snapshots;
    let frozen: Vec<_> = frozen
        .iter()
        .map(|(t, id, f)| (t.as_str(), id.as_str(), *f))
        .collect();
    assert_eq!(frozen, [("acme", "p1", true), ("globex", "p1", false)]);
}
