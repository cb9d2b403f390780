//! `exportctl ledger serve` as a process: read by the client that hosts use.

use std::sync::Arc;
use std::time::Duration;

use export_evidence_http::{ClientSettings, FileToken, HttpLedger};
use export_host::{RandomIds, SystemClock};
use export_model::{CompiledSelectors, Kind, Revisions, Tenant};
use export_ports::{Evidence as _, PageBudget, PortErrorKind, RecordPage, Scan};

use crate::support::{Served, World};

fn client(served: &Served<'_>, url: &str) -> HttpLedger {
    let tokens = FileToken::new(served.credentials().to_str().unwrap());
    let settings = ClientSettings {
        patience: Duration::from_secs(30),
        ..ClientSettings::new(url)
    };
    let ids = Arc::new(RandomIds::new("test").unwrap());
    HttpLedger::new(&settings, Arc::new(tokens), Arc::new(SystemClock), ids).unwrap()
}

fn scan(owner: &str, kind: Kind, watermark: u64) -> Scan {
    Scan {
        tenant: owner.parse().unwrap(),
        kind,
        watermark,
        revisions: Revisions::Newest,
        selectors: CompiledSelectors::default(),
        policy_snapshot_id: None,
    }
}

#[test]
fn a_served_ledger_is_read_with_a_login() {
    let world = World::new();
    let made = world.run([
        "ledger",
        "generate",
        "--records",
        "500",
        "--seed",
        "1",
        "--tenant",
        "acme",
    ]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let served = Served::ledger(&world, "127.0.0.1:0", &[]);
    let login = served.login("acme");
    assert_eq!(
        login["scopes"],
        serde_json::json!(["evidence:read", "evidence:freeze"])
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let ledger = client(&served, &served.url);
        let acme: Tenant = "acme".parse().unwrap();
        let watermark = ledger.watermark(&acme).await.unwrap();
        let mut records = 0;
        for kind in Kind::ALL {
            let scan = scan("acme", kind, watermark);
            let lines = ledger.index(&scan, None, usize::MAX).await.unwrap();
            let Some((first, last)) = lines.first().zip(lines.last()) else {
                continue;
            };
            let (mut after, mut spare) = (None, RecordPage::default());
            let mut read = 0;
            loop {
                let budget = PageBudget {
                    records: 50,
                    bytes: 1 << 20,
                };
                let (first, last) = (&first.position, &last.position);
                let page = ledger
                    .records(&scan, first, last, after.as_ref(), budget, spare)
                    .await
                    .unwrap();
                let Some(next) = page.last() else { break };
                read += page.records.len();
                (after, spare) = (Some(next), page);
            }
            assert_eq!(read, lines.len(), "{kind}");
            records += read;
        }
        assert!(records > 100, "{records}");
        let other = scan("globex", Kind::Vex, watermark);
        let error = ledger.index(&other, None, 1).await.unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Invalid, "{error}");
    });
}

#[test]
fn a_ledger_is_not_served_to_everybody_by_a_dev_authority() {
    let world = World::new();
    let ran = world.run(["ledger", "serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("--jwks"), "{}", ran.stderr);
}

#[test]
fn a_process_that_is_killed_and_started_again_is_read_on() {
    let world = World::new();
    let made = world.run([
        "ledger",
        "generate",
        "--records",
        "2000",
        "--seed",
        "1",
        "--tenant",
        "acme",
    ]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let served = Served::ledger(&world, "127.0.0.1:0", &[]);
    let listen = served.listen.to_string();
    served.login("acme");
    let ledger = client(&served, &served.url);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let scan = scan("acme", Kind::Advisory, u64::MAX);
    let lines = runtime
        .block_on(ledger.index(&scan, None, usize::MAX))
        .unwrap();
    let reading = runtime.spawn(async move {
        let (first, last) = (&lines[0].position, &lines[lines.len() - 1].position);
        let mut read = Vec::new();
        let (mut after, mut spare) = (None, RecordPage::default());
        loop {
            let budget = PageBudget {
                records: 5,
                bytes: 1 << 20,
            };
            let page = ledger
                .records(&scan, first, last, after.as_ref(), budget, spare)
                .await
                .unwrap();
            let Some(next) = page.last() else { break };
            read.extend(page.records.iter().map(|record| record.record_sha256));
            (after, spare) = (Some(next), page);
        }
        let expected: Vec<_> = lines.iter().map(|line| line.record_sha256).collect();
        (read, expected)
    });
    let mut last = served;
    for _ in 0..5 {
        drop(last);
        last = Served::ledger(&world, &listen, &[]);
    }
    let (read, expected) = runtime.block_on(reading).unwrap();
    assert!(read == expected, "{} of {}", read.len(), expected.len());
    assert!(read.len() > 500, "{}", read.len());
}
