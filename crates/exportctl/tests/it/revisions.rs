//! What changes in the ledger, and what must not any more.

use serde_json::json;

use crate::support::{World, advisory, advisory_at, finding, lines, lines_of, record, snapshot};

#[test]
fn a_changed_document_is_a_new_revision_whatever_the_order() {
    let revision =
        |modified: &str| record("acme", "advisory", "EX-1", &advisory_at("EX-1", modified));
    let [old, new, newest] = [
        "2026-10-01T00:00:00Z",
        "2026-10-02T00:00:00Z",
        "2026-10-02T00:00:00.5Z",
    ]
    .map(|modified| revision(modified).to_string());
    let all = json!({"name": "all", "kind": "json:raw", "config": {"revisions": "all"}});
    let mut digests = Vec::new();
    for order in [
        [&old, &new, &newest],
        [&newest, &new, &old],
        [&new, &newest, &old],
    ] {
        let world = World::new();
        let mut superseded = 0;
        for (n, line) in order.iter().enumerate() {
            let imported = world.import(&format!("{n}.json"), line);
            assert_eq!(imported["added"], 1);
            superseded += imported["superseded"].as_u64().unwrap();
        }
        assert_eq!(superseded, 2);
        assert_eq!(world.stats()["sources"][0]["superseded"], 2);
        assert_eq!(lines_of(&world, "json:raw"), [newest.as_str()]);
        // An older revision again is known.
        assert_eq!(world.import("again.json", &old)["present"], 1);

        let file = world.file("all.json", all.to_string());
        world.json(["profile", "create", file.to_str().unwrap()]);
        let (run, archive) = world.export("all", &[]);
        assert_eq!(run["records"], 3);
        let mut lines = archive.lines("advisory/");
        lines.sort();
        let mut expected = [old.clone(), new.clone(), newest.clone()];
        expected.sort();
        assert_eq!(lines, expected);
        digests.push(run["content_digest"].clone());
    }
    assert!(
        digests.iter().all(|digest| *digest == digests[0]),
        "{digests:?}"
    );
}

#[test]
fn a_snapshot_is_frozen_once_a_run_refers_to_it() {
    let world = World::new();
    let sbom = "sbom_raw:x";
    let of = |number| format!("{}\n", finding("acme", "policy-1", sbom, number));
    // In any order: findings may come before their snapshot.
    let imported = world.import("findings.jsonl", of(1) + &of(2));
    assert_eq!(imported["added"], 2);
    let imported = world.import("snapshot.json", snapshot("acme", "policy-1").to_string());
    assert_eq!(imported["snapshots_added"], 1);
    world.import("third.jsonl", of(3));
    assert_eq!(world.stats()["snapshots"][0]["frozen"], false);

    let (run, archive) = world.export("json:policy", &[]);
    assert_eq!(run["policy_snapshot_id"], "policy-1");
    assert_eq!(archive.lines("finding/").len(), 3);
    assert_eq!(world.stats()["snapshots"][0]["frozen"], true);

    let stats = world.stats();
    let file = world.file("more.jsonl", of(3) + &of(4));
    let error = world.error(
        ["ledger", "import", file.to_str().unwrap()],
        "ERR_SNAPSHOT_FROZEN",
    );
    assert_eq!(error["exit_code"], 3);
    let detail = error["detail"].as_str().unwrap();
    assert!(
        detail.contains("finding:policy-1:4") && detail.contains("policy-1"),
        "{detail}"
    );
    let mut changed = snapshot("acme", "policy-1");
    changed["policy_version"] = "8".into();
    let file = world.file("changed.json", changed.to_string());
    world.error(
        ["ledger", "import", file.to_str().unwrap()],
        "ERR_ID_CONFLICT",
    );
    assert_eq!(world.stats(), stats);

    // The same again is fine, and so is another snapshot, which is then the newest.
    assert_eq!(world.import("again.jsonl", of(1) + &of(3))["present"], 2);
    world.import("again.json", snapshot("acme", "policy-1").to_string());
    let mut next = snapshot("acme", "policy-2");
    next["created_at"] = "2026-11-02T00:00:00Z".into();
    world.import(
        "next.jsonl",
        format!("{next}\n{}\n", finding("acme", "policy-2", sbom, 1)),
    );
    let (run, archive) = world.export("json:policy", &[]);
    assert_eq!(run["policy_snapshot_id"], "policy-2");
    assert_eq!(archive.lines("finding/").len(), 1);
    let (old, archive) = world.export("json:policy", &["--policy-snapshot", "policy-1"]);
    assert_eq!(old["policy_snapshot_id"], "policy-1");
    assert_eq!(archive.lines("finding/").len(), 3);
}

#[test]
fn an_older_state_gives_its_content_again() {
    let world = World::new();
    let early = world.error(
        [
            "run",
            "json:raw",
            "--tenant",
            "acme",
            "--as-of",
            "2020-01-01T00:00:00Z",
        ],
        "ERR_AS_OF_UNKNOWN",
    );
    assert_eq!(early["exit_code"], 2);
    world.import("one.jsonl", lines("acme", 50));
    let (first, _) = world.export("json:raw", &[]);
    let newer = record(
        "acme",
        "advisory",
        "EX-00007",
        &advisory_at("EX-00007", "2026-10-09T00:00:00Z"),
    );
    let more = record("acme", "advisory", "EX-99999", &advisory("EX-99999"));
    world.import("two.jsonl", format!("{newer}\n{more}\n"));
    let (second, _) = world.export("json:raw", &[]);
    assert_ne!(second["content_digest"], first["content_digest"]);
    assert_eq!(second["records"], 51);

    let watermark = first["watermark"].to_string();
    let time = first["finished_at"].as_str().unwrap();
    for as_of in [watermark.as_str(), time] {
        let (again, archive) = world.export("json:raw", &["--as-of", as_of]);
        assert_eq!(again["content_digest"], first["content_digest"], "{as_of}");
        assert_eq!(again["watermark"], first["watermark"]);
        assert_eq!(
            archive.manifest()["run"]["as_of"]["watermark"],
            first["watermark"]
        );
    }
    for unknown in ["2020-01-01T00:00:00Z", "1000000"] {
        world.error(["run", "json:raw", "--as-of", unknown], "ERR_AS_OF_UNKNOWN");
    }
    world.error(
        ["run", "json:raw", "--as-of", "yesterday"],
        "ERR_INVALID_REQUEST",
    );
}
