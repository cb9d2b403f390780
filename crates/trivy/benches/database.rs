//! Time from sorted runs to `trivy.db` in its layer, of 100,000 advisories.
//!
//! `cargo bench -p export-trivy`. The advisories are generated, in the proportions of real ones: one
//! package has ten, a description has 1.5 KB.

use std::fs::File;
use std::hint::black_box;
use std::path::PathBuf;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use export_trivy::assemble_database;
use export_trivy::row::{
    Advisory, AdvisoryRow, AdvisoryValue, Cvss, DataSource, Detail, DetailRow, Rows,
};
use export_trivy::runs::{RUN_BUDGET_BYTES, RunWriter};

const BUCKETS: [(&str, &str); 4] = [
    ("pip", "pip::GitHub Security Advisory pip"),
    ("npm", "npm::GitHub Security Advisory npm"),
    ("maven", "maven::GitHub Security Advisory Maven"),
    ("go", "go::GitHub Security Advisory Go"),
];

fn record(number: u64) -> Rows {
    let (ecosystem, bucket) = BUCKETS[(number % 4) as usize];
    // Scattered, so that merging has something to do.
    let place = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    let id = format!("CVE-{}-{number:07}", 2000 + number % 25);
    let record = format!("tenant:advisory:osv:{number:016x}:{place:032x}");
    let advisory = AdvisoryRow {
        ecosystem: ecosystem.to_owned(),
        bucket: bucket.to_owned(),
        package: format!("package-{:05}", place % 10_000),
        id: id.clone(),
        data_source: DataSource {
            id: "ghsa".to_owned(),
            name: "GitHub Security Advisory".to_owned(),
            url: "https://github.com/advisories".to_owned(),
        },
        precedence: 10,
        record: record.clone(),
        value: AdvisoryValue::Plain(Advisory {
            vendor_ids: vec![format!("GHSA-{place:06x}-{number:06x}")],
            vulnerable_versions: vec![
                format!("<1.{}", place % 50),
                format!(">=2.0, <2.{}", place % 90),
            ],
            patched_versions: vec![format!("1.{}", place % 50), format!("2.{}", place % 90)],
            ..Advisory::default()
        }),
    };
    let vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N";
    let detail = DetailRow {
        id,
        precedence: 10,
        record,
        value: Detail {
            title: format!("Uncontrolled resource consumption in parser {number}"),
            description: format!("A crafted document {place} makes the parser use memory. ")
                .repeat(25),
            cwe_ids: ["CWE-400".to_owned()].into(),
            vendor_severity: [("ghsa".to_owned(), 1 + (number % 4) as u8)].into(),
            cvss: [(
                "ghsa".to_owned(),
                Cvss {
                    v3_vector: vector.to_owned(),
                    v3_score: Some(6.1),
                    ..Cvss::default()
                },
            )]
            .into(),
            references: (0..6)
                .map(|link| format!("https://example.org/project-{place}/commit/{link:040x}"))
                .collect(),
            published_date: Some("2023-05-01T00:00:00Z".to_owned()),
            last_modified_date: Some("2024-05-01T00:00:00Z".to_owned()),
            ..Detail::default()
        },
    };
    Rows {
        advisories: vec![advisory],
        details: vec![detail],
        modified: Some("2024-05-01T00:00:00Z".to_owned()),
        ..Rows::default()
    }
}

/// Runs of 25,000 records each.
fn runs(folder: &tempfile::TempDir, records: u64) -> std::io::Result<Vec<PathBuf>> {
    let failed = |error: export_trivy::TrivyError| std::io::Error::other(error.to_string());
    let mut paths = Vec::new();
    for part in 0..records.div_ceil(25_000) {
        let path = folder.path().join(format!("{part}.run"));
        let mut writer = RunWriter::new(File::create(&path)?, RUN_BUDGET_BYTES).map_err(failed)?;
        for number in part * 25_000..records.min((part + 1) * 25_000) {
            writer.push(record(number)).map_err(failed)?;
        }
        writer.finish().map_err(failed)?;
        paths.push(path);
    }
    Ok(paths)
}

fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[allow(clippy::expect_used, clippy::print_stdout)]
fn database(c: &mut Criterion) {
    let records = std::env::var("ADVISORIES")
        .ok()
        .and_then(|number| number.parse().ok())
        .unwrap_or(100_000);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let paths = runs(&folder, records).expect("runs");
    let mut group = c.benchmark_group("database");
    group.sample_size(10);
    group.throughput(Throughput::Elements(records));
    group.bench_function("runs to layer", |b| {
        b.iter(|| {
            let scratch = tempfile::tempdir().expect("a temporary folder");
            black_box(assemble_database(&paths, scratch.path(), &|| true)).expect("a database");
        });
    });
    group.finish();
    if let Some(peak) = peak_kib() {
        println!("peak memory of {records} advisories: {} MiB", peak / 1024);
    }
}

criterion_group!(benches, database);
criterion_main!(benches);
