//! Records and archives that are refused: by name, with file and line, and without a trace in the
//! ledger.

use std::io::Write;

use serde_json::{Value, json};

use crate::support::{Door, World, advisory, finding, lines, record, sha256_hex};

/// A good record as text, with `change` made to it.
fn changed(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value = record("acme", "advisory", "EX-BAD", &advisory("EX-BAD"));
    change(&mut value);
    value.to_string().into_bytes()
}

#[test]
fn what_is_derived_or_without_provenance() {
    let door = Door::new();
    for name in [
        "severity",
        "cvss",
        "effective_status",
        "effective_range",
        "merged_from",
        "consensus_provider",
        "reachability",
        "asset_criticality",
        "risk_score",
    ] {
        let bad = changed(|record| record[name] = json!(null));
        let detail = door.refuses_line(&bad, "ERR_AOC_DERIVED_FIELD");
        assert!(detail.contains(&format!("`{name}`")), "{detail}");
    }
    let cut = |part: &'static str, name: &'static str| {
        changed(move |record| drop(record[part].as_object_mut().unwrap().remove(name)))
    };
    for (bad, name) in [
        (
            changed(|record| drop(record.as_object_mut().unwrap().remove("source"))),
            "source",
        ),
        (cut("source", "vendor"), "source.vendor"),
        (cut("source", "stream"), "source.stream"),
        (cut("upstream", "upstream_id"), "upstream.upstream_id"),
        (
            changed(|record| record["upstream"]["upstream_id"] = "".into()),
            "upstream.upstream_id",
        ),
    ] {
        let detail = door.refuses_line(&bad, "ERR_AOC_PROVENANCE");
        assert!(detail.contains(name), "{detail}");
    }
    let other = format!("sha256:{}", sha256_hex(b"other"));
    for hash in [other.as_str(), "sha256:12", ""] {
        let bad = changed(|record| record["upstream"]["content_hash"] = hash.into());
        door.refuses_line(&bad, "ERR_AOC_CONTENT_HASH");
    }
    let bad = changed(|record| record["content"]["raw"]["summary"] = "changed later".into());
    door.refuses_line(&bad, "ERR_AOC_CONTENT_HASH");
}

#[test]
fn what_breaks_the_contract() {
    let door = Door::new();
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 8] = [
        (|r| r["extra"] = 1.into(), "`extra`"),
        (|r| r["kind"] = "Advisory".into(), "`kind`"),
        (
            |r| r["content"]["format"] = "osv".into(),
            "`content.format`",
        ),
        (
            |r| r["upstream"]["fetched_at"] = "yesterday".into(),
            "`upstream.fetched_at`",
        ),
        (|r| r["subject_key"] = "".into(), "`subject_key`"),
        (
            |r| r["linkset"]["purls"] = "pkg:npm/x".into(),
            "`linkset.purls`",
        ),
        (|r| r["tenant"] = "../x".into(), "`tenant`"),
        (|r| r["_id"] = 7.into(), "`_id`"),
    ];
    for (change, name) in changes {
        let detail = door.refuses_line(&changed(change), "ERR_INVALID_RECORD");
        assert!(detail.contains(name), "{name}: {detail}");
    }
    let mut bad = finding("acme", "policy-1", "sbom", 1);
    bad["status"] = "maybe".into();
    let detail = door.refuses_line(bad.to_string().as_bytes(), "ERR_INVALID_RECORD");
    assert!(detail.contains("`status`"), "{detail}");
}

#[test]
fn another_tenants_record() {
    let door = Door::new();
    let other = record("other", "advisory", "EX-BAD", &advisory("EX-BAD"));
    let text = format!("{}{other}\n", door.good);
    let detail = door.refuses(
        "bad.jsonl",
        text.as_bytes(),
        "ERR_OTHER_TENANT",
        &["--tenant", "acme"],
    );
    assert!(detail.contains("/bad.jsonl:101: "), "{detail}");
    assert!(
        detail.contains("`other`") && detail.contains("`acme`"),
        "{detail}"
    );
}

#[test]
fn the_id_of_a_record_with_other_content() {
    let door = Door::new();
    let first: Value = serde_json::from_str(door.good.lines().next().unwrap()).unwrap();
    let id = first["_id"].as_str().unwrap();
    // A revision of the same document, and another document.
    for name in ["EX-00000", "EX-BAD"] {
        let mut bad = record(
            "acme",
            "advisory",
            name,
            &json!({"id": name, "summary": "other"}),
        );
        bad["_id"] = id.into();
        let text = format!("{}{bad}\n", door.good);
        let detail = door.refuses("bad.jsonl", text.as_bytes(), "ERR_ID_CONFLICT", &[]);
        assert!(detail.contains(id), "{detail}");
        // Both in one file, in a ledger that has neither.
        let world = World::new();
        let file = world.file("both.jsonl", format!("{bad}\n{first}\n"));
        let error = world.error(
            ["ledger", "import", file.to_str().unwrap()],
            "ERR_ID_CONFLICT",
        );
        assert!(error["detail"].as_str().unwrap().contains(id), "{error}");
        assert_eq!(world.stats()["records"], 0);
    }
}

#[test]
fn archives_that_were_made_to_harm() {
    let door = Door::new();
    let zip = |name: &str| {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        for member in ["good.jsonl", name] {
            zip.start_file(member, options).unwrap();
            zip.write_all(lines("acme", 2).as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    for name in ["../evil.json", "/etc/evil.json", "a/../../evil.json"] {
        let detail = door.refuses("bad.zip", &zip(name), "ERR_UNSAFE_ARCHIVE", &[]);
        assert!(
            detail.contains("/bad.zip") && detail.contains("evil.json"),
            "{detail}"
        );
    }
    // Names of one length, so that one can be made the other in place.
    let mut twice = zip("gooe.jsonl");
    while let Some(at) = twice.windows(10).position(|bytes| bytes == b"gooe.jsonl") {
        twice[at..at + 10].copy_from_slice(b"good.jsonl");
    }
    let detail = door.refuses("twice.zip", &twice, "ERR_UNSAFE_ARCHIVE", &[]);
    assert!(detail.contains("same name"), "{detail}");
}
