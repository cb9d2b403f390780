//! The real evidence, where this machine has it: thousands of public documents, from the files as
//! they were published to bundles that verify.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use export_canonical::record::{Limits, canonicalize};
use serde_json::Value;

use crate::support::{Archive, World, evidence, unpacked};

const LEDGER_FILES: [&str; 4] = [
    "advisories.jsonl.zst",
    "findings.jsonl.zst",
    "sboms.jsonl.zst",
    "vex.jsonl.zst",
];
const ALL: u64 = 5_685;
const RAW: u64 = 5_529;

fn text(path: &Path) -> String {
    String::from_utf8(unpacked(&std::fs::read(path).unwrap())).unwrap()
}

/// Every run of `profile` in `world` is verified and looked into.
fn export(world: &World, profile: &str, workers: &str) -> (String, Archive) {
    let (run, archive) = world.export(profile, &["--workers", workers]);
    let records = if profile == "json:raw" { RAW } else { ALL };
    assert_eq!(run["records"], records);
    let bundle = world.file("verified.tar", archive.bytes());
    let verified = world.json(["verify", "--deep", bundle.to_str().unwrap()]);
    assert_eq!(verified["verified"], true);
    assert_eq!(verified["report"]["summary"]["records"], records);
    let digest = run["content_digest"].as_str().unwrap().to_owned();
    (digest, archive)
}

#[test]
fn the_ledger_files_leave_as_they_came_whatever_the_order_or_the_workers() {
    let Some(folder) = evidence() else { return };

    let first = World::new();
    let mut args = vec!["ledger".to_owned(), "import".to_owned()];
    for file in LEDGER_FILES.iter().chain(&["policy_snapshot.json"]) {
        args.push(folder.join(file).to_str().unwrap().to_owned());
    }
    let imported = first.json(&args);
    assert_eq!(
        (&imported["records"], &imported["added"]),
        (&ALL.into(), &ALL.into())
    );
    assert_eq!(imported["snapshots_added"], 1);
    let again = first.json(&args);
    assert_eq!(
        (&again["added"], &again["present"]),
        (&0.into(), &ALL.into())
    );
    assert_eq!(
        (&again["snapshots_added"], &again["snapshots_present"]),
        (&0.into(), &1.into())
    );

    let (raw, raw_bundle) = export(&first, "json:raw", "1");
    let (policy, policy_bundle) = export(&first, "json:policy", "4");
    assert_eq!(export(&first, "json:raw", "4").0, raw);
    assert_eq!(export(&first, "json:policy", "1").0, policy);

    // Raw evidence is the same to the byte, and findings are beside it.
    for (name, content) in &raw_bundle.members {
        if name.contains("/part-") {
            assert!(policy_bundle.get(name) == content, "{name}");
        }
    }
    assert!(raw_bundle.lines("finding/").is_empty());

    // Line by line what came in: the same bytes as the canonical form, and the same document as
    // another parser reads it.
    let mut expected = BTreeMap::new();
    for file in LEDGER_FILES {
        for line in text(&folder.join(file)).lines() {
            let canonical = canonicalize(line.as_bytes(), &Limits::default()).unwrap();
            let document: Value = serde_json::from_str(line).unwrap();
            let id = document["_id"].as_str().unwrap().to_owned();
            expected.insert(id, (canonical.into_owned(), document));
        }
    }
    let mut exported = BTreeSet::new();
    for kind in ["advisory/", "finding/", "sbom/", "vex/"] {
        let mut before = (String::new(), String::new());
        for line in policy_bundle.lines(kind) {
            let document: Value = serde_json::from_str(&line).unwrap();
            let member = |name: &str| document[name].as_str().unwrap().to_owned();
            let (canonical, original) = &expected[&member("_id")];
            assert!(
                line.as_bytes() == canonical && document == *original,
                "{line}"
            );
            let place = (member("subject_key"), member("_id"));
            assert!(place > before, "{place:?} after {before:?}");
            exported.insert(place.1.clone());
            before = place;
        }
    }
    assert_eq!(exported.len(), expected.len());

    // Another home, everything the other way round.
    let second = World::new();
    second.json([
        "ledger".as_ref(),
        "import".as_ref(),
        folder.join("policy_snapshot.json").as_os_str(),
    ]);
    for file in LEDGER_FILES.iter().rev() {
        let text = text(&folder.join(file));
        let mut lines: Vec<&str> = text.lines().collect();
        shuffle(&mut lines);
        second.import(file.trim_end_matches(".zst"), lines.join("\n"));
    }
    assert_eq!(export(&second, "json:policy", "4").0, policy);
    assert_eq!(export(&second, "json:raw", "1").0, raw);
}

/// Another order, the same each time.
fn shuffle(lines: &mut [&str]) {
    let mut state = 1_u64;
    for i in (1..lines.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        lines.swap(i, (state >> 33) as usize % (i + 1));
    }
}

#[test]
fn the_public_zips_become_records_with_their_sources() {
    let Some(folder) = evidence() else { return };
    let world = World::new();
    for (file, documents, format) in [
        ("osv-crates.io.zip", 1_206_u64, "OSV"),
        ("csaf-cisa.zip", 260, "CSAF"),
        ("openvex-rancher.zip", 200, "OpenVEX"),
    ] {
        let path = folder.join("public").join(file);
        let home = World::new();
        let args = ["ledger", "import", path.to_str().unwrap()];
        for world in [&world, &home] {
            let imported = world.json(args);
            assert_eq!(imported["documents"], documents, "{file}");
            assert_eq!(imported["added"], documents, "{file}");
            assert_eq!(imported["skipped"], Value::Array(vec![]), "{file}");
            let again = world.json(args);
            assert_eq!(
                (&again["added"], &again["present"]),
                (&0.into(), &documents.into())
            );
        }
        let (run, archive) = home.export("json:raw", &[]);
        assert_eq!(run["records"], documents);
        let lines: Vec<_> = ["advisory/", "sbom/", "vex/"]
            .iter()
            .flat_map(|kind| archive.lines(kind))
            .collect();
        assert_eq!(lines.len() as u64, documents);
        for line in lines {
            let record: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(record["content"]["format"], format);
            for (part, name) in [
                ("source", "vendor"),
                ("source", "stream"),
                ("upstream", "upstream_id"),
                ("upstream", "content_hash"),
            ] {
                let value = record[part][name].as_str().unwrap();
                assert!(!value.is_empty(), "{part}.{name}: {line}");
            }
            assert_eq!(record["upstream"]["received_at"], "2026-05-28T20:26:40Z");
        }
    }
    let (run, archive) = world.export("json:raw", &[]);
    assert_eq!(run["records"], 1_206 + 260 + 200);
    let bundle = world.file("bundle.tar", archive.bytes());
    let verified = world.json(["verify", "--deep", bundle.to_str().unwrap()]);
    assert_eq!(verified["verified"], true);
}

#[test]
fn the_whole_folder_imports_at_once() {
    let Some(folder) = evidence() else { return };
    let world = World::new();
    let imported = world.json(["ledger", "import", folder.to_str().unwrap()]);
    assert_eq!(imported["added"], ALL + 1_206 + 260 + 200);
    assert_eq!(imported["snapshots_added"], 1);
    let skipped = imported["skipped"].as_array().unwrap();
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    assert_eq!(
        skipped[0]["path"],
        folder.join("README.md").to_str().unwrap()
    );

    // Each tenant gets its own.
    let (mine, _) = world.export("json:policy", &["--tenant", "acme"]);
    assert_eq!(mine["records"], ALL);
    let (theirs, archive) = world.export("json:raw", &["--tenant", "default"]);
    assert_eq!(theirs["records"], 1_206 + 260 + 200);
    for line in archive.lines("advisory/") {
        assert!(line.contains(r#""tenant":"default""#));
    }
}
