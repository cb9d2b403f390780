//! How fast the ledger appends, walks and reads: `cargo run --release --example ledger_speed [RECORDS]`.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::time::Instant;

use export_embedded::EmbeddedLedger;
use export_model::{
    AdmittedRecord, CompiledSelectors, Criteria, Facets, Kind, Position, Revisions, Sha256Digest,
    Source, Tenant, Timestamp,
};
use export_ports::{Evidence as _, LedgerWriter as _, PageBudget, Scan};

const BATCH: u64 = 2_000;

fn record(tenant: &Tenant, number: u64, size: usize) -> AdmittedRecord {
    let id = format!("advisory:example:stream:upstream-{number:08}:revision");
    let mut canonical = vec![b'x'; size];
    canonical[..8].copy_from_slice(&number.to_be_bytes());
    let digest = Sha256Digest::of(&canonical);
    AdmittedRecord {
        tenant: tenant.clone(),
        kind: Kind::Advisory,
        position: Position {
            subject_key: format!("GHSA-{:08}", number),
            id,
        },
        source: Source {
            vendor: "example".into(),
            stream: "stream".into(),
        },
        upstream_id: format!("upstream-{number:08}"),
        content_hash: digest,
        modified: Some(Timestamp(1)),
        facets: Facets {
            ecosystems: vec!["npm".into()],
            products: vec![
                format!("pkg:npm/package-{}", number % 10_000),
                format!("pkg:npm/other-{}", number % 777),
            ],
            sbom_subjects: vec![],
            identifiers: vec![format!("CVE-{number}"), format!("GHSA-{number}")],
            recorded_at: Some(Timestamp(5)),
        },
        policy_snapshot_id: None,
        record_sha256: digest,
        canonical,
    }
}

#[tokio::main]
async fn main() {
    let count: u64 = std::env::args()
        .nth(1)
        .map_or(300_000, |text| text.parse().unwrap());
    let size: usize = std::env::args()
        .nth(2)
        .map_or(3_000, |text| text.parse().unwrap());
    let shuffled = std::env::args().nth(3).is_some();
    let folder = tempfile::tempdir_in(std::env::current_dir().unwrap()).unwrap();
    let ledger = EmbeddedLedger::open(&folder.path().join("ledger.db")).unwrap();
    let tenant: Tenant = "acme".parse().unwrap();

    let mut busy = std::time::Duration::ZERO;
    for batch in 0..count.div_ceil(BATCH) {
        let records = (batch * BATCH..count.min((batch + 1) * BATCH))
            // An odd multiplier permutes the numbers below a power of two.
            .map(|n| {
                if shuffled {
                    n.wrapping_mul(0x9E37_79B1) % (1 << 27)
                } else {
                    n
                }
            })
            .map(|n| record(&tenant, n, size))
            .collect();
        let start = Instant::now();
        ledger.append(records, Timestamp(10)).await.unwrap();
        busy += start.elapsed();
    }
    let megabytes = (count as f64) * (size as f64) / 1e6;
    println!(
        "append: {count} records, {megabytes:.0} MB in {busy:.2?}: {:.0} MB/s, {:.0} records/s; file {:.0} MB",
        megabytes / busy.as_secs_f64(),
        count as f64 / busy.as_secs_f64(),
        std::fs::metadata(folder.path().join("ledger.db"))
            .unwrap()
            .len() as f64
            / 1e6
    );

    let mut scan = Scan {
        tenant: tenant.clone(),
        kind: Kind::Advisory,
        watermark: ledger.watermark(&tenant).await.unwrap(),
        revisions: Revisions::Newest,
        selectors: CompiledSelectors::default(),
        policy_snapshot_id: None,
    };
    let first_and_last = walk(&ledger, &scan, "all").await;
    for round in 0..2 {
        let start = Instant::now();
        let (mut bytes, mut records, mut after) = (0, 0, None);
        loop {
            let page = ledger
                .records(
                    &scan,
                    &first_and_last.0,
                    &first_and_last.1,
                    after.as_ref(),
                    PageBudget {
                        records: 10_000,
                        bytes: 8 << 20,
                    },
                    export_ports::RecordPage::default(),
                )
                .await
                .unwrap();
            let Some(last) = page.last() else { break };
            bytes += page.bytes.len();
            records += page.records.len();
            after = Some(last);
        }
        let took = start.elapsed();
        println!(
            "records, round {round}: {records} in {took:.2?}: {:.0} MB/s",
            bytes as f64 / 1e6 / took.as_secs_f64()
        );
    }
    scan.selectors.base = Criteria {
        identifiers: Some(vec!["CVE-77".into()]),
        ..Criteria::default()
    };
    walk(&ledger, &scan, "one identifier").await;
    scan.selectors.base = Criteria {
        ecosystems: Some(vec!["npm".into()]),
        ..Criteria::default()
    };
    walk(&ledger, &scan, "one ecosystem").await;
    let start = Instant::now();
    let stats = ledger.stats().await.unwrap();
    println!(
        "stats: {:?} in {:.2?}",
        stats.sources[0].records,
        start.elapsed()
    );
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!(
        "{}",
        status
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap()
    );
}

async fn walk(ledger: &EmbeddedLedger, scan: &Scan, what: &str) -> (Position, Position) {
    let start = Instant::now();
    let (mut lines, mut first, mut after) = (0, None, None);
    loop {
        let page = ledger.index(scan, after.as_ref(), 10_000).await.unwrap();
        lines += page.len();
        first = first.or_else(|| page.first().map(|line| line.position.clone()));
        let full = page.len() == 10_000;
        after = page.last().map(|line| line.position.clone()).or(after);
        if !full {
            break;
        }
    }
    let took = start.elapsed();
    println!(
        "index, {what}: {lines} lines in {took:.2?}: {:.0} lines/s",
        lines as f64 / took.as_secs_f64()
    );
    let first = first.unwrap();
    let last = after.unwrap();
    (first, last)
}
