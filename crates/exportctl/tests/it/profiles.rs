//! Profiles of one's own: their revisions, their parts, and what they do with a record that breaks
//! a guardrail.

use serde_json::{Value, json};

use crate::support::{Tampered, World, files_below, finding, lines, record, snapshot};

fn create(world: &World, profile: Value) -> Value {
    let file = world.file("profile.json", profile.to_string());
    world.json(["profile", "create", file.to_str().unwrap()])
}

#[test]
fn a_configuration_never_changes_it_gets_a_new_revision() {
    let world = World::new();
    world.import("in.jsonl", lines("acme", 5));
    let listed = |world: &World| -> Vec<String> {
        let profiles = world.json(["profile", "list"]);
        let profiles = profiles["profiles"].as_array().unwrap();
        profiles
            .iter()
            .map(|p| format!("{}@{}", p["name"].as_str().unwrap(), p["revision"]))
            .collect()
    };
    let builtin = [
        "json:raw@1",
        "json:policy@1",
        "trivy:db@1",
        "trivy:java-db@1",
        "mirror:full@1",
        "mirror:delta@1",
    ];
    assert_eq!(listed(&world), builtin);
    let made = create(
        &world,
        json!({"name": "mine", "kind": "json:raw", "description": "d"}),
    );
    assert_eq!(
        (&made["revision"], &made["builtin"]),
        (&1.into(), &false.into())
    );
    let (first, _) = world.export("mine", &[]);

    // A description changes in place, a configuration does not.
    let described = world.json(["profile", "update", "mine", "--description", "e"]);
    assert_eq!(
        (&described["revision"], &described["description"]),
        (&1.into(), &"e".into())
    );
    let config = world.file(
        "config.json",
        r#"{"records_per_part":2,"retention":{"days":1}}"#,
    );
    let update = [
        "profile",
        "update",
        "mine",
        "--config",
        config.to_str().unwrap(),
    ];
    let updated = world.json(update);
    assert_eq!(
        (&updated["revision"], &updated["config"]["records_per_part"]),
        (&2.into(), &2.into())
    );
    assert_eq!(
        world.json(update)["revision"],
        2,
        "the same again changes nothing"
    );
    assert_eq!(listed(&world)[..6], builtin);
    assert_eq!(listed(&world)[6..], ["mine@2"]);
    let old = world.json(["profile", "show", "mine", "--revision", "1"]);
    assert_eq!(
        (&old["revision"], &old["config"]["records_per_part"]),
        (&1.into(), &50_000.into())
    );
    assert_eq!(world.json(["profile", "show", "mine"])["revision"], 2);

    let (second, archive) = world.export("mine", &[]);
    assert_eq!((&first["parts"], &second["parts"]), (&1.into(), &3.into()));
    assert_eq!(archive.manifest()["run"]["profile_revision"], 2);
    assert_eq!(
        world.json(["runs", "show", first["run_id"].as_str().unwrap()])["profile_revision"],
        1
    );
}

#[test]
fn small_parts_are_numbered_by_kind_and_the_same_with_any_workers() {
    let world = World::new();
    let mut text = lines("acme", 25);
    for n in 0..7 {
        let id = format!("V-{n}");
        let mut vex = record("acme", "vex", &id, &json!({"id": id}));
        vex["content"]["format"] = "OpenVEX".into();
        text.push_str(&format!("{vex}\n"));
        text.push_str(&format!("{}\n", finding("acme", "policy-1", "s", n)));
    }
    text.push_str(&snapshot("acme", "policy-1").to_string());
    world.import("in.jsonl", text);
    create(
        &world,
        json!({"name": "small", "kind": "json:policy", "config": {"records_per_part": 3}}),
    );
    let mut digests = Vec::new();
    for workers in ["1", "4", "2"] {
        let (run, archive) = world.export("small", &["--workers", workers]);
        assert_eq!(run["parts"], 9 + 3 + 3);
        let parts: Vec<_> = archive
            .names()
            .into_iter()
            .filter(|name| name.contains("/part-"))
            .collect();
        let expected: Vec<_> = [("advisory", 9), ("finding", 3), ("vex", 3)]
            .iter()
            .flat_map(|(kind, parts)| {
                (0..*parts).map(move |n| format!("payload/{kind}/part-{n:05}.jsonl.zst"))
            })
            .collect();
        assert_eq!(parts, expected);
        assert_eq!(archive.lines("inputs").len(), 15);
        let bundle = world.file("bundle.tar", archive.bytes());
        world.json(["verify", "--deep", bundle.to_str().unwrap()]);
        digests.push(run["content_digest"].clone());
    }
    assert!(
        digests.iter().all(|digest| *digest == digests[0]),
        "{digests:?}"
    );
    // The records are those of any other division.
    let (_, whole) = world.export("json:policy", &[]);
    let (_, small) = world.export("small", &[]);
    for kind in ["advisory/", "finding/", "vex/"] {
        assert!(whole.lines(kind) == small.lines(kind));
    }
}

/// A record with something derived in it that was put into the ledger behind its back.
fn with_derived(world: &World) -> String {
    world.import("in.jsonl", lines("acme", 10));
    let ledger = Tampered::open(world);
    let (id, body) = ledger.record("EX-00004");
    let mut changed: Value = serde_json::from_str(&body).unwrap();
    changed["severity"] = json!({"score": "9.8"});
    ledger.replace(&id, &changed.to_string());
    ledger.forget_admission(&id);
    id
}

#[test]
fn a_derived_member_fails_the_run() {
    let world = World::new();
    let id = with_derived(&world);
    let out = world.path("bundle.tar");
    let error = world.error(
        ["run", "json:raw", "--out", out.to_str().unwrap()],
        "ERR_AOC_DERIVED_FIELD",
    );
    let detail = error["detail"].as_str().unwrap();
    assert!(
        detail.contains(&id) && detail.contains("`severity`"),
        "{detail}"
    );
    assert!(!out.exists());
    assert_eq!(
        files_below(&world.home().join("objects")),
        Vec::<std::path::PathBuf>::new()
    );
    let runs = world.json(["runs", "list"]);
    let run = &runs["runs"][0];
    assert_eq!(
        (&run["status"], &run["archive"]),
        (&"failed".into(), &Value::Null)
    );
    assert_eq!(run["failure"]["error_code"], "ERR_AOC_DERIVED_FIELD");
    let events = world.json(["runs", "events", run["run_id"].as_str().unwrap()]);
    assert!(
        events.to_string().contains("ERR_AOC_DERIVED_FIELD"),
        "{events:#}"
    );
}

#[test]
fn a_derived_member_is_quarantined_where_the_profile_says_so() {
    let world = World::new();
    let id = with_derived(&world);
    // Parts of one record: the one with nothing left makes no file.
    for (name, per_part, files) in [("q", 50_000, 1), ("q1", 1, 9)] {
        create(
            &world,
            json!({"name": name, "kind": "json:raw", "config": {
            "on_violation": "quarantine", "records_per_part": per_part}}),
        );
        let (run, archive) = world.export(name, &[]);
        assert_eq!(
            (&run["records"], &run["quarantined"]),
            (&9.into(), &1.into())
        );
        assert!(!archive.ids().contains(&id));
        assert_eq!(archive.ids().len(), 9);
        let parts = archive
            .names()
            .iter()
            .filter(|n| n.contains("/part-"))
            .count();
        assert_eq!(parts, files);
        let listed = archive.lines("quarantine");
        assert_eq!(listed.len(), 1);
        let listed: Value = serde_json::from_str(&listed[0]).unwrap();
        assert_eq!(
            (&listed["_id"], &listed["code"]),
            (&id.as_str().into(), &"ERR_AOC_DERIVED_FIELD".into())
        );
        assert!(listed["detail"].as_str().unwrap().contains("`severity`"));
        let counts = &archive.manifest()["counts"];
        assert_eq!(counts["quarantined"], json!({"ERR_AOC_DERIVED_FIELD": 1}));
        assert_eq!(counts["records"], 9);
        let bundle = world.file("bundle.tar", archive.bytes());
        let verified = world.json(["verify", "--deep", bundle.to_str().unwrap()]);
        assert_eq!(verified["verified"], true);
        assert_eq!(
            verified["report"]["summary"]["quarantined"],
            json!({"ERR_AOC_DERIVED_FIELD": 1})
        );
    }
}

#[test]
fn an_altered_ledger_is_found() {
    let world = World::new();
    world.import("in.jsonl", lines("acme", 10));
    let (good, _) = world.export("json:raw", &[]);
    let kept = files_below(&world.home().join("objects"));
    let ledger = Tampered::open(&world);
    let (id, body) = ledger.record("EX-00004");
    ledger.replace_body_only(
        &id,
        &body.replace("Something is wrong", "Nothing is wrong!!"),
    );

    for policy in ["fail", "quarantine"] {
        create(
            &world,
            json!({"name": policy, "kind": "json:raw", "config": {"on_violation": policy}}),
        );
        let error = world.error(["run", policy], "ERR_INPUT_DRIFT");
        assert_eq!(error["exit_code"], 4);
        assert!(error["detail"].as_str().unwrap().contains(&id), "{error:#}");
        assert_eq!(
            files_below(&world.home().join("objects")),
            kept,
            "payload bytes are left"
        );
        assert!(files_below(&world.home().join("uploads")).is_empty());
        let runs = world.json(["runs", "list", "--limit", "1"]);
        assert_eq!(runs["runs"][0]["status"], "failed");
        assert_eq!(runs["runs"][0]["failure"]["error_code"], "ERR_INPUT_DRIFT");
    }
    // What does not touch it can still be exported, and so can everything once it is mended.
    let (others, _) = world.export("json:raw", &["--exclude-identifier", "EX-00004"]);
    assert_eq!(others["records"], 9);
    ledger.replace_body_only(&id, &body);
    let (again, archive) = world.export("json:raw", &[]);
    assert_eq!(again["content_digest"], good["content_digest"]);
    assert!(archive.lines("advisory/").contains(&body));
    // A record that has disappeared is found as well.
    ledger.remove_body(&id);
    let error = world.error(["run", "json:raw"], "ERR_HOME_DAMAGED");
    assert!(error["detail"].as_str().unwrap().contains(&id), "{error:#}");
    let runs = world.json(["runs", "list", "--limit", "1"]);
    assert_eq!(runs["runs"][0]["status"], "failed");
}
