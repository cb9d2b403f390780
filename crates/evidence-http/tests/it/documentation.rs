//! The examples of the contract's page are what the server really says.

use std::path::Path;

use export_model::{AdmittedRecord, Kind, PolicySnapshot, Position, Sha256Digest, Timestamp};
use export_ports::{LedgerWriter as _, PolicyWriter as _};

use crate::support::raw::ask;
use crate::support::{World, record, tenant};

/// Requests of the page, and what it says they are answered with.
fn examples() -> Vec<(String, String)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/evidence-http.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut blocks = page.split("```").skip(1).step_by(2);
    let mut examples = Vec::new();
    while let Some(block) = blocks.next() {
        if let Some(request) = block.strip_prefix("\nGET ") {
            let answer = blocks.next().unwrap().strip_prefix("json\n").unwrap();
            examples.push((request.trim().to_owned(), answer.to_owned()));
        }
    }
    examples
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_examples_are_true() {
    let world = World::new();
    let ledger = world.home.ledger();
    let canonical = b"{\"_id\":\"a1\"}".to_vec();
    let vex = AdmittedRecord {
        position: Position {
            subject_key: "pkg:npm/a".to_owned(),
            id: "a1".to_owned(),
        },
        record_sha256: Sha256Digest::of(&canonical),
        canonical,
        ..record(0)
    };
    let sbom = |owner: &str, id: &str| AdmittedRecord {
        tenant: tenant(owner),
        kind: Kind::Sbom,
        position: Position {
            subject_key: "app".to_owned(),
            id: id.to_owned(),
        },
        upstream_id: id.to_owned(),
        ..record(1)
    };
    for record in [vex, sbom("acme", "sbom-1"), sbom("globex", "sbom-2")] {
        ledger.append(vec![record], Timestamp(0)).await.unwrap();
    }
    let snapshot = PolicySnapshot {
        created_at: "2026-11-01T00:00:00Z".parse().unwrap(),
        inputs_hash: Sha256Digest::of(b""),
        name: "Nightly".to_owned(),
        policy_snapshot_id: "p-1".to_owned(),
        policy_version: "1.2.3".to_owned(),
        tenant: tenant("acme"),
    };
    ledger.add_snapshot(&snapshot).await.unwrap();
    let served = world.serve(None).await;
    let examples = examples();
    assert_eq!(examples.len(), 6);
    for (target, expected) in examples {
        let (status, answer) = ask(&world, &served, ("GET", &target), "", "").await;
        assert_eq!(status, 200, "{target}: {answer}");
        assert_eq!(answer.trim_end(), expected.trim_end(), "{target}");
    }
}
