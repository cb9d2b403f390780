#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::Value;

use super::language::Language;
use super::testing::{database, java, record};
use super::{map_database, map_java};
use crate::row::{AdvisoryValue, Rows, Unmapped};

#[test]
fn other_formats_and_no_records() {
    for (rows, reason) in [
        (database("SPDX", "{}"), Unmapped::Format),
        (database("", "{}"), Unmapped::Format),
        (java("OSV", "{}"), Unmapped::Format),
        (
            java("SPDX", r#"{"@context":"x","@graph":[]}"#),
            Unmapped::Format,
        ),
        (database("CSAF", "{}"), Unmapped::Format),
        (database("CycloneDX", "{}"), Unmapped::Format),
        (database("OSV", "7"), Unmapped::Malformed),
    ] {
        assert_eq!(rows.unmapped[0].reason, reason);
        assert_eq!(rows.unmapped[0].record, "r:1");
    }
    for bytes in [
        &b""[..],
        b"{",
        b"\xff",
        b"[]",
        br#"{"_id":"a"}"#,
        br#"{"content":7}"#,
    ] {
        let mut rows = Rows::default();
        map_database(bytes, &mut rows);
        map_java(bytes, &mut rows);
        assert_eq!(rows.unmapped.len(), 2, "{bytes:?}");
        assert!(
            rows.unmapped
                .iter()
                .all(|row| row.reason == Unmapped::Malformed)
        );
    }
    let mut rows = Rows::default();
    map_database(br#"{"_id":"a"}"#, &mut rows);
    assert_eq!(rows.unmapped[0].record, "a");
}

#[test]
fn rows_are_added() {
    let entry = r#"{"id":"GHSA-a","affected":[{"package":{"ecosystem":"npm","name":"p"},"versions":["1.0.0"]}]}"#;
    let mut rows = database("OSV", entry);
    let once = rows.clone();
    map_database(&record("OSV", entry), &mut rows);
    assert_eq!(rows.advisories.len(), 2 * once.advisories.len());
    assert_eq!(rows.advisories[1], once.advisories[0]);
}

/// Documents of every format, to be damaged.
const DOCUMENTS: [(&str, &str); 8] = [
    (
        "OSV",
        r#"{"id":"GHSA-a","modified":"2024-05-06T07:08:09Z","aliases":["CVE-1"],"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],"affected":[{"package":{"ecosystem":"npm","name":"p","purl":"pkg:npm/p"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.0.0"},{"introduced":"2.0.0"},{"last_affected":"2.1.0-rc.1"}]}],"versions":["3.0.0","x"],"database_specific":{"last_known_affected_version_range":"<= 3.0.0"}}],"references":[{"url":"https://x"}],"database_specific":{"severity":"HIGH","cwe_ids":["CWE-1"]}}"#,
    ),
    (
        "OSV",
        r#"{"id":"SUSE-SU-1","related":["CVE-1"],"affected":[{"package":{"ecosystem":"SUSE:Linux Enterprise Server 15 SP4","name":"p"},"ecosystem_specific":{"binaries":[{"a":"1-1"}]},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1-1"}]}]}]}"#,
    ),
    (
        "OSV",
        r#"{"id":"RHSA-1","upstream":["CVE-1"],"affected":[{"package":{"ecosystem":"Red Hat:enterprise_linux:8::baseos","name":"p"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1-1"}]}]}]}"#,
    ),
    (
        "CSAF",
        r#"{"document":{"tracking":{"id":"A","current_release_date":"2024-01-01T00:00:00Z"}},"product_tree":{"branches":[{"category":"product_version_range","name":"vers:npm/>=1.0.0|<1.5.0|2.0.0","product":{"product_id":"r","product_identification_helper":{"purl":"pkg:npm/b"}}},{"product":{"product_id":"s","product_identification_helper":{"cpe":"cpe:/o:redhat:enterprise_linux:8"}}},{"product":{"product_id":"q","product_identification_helper":{"purl":"pkg:rpm/redhat/b@1-1?arch=x86_64"}}}],"relationships":[{"full_product_name":{"product_id":"sq"},"product_reference":"q","relates_to_product_reference":"s"}]},"vulnerabilities":[{"cve":"CVE-1","product_status":{"known_affected":["r"],"fixed":["sq","q"]},"remediations":[{"category":"vendor_fix","url":"https://x/RHSA-1","product_ids":["sq"]}],"scores":[{"cvss_v3":{"vectorString":"CVSS:3.1/AV:N","baseScore":9}}]}]}"#,
    ),
    (
        "OpenVEX",
        r#"{"timestamp":"2024-01-01T00:00:00Z","statements":[{"vulnerability":{"name":"CVE-1","aliases":["a"]},"products":[{"@id":"pkg:npm/a@1","subcomponents":[{"@id":"pkg:npm/b@1"}]}],"status":"fixed"}]}"#,
    ),
    (
        "CycloneDX-VEX",
        r#"{"metadata":{"component":{"bom-ref":"p","purl":"pkg:npm/a@1"}},"vulnerabilities":[{"id":"CVE-1","analysis":{"state":"not_affected"},"affects":[{"ref":"p"}],"ratings":[{"score":5,"severity":"high"}],"cwes":[79]}]}"#,
    ),
    (
        "SPDX",
        r#"{"creationInfo":{"created":"2024-01-01T00:00:00Z"},"packages":[{"name":"b","versionInfo":"1","externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:maven/g/b"}],"checksums":[{"algorithm":"SHA1","checksumValue":"26c2b6f7bc704ccadc64c83995e0ff7f01020304"}]}]}"#,
    ),
    (
        "CycloneDX",
        r#"{"components":[{"purl":"pkg:maven/org.a/b@1.0","hashes":[{"alg":"SHA-1","content":"26c2b6f7bc704ccadc64c83995e0ff7f01020304"}],"components":[{}]}]}"#,
    ),
];

/// Replaces, removes or doubles the value at the `at`-th place of the document.
fn damage(value: &mut Value, at: &mut usize, with: &Value) {
    if *at == 0 {
        *value = with.clone();
    }
    *at = at.wrapping_sub(1);
    match value {
        Value::Array(items) => {
            for item in items {
                damage(item, at, with);
            }
        }
        Value::Object(members) => {
            for member in members.values_mut() {
                damage(member, at, with);
            }
        }
        _ => {}
    }
}

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(serde_json::json!(7)),
        Just(serde_json::json!(-1.5e300)),
        Just(serde_json::json!([])),
        Just(serde_json::json!({})),
        Just(serde_json::json!([[{"id": [1]}]])),
        Just(serde_json::json!({"purl": "pkg:rpm/a@", "name": {}, "events": [{"fixed": "1"}]})),
        "[0-9a-zA-Z:./|<>=~^@%*+ -]{0,12}".prop_map(Value::String),
        "\\PC{0,12}".prop_map(Value::String),
    ]
}

/// Whatever is written out is something the scanner reads.
fn is_sound(rows: &Rows) {
    for row in &rows.advisories {
        for key in [&row.bucket, &row.package, &row.id] {
            assert!(
                !key.is_empty() && key.len() <= 32_768 && !key.contains('\0'),
                "{row:?}"
            );
        }
        let AdvisoryValue::Plain(advisory) = &row.value else {
            continue;
        };
        let is_language = row.bucket.contains("::");
        assert_eq!(
            is_language,
            !advisory.vulnerable_versions.is_empty(),
            "{row:?}"
        );
        if let Some(language) = Language::named(&row.ecosystem) {
            let texts = advisory
                .vulnerable_versions
                .iter()
                .chain(&advisory.patched_versions);
            for text in texts {
                assert!(
                    !text.is_empty() && language.scheme().constraint(text).is_ok(),
                    "{row:?}"
                );
            }
        }
    }
    for row in &rows.details {
        assert!(
            row.value
                .vendor_severity
                .values()
                .all(|severity| (1..=4).contains(severity))
        );
    }
    assert!(rows.unmapped.iter().all(|row| row.detail.len() <= 200));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn damaged_documents(which in 0..DOCUMENTS.len(), damages in prop::collection::vec((0..60_usize, values()), 1..4)) {
        let (format, text) = DOCUMENTS[which];
        let mut document: Value = serde_json::from_str(text).unwrap();
        for (mut at, with) in damages {
            damage(&mut document, &mut at, &with);
        }
        let bytes = record(format, &document.to_string());
        let mut rows = Rows::default();
        map_database(&bytes, &mut rows);
        map_java(&bytes, &mut rows);
        is_sound(&rows);
    }

    #[test]
    fn cut_and_flipped_records(which in 0..DOCUMENTS.len(), at in 0..2000_usize, byte in any::<u8>(), cut in any::<bool>()) {
        let (format, text) = DOCUMENTS[which];
        let mut bytes = record(format, text);
        let at = at % bytes.len();
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        let mut rows = Rows::default();
        map_database(&bytes, &mut rows);
        map_java(&bytes, &mut rows);
        is_sound(&rows);
    }
}

/// A file of the evidence set: below `EXPORT_EVIDENCE`, or in `../shared/evidence` beside the project.
fn evidence(name: &str) -> Option<Vec<Vec<u8>>> {
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
        println!(
            "skipped: mapping of {name}: {} is not there",
            path.display()
        );
        return None;
    }
    let file = std::fs::File::open(&path).unwrap();
    let reader = BufReader::new(zstd::Decoder::new(file).unwrap());
    Some(reader.split(b'\n').map(|line| line.unwrap()).collect())
}

fn counted(rows: &Rows) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for row in &rows.unmapped {
        *counts.entry(row.reason.as_str()).or_default() += 1;
    }
    counts
}

#[test]
fn real_advisories() {
    let Some(records) = evidence("advisories.jsonl.zst") else {
        return;
    };
    let mut rows = Rows::default();
    let mut silent = 0;
    let mut mapped = 0;
    for record in &records {
        let mut of_record = Rows::default();
        map_database(record, &mut of_record);
        is_sound(&of_record);
        mapped += usize::from(!of_record.advisories.is_empty());
        silent += usize::from(of_record.advisories.is_empty() && of_record.unmapped.is_empty());
        rows.advisories.append(&mut of_record.advisories);
        rows.details.append(&mut of_record.details);
        rows.unmapped.append(&mut of_record.unmapped);
        rows.modified = rows.modified.max(of_record.modified);
    }
    println!(
        "{} records, {mapped} mapped: {} advisories, {} details, newest {:?}, unmapped {:?}",
        records.len(),
        rows.advisories.len(),
        rows.details.len(),
        rows.modified,
        counted(&rows)
    );
    assert_eq!(silent, 0, "neither mapped nor told");
    let unexplained = counted(&rows).keys().any(|reason| {
        ![
            "withdrawn",
            "no_versions",
            "reversed_range",
            "unparsable_version",
            "only_git",
        ]
        .contains(reason)
    });
    assert!(!unexplained, "{:?}", counted(&rows));
    assert!(
        mapped * 100 > records.len() * 95,
        "{mapped} of {}",
        records.len()
    );
}

#[test]
fn real_statements_and_jars() {
    if let Some(records) = evidence("vex.jsonl.zst") {
        let mut rows = Rows::default();
        for record in &records {
            map_database(record, &mut rows);
        }
        println!(
            "{} VEX records: {} statements, {} details, unmapped {:?}",
            records.len(),
            rows.vex.len(),
            rows.details.len(),
            counted(&rows)
        );
        assert!(
            counted(&rows).keys().all(|reason| *reason == "no_purl"),
            "{:?}",
            counted(&rows)
        );
    }
    if let Some(records) = evidence("sboms.jsonl.zst") {
        let mut rows = Rows::default();
        for record in &records {
            map_java(record, &mut rows);
        }
        println!(
            "{} SBOMs: {} jars, unmapped {:?}",
            records.len(),
            rows.java.len(),
            counted(&rows)
        );
        assert!(rows.java.len() > 500, "{}", rows.java.len());
    }
}

/// Where an affected version of the entry is, the scanner's rules say so of what was written; where
/// a fix is, they do not.
#[test]
fn real_ranges_mean_what_they_say() {
    let Some(records) = evidence("advisories.jsonl.zst") else {
        return;
    };
    let mut checked = 0_usize;
    for bytes in &records {
        let mut rows = Rows::default();
        map_database(bytes, &mut rows);
        let record: Value = serde_json::from_slice(bytes).unwrap();
        let Some(affected) = record["content"]["raw"]["affected"].as_array() else {
            continue;
        };
        for row in &rows.advisories {
            let language = Language::named(&row.ecosystem).unwrap();
            let scheme = language.scheme();
            let AdvisoryValue::Plain(advisory) = &row.value else {
                panic!("{row:?}");
            };
            let of_package = affected.iter().filter(|item| {
                let name = item["package"]["name"].as_str().unwrap();
                language.keys(name).contains(&row.package)
            });
            // Pairs of a beginning and an end, as these two databases write them.
            let mut pairs: Vec<(String, Option<String>)> = Vec::new();
            for range in of_package.flat_map(|item| item["ranges"].as_array().unwrap()) {
                for event in range["events"].as_array().unwrap() {
                    if let Some(text) = event["introduced"].as_str() {
                        let text = if text == "0" { "0.0.0-0" } else { text };
                        pairs.push((text.to_owned(), None));
                    } else if let Some(text) = event["fixed"].as_str() {
                        pairs.last_mut().unwrap().1 = Some(text.to_owned());
                    }
                }
            }
            let at = |text: &str| scheme.parse(text).unwrap();
            let is_affected = |text: &str| {
                pairs.iter().any(|(from, fixed)| {
                    at(from) <= at(text) && fixed.as_ref().is_none_or(|fixed| at(text) < at(fixed))
                })
            };
            let far = "999999.0.0".to_owned();
            let ends = pairs.iter().filter_map(|(_, fixed)| fixed.as_ref());
            for text in pairs.iter().map(|(from, _)| from).chain(ends).chain([&far]) {
                let found = scheme
                    .vulnerable(
                        &advisory.vulnerable_versions,
                        &advisory.patched_versions,
                        text,
                    )
                    .unwrap();
                assert_eq!(found, is_affected(text), "{text} of {row:?}");
                checked += 1;
            }
        }
    }
    println!("{checked} versions of {} records", records.len());
    assert!(checked > 10_000, "{checked}");
}
