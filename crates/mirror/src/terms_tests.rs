#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use export_canonical::record::Limits;
use export_intake::{Admitted, admit};
use export_model::{AdmittedRecord, Tenant};
use proptest::prelude::*;

use super::*;
use crate::index::Index;

/// What the ledger's door says of `line`.
fn admitted(line: &[u8]) -> AdmittedRecord {
    match admit(line, None, &Limits::default()).unwrap() {
        Admitted::Record(record) => *record,
        Admitted::Snapshot(_) => panic!("a snapshot is no document"),
    }
}

/// Whether terms are what selectors compare.
fn agrees(line: &[u8]) {
    let expected = admitted(line);
    let record = Record::read(&expected.canonical).unwrap();
    assert_eq!(record.kind, expected.kind);
    assert_eq!(record.id, expected.position.id);
    assert_eq!(record.subject_key, expected.position.subject_key);
    let sorted = |mut values: Vec<String>| {
        values.sort_unstable();
        values
    };
    assert_eq!(
        record.values(Index::Identifier),
        sorted(expected.facets.identifiers),
        "{}",
        record.id
    );
    assert_eq!(
        record.values(Index::Purl),
        sorted(expected.facets.products),
        "{}",
        record.id
    );
    assert_eq!(record.values(Index::Source), [expected.source.to_string()]);
    assert_eq!(
        record.values(Index::Subject),
        [expected.position.subject_key]
    );
}

/// A file of the evidence set: below `EXPORT_EVIDENCE`, or in `../shared/evidence` beside the
/// project.
fn evidence(name: &str) -> Vec<Vec<u8>> {
    let folder = std::env::var_os("EXPORT_EVIDENCE").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../../shared/evidence"
            ))
        },
        PathBuf::from,
    );
    let path = folder.join(name);
    if !path.exists() {
        println!("skipped: terms of {name}: {} is not there", path.display());
        return Vec::new();
    }
    let file = std::fs::File::open(&path).unwrap();
    let reader = BufReader::new(zstd::Decoder::new(file).unwrap());
    reader.split(b'\n').map(|line| line.unwrap()).collect()
}

#[test]
fn terms_of_real_evidence_are_what_selectors_compare() {
    for name in [
        "advisories.jsonl.zst",
        "sboms.jsonl.zst",
        "vex.jsonl.zst",
        "findings.jsonl.zst",
    ] {
        evidence(name).iter().for_each(|line| agrees(line));
    }
}

#[test]
fn terms_of_generated_evidence_are_what_selectors_compare() {
    let tenant: Tenant = "acme".parse().unwrap();
    for line in export_intake::generate::generate(2_000, 3, &tenant) {
        agrees(&line);
    }
}

#[test]
fn terms_are_read_past_traps_in_the_evidence() {
    let hash = |raw: &str| export_model::Sha256Digest::of(raw.as_bytes());
    let raw = r#"{"identifiers":{"primary":"no"},"kind":"vex","spec_version":"1","x":["}","{","\\",":","\",\"kind\":\"vex\""]}"#;
    let line = |identifiers: &str| {
        format!(
            r#"{{"_id":"a \"b\" \\","content":{{"format":"OSV","raw":{raw},"spec_version":"1"}},{identifiers}"kind":"sbom","linkset":{{"aliases":["l\\","\"","é"],"cpes":[],"purls":["pkg:npm/a@1","pkg:npm/a@1"],"reconciled_from":[],"references":[{{"type":"x","url":"}}]\""}}]}},"source":{{"collector_version":"1","stream":"s\"s","vendor":"v\\"}},"subject":{{"name":"kind","purl":"{{"}},"subject_key":"k\"","supersedes":"content","tenant":"acme","upstream":{{"content_hash":"{}","fetched_at":"2026-01-01T00:00:00Z","received_at":"2026-01-01T00:00:00Z","signature":{{"present":false}},"upstream_id":"u"}}}}"#,
            hash(raw)
        )
    };
    agrees(line("").as_bytes());
    agrees(line(r#""identifiers":{"aliases":["x"],"cve":["CVE-1900-0001"],"ghsa":[],"primary":"spec_version"},"#).as_bytes());
    let line = line("");
    let record = Record::read(line.as_bytes()).unwrap();
    assert_eq!(record.id, "a \"b\" \\");
    assert_eq!(record.values(Index::Source), ["v\\/s\"s"]);
    assert_eq!(record.values(Index::Identifier), ["\"", "l\\", "é"]);
    assert_eq!(record.values(Index::Purl), ["pkg:npm/a@1"]);
}

#[test]
fn what_is_no_record_is_refused() {
    for (bytes, reason) in [
        ("", "it is no JSON object"),
        ("[]", "it is no JSON object"),
        ("{}", "it has no `_id`"),
        ("{\"_id\":7}", "it has no `_id`"),
        ("{\"_id\":\"x\"}", "it has no `kind`"),
        (
            "{\"_id\":\"x\",\"kind\":\"VEX\"}",
            "its `kind` is none that is known",
        ),
        (
            "{\"_id\":\"x\",\"kind\":\"vex\"}",
            "it has no `subject_key`",
        ),
    ] {
        let error = Record::read(bytes.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), reason, "{bytes}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(text in "[{}\\[\\]\",:\\\\a_idkn0]{0,200}", at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let all = |bytes: &[u8]| {
            if let Ok(record) = Record::read(bytes) {
                for index in Index::ALL {
                    drop(record.values(index));
                }
            }
        };
        all(text.as_bytes());
        all(format!("{{{text}}}").as_bytes());
        let tenant: Tenant = "acme".parse().unwrap();
        let mut line = export_intake::generate::generate(1, 3, &tenant).next().unwrap();
        let at = at.index(line.len());
        line[at] = byte;
        all(&line);
        line.truncate(at);
        all(&line);
        line.push(b'}');
        all(&line);
    }
}
