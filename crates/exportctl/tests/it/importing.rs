//! Filling the ledger: every way in, twice, in any order.

use std::io::Write;

use serde_json::Value;

use crate::support::{World, fed, lines, lines_of};

fn gzipped(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zipped(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in members {
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file(*name, options).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn every_way_in_leads_to_the_same_ledger() {
    let text = lines("acme", 20);
    let expected: Vec<String> = text.lines().map(str::to_owned).collect();
    let crlf = text.replace('\n', "\r\n");
    let no_end = text.trim_end();
    let packed = zstd::encode_all(text.as_bytes(), 3).unwrap();
    let (gz, zip) = (gzipped(&text), zipped(&[("a/b.jsonl", text.as_bytes())]));
    let ways: [(&str, &[u8]); 8] = [
        ("plain.jsonl", text.as_bytes()),
        ("crlf.jsonl", crlf.as_bytes()),
        ("no-end.ndjson", no_end.as_bytes()),
        ("packed.jsonl.zst", &packed),
        ("packed.jsonl.gz", &gz),
        ("packed.zip", &zip),
        // What counts is what a file is, not what it is called.
        ("called-plain.jsonl", &packed),
        ("called.txt", text.as_bytes()),
    ];
    for (name, bytes) in ways {
        let world = World::new();
        let imported = world.import(name, bytes);
        assert_eq!(imported["added"], 20, "{name}");
        assert!(lines_of(&world, "json:raw") == expected, "{name}");
    }
    for bytes in [text.as_bytes(), &packed, &gz] {
        let world = World::new();
        let ran = fed(
            &mut world.command(["ledger", "import", "-", "--json"]),
            bytes,
        );
        assert_eq!(ran.value()["added"], 20, "{}", ran.stderr);
        assert!(lines_of(&world, "json:raw") == expected);
    }
    // A folder, with one document a file, of many lines or of one.
    let world = World::new();
    for (n, line) in expected.iter().enumerate() {
        let document: Value = serde_json::from_str(line).unwrap();
        let text = if n % 2 == 0 {
            serde_json::to_string_pretty(&document).unwrap()
        } else {
            document.to_string()
        };
        world.file(&format!("folder/deep/{n}/record.json"), text);
    }
    let folder = world.path("folder");
    let imported = world.json(["ledger", "import", folder.to_str().unwrap()]);
    assert_eq!(imported["added"], 20);
    assert!(lines_of(&world, "json:raw") == expected);
}

#[test]
fn twice_in_any_order_adds_nothing() {
    let world = World::new();
    let text = lines("acme", 300);
    world.import("in.jsonl", &text);
    let (before, stats) = (lines_of(&world, "json:raw"), world.stats());
    let backwards: Vec<&str> = text.lines().rev().collect();
    // What was fetched again later is the same document.
    let later = backwards.join("\n").replace(
        r#""fetched_at":"2026-11-01T00:00:00Z""#,
        r#""fetched_at":"2026-12-01T00:00:00+01:00""#,
    );
    for again in [&text, &later, &format!("{text}{text}")] {
        let imported = world.import("again.jsonl", again);
        assert_eq!(imported["added"], 0);
        assert_eq!(imported["present"], again.lines().count());
    }
    assert_eq!(world.stats(), stats);
    assert_eq!(lines_of(&world, "json:raw"), before);
}

#[test]
fn public_documents_are_wrapped_and_nothing_is_derived() {
    let world = World::new();
    let osv = r#"{"id":"OSV-1","modified":"2026-01-02T03:04:05Z","severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N"}],"database_specific":{"cvss":9.80},"affected":[{"package":{"ecosystem":"npm","name":"left-pad"}}]}"#;
    world.import("osv.json", osv);
    let cyclonedx = r#"{"bomFormat":"CycloneDX","specVersion":"1.5","serialNumber":"urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79","version":1,"metadata":{"component":{"type":"application","name":"app","version":"1.0"}},"components":[{"type":"library","name":"left-pad","purl":"pkg:npm/left-pad@1.3.0"}]}"#;
    world.import("bom.json", cyclonedx);
    let spdx = r#"{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"app","documentNamespace":"https://example.com/app","dataLicense":"CC0-1.0","creationInfo":{"created":"2026-01-01T00:00:00Z","creators":["Tool: t"]},"packages":[]}"#;
    world.import("spdx.json", spdx);
    let openvex = r#"{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://example.com/vex-1","author":"Example","timestamp":"2026-01-01T00:00:00Z","version":1,"statements":[{"vulnerability":{"name":"CVE-1900-1"},"products":[{"@id":"pkg:npm/left-pad@1.3.0"}],"status":"not_affected","justification":"component_not_present"}]}"#;
    world.import("vex.json", openvex);
    let csaf = r#"{"document":{"category":"csaf_security_advisory","csaf_version":"2.0","title":"T","publisher":{"category":"vendor","name":"Example","namespace":"https://example.com"},"tracking":{"id":"EX-2026-1","status":"final","version":"1","initial_release_date":"2026-01-01T00:00:00Z","current_release_date":"2026-01-01T00:00:00Z","revision_history":[{"date":"2026-01-01T00:00:00Z","number":"1","summary":"s"}]}},"vulnerabilities":[{"cve":"CVE-1900-1"}]}"#;
    world.import("csaf.json", csaf);

    let records: Vec<Value> = lines_of(&world, "json:raw")
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut formats: Vec<_> = records
        .iter()
        .map(|r| r["content"]["format"].clone())
        .collect();
    formats.sort_by_key(ToString::to_string);
    assert_eq!(formats, ["CSAF", "CycloneDX", "OSV", "OpenVEX", "SPDX"]);
    for (source, text) in [("OSV", osv), ("CSAF", csaf), ("OpenVEX", openvex)] {
        let record = records
            .iter()
            .find(|r| r["content"]["format"] == source)
            .unwrap();
        let original: Value = serde_json::from_str(text).unwrap();
        assert_eq!(record["content"]["raw"], original, "{source}");
    }
    let (_, archive) = world.export("json:raw", &["--ecosystem", "npm"]);
    assert!(archive.lines("advisory/")[0].contains(r#""cvss":9.80"#));
    for record in records {
        let names: Vec<_> = record.as_object().unwrap().keys().cloned().collect();
        for name in &names {
            assert!(
                [
                    "_id",
                    "content",
                    "identifiers",
                    "kind",
                    "linkset",
                    "source",
                    "subject",
                    "subject_key",
                    "tenant",
                    "upstream"
                ]
                .contains(&name.as_str()),
                "{name} in {record}"
            );
        }
        assert_eq!(record["tenant"], "default");
        assert_eq!(record["upstream"]["fetched_at"], "2026-05-28T20:26:40Z");
    }
}

#[test]
fn what_is_no_evidence_is_skipped_and_listed() {
    let world = World::new();
    world.file("folder/a.jsonl", lines("acme", 3));
    world.file("folder/README.md", "# Notes\n");
    world.file(
        "folder/package.json",
        r#"{"name":"left-pad","version":"1.3.0"}"#,
    );
    world.file("folder/picture.png", [0x89, b'P', b'N', b'G', 0xff, 0]);
    world.file(
        "folder/notes.zip",
        zipped(&[("x.txt", b"text"), ("y.json", b"{}")]),
    );
    world.file("folder/.hidden", "secret");
    std::os::unix::fs::symlink("/etc/passwd", world.path("folder/link.json")).unwrap();
    let folder = world.path("folder");
    let folder = folder.to_str().unwrap();
    let imported = world.json(["ledger", "import", folder]);
    assert_eq!(
        (&imported["documents"], &imported["added"]),
        (&3.into(), &3.into())
    );
    let skipped: Vec<_> = imported["skipped"]
        .as_array()
        .unwrap()
        .iter()
        .map(|skipped| {
            assert!(!skipped["reason"].as_str().unwrap().is_empty());
            skipped["path"]
                .as_str()
                .unwrap()
                .strip_prefix(folder)
                .unwrap()
        })
        .collect();
    assert_eq!(
        skipped,
        [
            "/README.md",
            "/link.json",
            "/notes.zip!x.txt",
            "/notes.zip!y.json",
            "/package.json",
            "/picture.png"
        ]
    );
    // People are told too.
    let ran = world.run(["ledger", "import", folder]);
    assert!(
        ran.stdout
            .contains(&format!("skipped {folder}/package.json: ")),
        "{}",
        ran.stdout
    );
    // A file that was named is not skipped.
    let file = world.path("folder/package.json");
    let error = world.error(
        ["ledger", "import", file.to_str().unwrap()],
        "ERR_UNKNOWN_FORMAT",
    );
    assert!(error["detail"].as_str().unwrap().contains("package.json"));
}
