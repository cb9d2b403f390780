//! The evidence set: real documents, and the records that a collector made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use export_canonical::record::{Limits, check, member_path};
use export_intake::read::{Input, ReadReport, documents};
use export_intake::wrap::{Format, WrapContext, wrap};
use export_intake::{Admitted, admit, admit_document, guardrails};
use export_model::{AdmittedRecord, Kind, PolicySnapshot, Tenant};
use serde_json::Value;

use crate::evidence::file;

struct Imported {
    records: Vec<AdmittedRecord>,
    snapshots: Vec<PolicySnapshot>,
    report: ReadReport,
}

fn import(path: PathBuf) -> Imported {
    let tenant: Tenant = "acme".parse().unwrap();
    let (mut records, mut snapshots) = (Vec::new(), Vec::new());
    let report = documents(
        Input::Path(path),
        &Limits::default(),
        &mut |location, bytes| {
            let context = WrapContext {
                tenant: Some(&tenant),
                time: "2026-11-01T00:00:00Z".parse().unwrap(),
                exporter_version: "0.0.0",
                file_stem: location.file_stem(),
            };
            match admit_document(&bytes, None, &context, &Limits::default())? {
                Admitted::Record(record) => records.push(*record),
                Admitted::Snapshot(snapshot) => snapshots.push(snapshot),
            }
            Ok(())
        },
    )
    .unwrap();
    Imported {
        records,
        snapshots,
        report,
    }
}

fn distinct<T: Ord>(values: impl Iterator<Item = T>) -> usize {
    values.collect::<BTreeSet<_>>().len()
}

#[test]
fn the_ledger_files_are_5685_records_and_a_snapshot() {
    let mut total = 0;
    for (name, kind, expected) in [
        ("advisories.jsonl.zst", Kind::Advisory, 5_497),
        ("sboms.jsonl.zst", Kind::Sbom, 7),
        ("vex.jsonl.zst", Kind::Vex, 25),
        ("findings.jsonl.zst", Kind::Finding, 156),
    ] {
        let Some(path) = file(name) else { return };
        let imported = import(path);
        assert_eq!(imported.records.len(), expected, "{name}");
        assert_eq!(
            distinct(imported.records.iter().map(|r| &r.position)),
            expected
        );
        for record in &imported.records {
            assert_eq!(record.kind, kind);
            check(&record.canonical, &Limits::default()).unwrap();
            assert!(record.facets.recorded_at.is_some());
            match kind {
                Kind::Finding => {
                    assert_eq!(
                        record.policy_snapshot_id.as_deref(),
                        Some("policy-2026-11-01")
                    );
                    assert_eq!(record.facets.identifiers.len(), 2);
                }
                _ => guardrails::check_raw(&record.canonical).unwrap(),
            }
            let again = admit(&record.canonical, None, &Limits::default()).unwrap();
            assert_eq!(again, Admitted::Record(Box::new(record.clone())));
        }
        total += expected;
    }
    assert_eq!(total, 5_685);
    let Some(path) = file("policy_snapshot.json") else {
        return;
    };
    let imported = import(path);
    assert_eq!(imported.snapshots.len(), 1);
    assert_eq!(imported.snapshots[0].policy_version, "7");
}

#[test]
fn the_public_archives_are_wrapped_each_with_its_source() {
    for (name, expected, sources) in [
        (
            "public/osv-crates.io.zip",
            1_206,
            BTreeMap::from([("advisory rustsec/advisory-db".to_owned(), 1_206)]),
        ),
        (
            "public/csaf-cisa.zip",
            260,
            BTreeMap::from([
                ("advisory cisa/csaf".to_owned(), 259),
                ("vex cisa/csaf".to_owned(), 1),
            ]),
        ),
        (
            "public/openvex-rancher.zip",
            200,
            BTreeMap::from([("vex rancher-security-team/openvex".to_owned(), 200)]),
        ),
    ] {
        let Some(path) = file(name) else { return };
        let imported = import(path);
        assert_eq!(imported.report.documents, expected, "{name}");
        assert_eq!(imported.report.skipped, []);
        let mut found = BTreeMap::new();
        for record in &imported.records {
            *found
                .entry(format!("{} {}", record.kind, record.source))
                .or_insert(0) += 1;
            assert!(record.modified.is_some(), "{}", record.position.id);
            assert!(!record.facets.identifiers.is_empty());
        }
        assert_eq!(found, sources);
        // None of them is a revision of another.
        let names = distinct(imported.records.iter().map(|record| &record.upstream_id));
        assert_eq!(names as u64, expected, "{name}");
    }
}

/// What a collector made of a document, this crate makes of it too.
#[test]
fn wrapping_a_records_document_gives_the_same_envelope() {
    let tenant: Tenant = "acme".parse().unwrap();
    let context = WrapContext {
        tenant: Some(&tenant),
        time: "2026-11-01T00:00:00Z".parse().unwrap(),
        exporter_version: "0.0.0",
        file_stem: None,
    };
    for (name, format, members) in [
        (
            "advisories.jsonl.zst",
            Format::Osv,
            &[
                "/_id",
                "/subject_key",
                "/identifiers",
                "/linkset",
                "/kind",
                "/content/format",
                "/content/spec_version",
                "/source/vendor",
                "/source/stream",
                "/source/api",
                "/upstream/upstream_id",
                "/upstream/content_hash",
            ][..],
        ),
        (
            "sboms.jsonl.zst",
            Format::CycloneDx,
            &[
                "/linkset",
                "/kind",
                "/content/format",
                "/content/spec_version",
                "/upstream/document_version",
            ],
        ),
        (
            "vex.jsonl.zst",
            Format::CycloneDx,
            &[
                "/subject_key",
                "/identifiers",
                "/linkset",
                "/kind",
                "/content/format",
                "/upstream/document_version",
            ],
        ),
    ] {
        let Some(path) = file(name) else { return };
        for record in import(path).records {
            let raw = member_path(&record.canonical, &["content", "raw"]).unwrap();
            let context = WrapContext {
                file_stem: Some("stem"),
                ..context
            };
            let wrapped = wrap(format, raw, &context).unwrap();
            check(&wrapped, &Limits::default()).unwrap();
            let ours: Value = serde_json::from_slice(&wrapped).unwrap();
            let theirs: Value = serde_json::from_slice(&record.canonical).unwrap();
            for member in members {
                assert_eq!(
                    ours.pointer(member),
                    theirs.pointer(member),
                    "{member} of {}",
                    record.position.id
                );
            }
        }
    }
}
