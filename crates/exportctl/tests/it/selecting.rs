//! Which records a run exports.

use serde_json::{Value, json};

use crate::support::{World, advisory, advisory_at, finding, record, snapshot};

/// A small ledger: two advisories of two sources and ecosystems, two SBOMs, a VEX statement, three
/// findings. Names of records are the ends of their ids.
fn ledger() -> World {
    let world = World::new();
    let mut text = String::new();
    let mut add = |record: Value| text.push_str(&format!("{record}\n"));

    let mut npm = record("acme", "advisory", "A-NPM", &advisory("A-NPM"));
    npm["_id"] = "a-npm".into();
    npm["linkset"]["purls"] = json!(["pkg:npm/left-pad", "pkg:npm/%40scope/x@1.0.0"]);
    npm["identifiers"]["cve"] = json!(["CVE-1900-1"]);
    npm["upstream"]["received_at"] = "2026-01-01T00:00:00Z".into();
    add(npm);
    let mut cargo = record("acme", "advisory", "A-CARGO", &advisory("A-CARGO"));
    cargo["_id"] = "a-cargo".into();
    cargo["linkset"]["purls"] = json!(["pkg:cargo/left-pad@0.1.0"]);
    cargo["linkset"]["aliases"] = json!(["GHSA-xxxx"]);
    cargo["source"]["vendor"] = "rust".into();
    cargo["source"]["stream"] = "sec".into();
    cargo["upstream"]["received_at"] = "2026-02-01T00:00:00Z".into();
    add(cargo);
    for (id, subject) in [
        ("s-app", "pkg:npm/app@1.0.0"),
        ("s-web", "pkg:npm/web@2.0.0"),
    ] {
        let mut sbom = record(
            "acme",
            "sbom",
            id,
            &json!({"bomFormat": "CycloneDX", "name": id}),
        );
        sbom["_id"] = id.into();
        sbom["subject_key"] = subject.into();
        sbom["content"]["format"] = "CycloneDX".into();
        sbom["linkset"]["purls"] = json!([format!("{subject}"), "pkg:npm/left-pad"]);
        sbom["upstream"]["received_at"] = "2026-03-01T00:00:00Z".into();
        add(sbom);
    }
    let mut vex = record("acme", "vex", "V-1", &json!({"id": "V-1"}));
    vex["_id"] = "v-1".into();
    vex["content"]["format"] = "OpenVEX".into();
    vex["identifiers"]["primary"] = "CVE-1900-1".into();
    vex["linkset"]["purls"] = json!([]);
    vex["upstream"]["received_at"] = "2026-03-01T00:00:00Z".into();
    add(vex);
    add(snapshot("acme", "policy-1"));
    for (n, sbom) in [(1, "s-app"), (2, "s-app"), (3, "s-web")] {
        let mut finding = finding("acme", "policy-1", sbom, n);
        finding["_id"] = format!("f-{n}").into();
        finding["evaluated_at"] = "2026-03-01T00:00:00Z".into();
        if n == 1 {
            finding["vulnerability_id"] = "CVE-1900-1".into();
        }
        add(finding);
    }
    assert_eq!(world.import("in.jsonl", text)["added"], 8);
    world
}

#[track_caller]
fn selects(world: &World, args: &[&str], expected: &str) {
    let (run, archive) = world.export("json:policy", args);
    assert_eq!(archive.ids().join(" "), expected, "{args:?}");
    let count = expected.split_whitespace().count();
    assert_eq!(run["records"], count);
    assert_eq!(archive.manifest()["counts"]["records"], count);
}

#[test]
fn each_flag_selects() {
    let world = ledger();
    let all = "a-cargo a-npm f-1 f-2 f-3 s-app s-web v-1";
    selects(&world, &[], all);
    selects(&world, &["--kind", "vex"], "v-1");
    selects(
        &world,
        &["--kind", "vex", "--kind", "finding"],
        "f-1 f-2 f-3 v-1",
    );
    selects(&world, &["--ecosystem", "cargo"], "a-cargo");
    selects(
        &world,
        &["--ecosystem", "npm"],
        "a-npm f-1 f-2 f-3 s-app s-web",
    );
    selects(
        &world,
        &["--product", "pkg:npm/left-pad"],
        "a-npm s-app s-web",
    );
    selects(&world, &["--product", "pkg:npm/component-*"], "f-1 f-2 f-3");
    selects(
        &world,
        &[
            "--product",
            "pkg:cargo/*",
            "--product",
            "pkg:npm/%40scope/*",
        ],
        "a-cargo a-npm",
    );
    selects(&world, &["--identifier", "CVE-1900-1"], "a-npm f-1 v-1");
    selects(
        &world,
        &["--identifier", "GHSA-xxxx", "--identifier", "A-NPM"],
        "a-cargo a-npm",
    );
    selects(&world, &["--source", "rust"], "a-cargo");
    selects(&world, &["--source", "rust/sec"], "a-cargo");
    selects(&world, &["--source", "rust/other"], "");
    selects(
        &world,
        &["--source", "example/feed"],
        "a-npm s-app s-web v-1",
    );
    // An SBOM by subject or id, with the findings about it.
    selects(&world, &["--sbom-subject", "s-app"], "f-1 f-2 s-app");
    selects(
        &world,
        &["--sbom-subject", "pkg:npm/web@2.0.0"],
        "f-3 s-web",
    );
    // The window's beginning is in, its end is out.
    selects(
        &world,
        &[
            "--recorded-from",
            "2026-01-01T00:00:00Z",
            "--recorded-to",
            "2026-03-01T00:00:00Z",
        ],
        "a-cargo a-npm",
    );
    selects(
        &world,
        &[
            "--recorded-from",
            "2026-02-01T01:00:00+01:00",
            "--kind",
            "advisory",
        ],
        "a-cargo",
    );
    selects(&world, &["--recorded-to", "2026-02-01T00:00:00Z"], "a-npm");
    // Different flags are combined by *and*.
    selects(
        &world,
        &[
            "--ecosystem",
            "npm",
            "--identifier",
            "CVE-1900-1",
            "--kind",
            "finding",
        ],
        "f-1",
    );
}

#[test]
fn each_exclude_flag_wins() {
    let world = ledger();
    selects(
        &world,
        &["--exclude-kind", "finding", "--exclude-kind", "sbom"],
        "a-cargo a-npm v-1",
    );
    selects(&world, &["--exclude-ecosystem", "npm"], "a-cargo v-1");
    selects(
        &world,
        &["--exclude-product", "pkg:npm/left-pad"],
        "a-cargo f-1 f-2 f-3 v-1",
    );
    selects(
        &world,
        &["--exclude-sbom-subject", "pkg:npm/app@1.0.0"],
        "a-cargo a-npm f-3 s-web v-1",
    );
    selects(
        &world,
        &["--exclude-identifier", "CVE-1900-1"],
        "a-cargo f-2 f-3 s-app s-web",
    );
    selects(
        &world,
        &["--exclude-source", "example"],
        "a-cargo f-1 f-2 f-3",
    );
    // Each of them excludes on its own.
    selects(
        &world,
        &["--exclude-kind", "finding", "--exclude-ecosystem", "npm"],
        "a-cargo v-1",
    );
    selects(&world, &["--kind", "vex", "--exclude-kind", "vex"], "");
}

#[test]
fn a_file_says_what_flags_cannot() {
    let world = ledger();
    let file = |selectors: Value, expected: &str| {
        let path = world.file("selectors.json", selectors.to_string());
        selects(&world, &["--selectors", path.to_str().unwrap()], expected);
    };
    file(json!({}), "a-cargo a-npm f-1 f-2 f-3 s-app s-web v-1");
    file(
        json!({"include": [{"kinds": ["vex"]}, {"ecosystems": ["cargo"]}]}),
        "a-cargo v-1",
    );
    file(
        json!({"kinds": ["finding", "sbom"], "include": [{"sbom_subjects": ["s-app"]}], "exclude": [{"kinds": ["finding"], "identifiers": ["CVE-1900-1"]}]}),
        "f-2 s-app",
    );
    file(
        json!({"exclude": [{"recorded": {"from": "2026-02-01T00:00:00Z"}}]}),
        "a-npm",
    );
}

#[test]
fn the_profile_says_which_revisions() {
    let world = World::new();
    let old = record("acme", "advisory", "EX-1", &advisory("EX-1"));
    let new = record(
        "acme",
        "advisory",
        "EX-1",
        &advisory_at("EX-1", "2026-12-01T00:00:00Z"),
    );
    // The successor is about something else: what it supersedes stays superseded.
    let mut moved = new.clone();
    moved["linkset"]["purls"] = json!(["pkg:cargo/moved"]);
    world.import("in.jsonl", format!("{old}\n{moved}\n"));
    let id = |record: &Value| record["_id"].as_str().unwrap().to_owned();
    let (_, archive) = world.export("json:raw", &[]);
    assert_eq!(archive.ids(), [id(&new)]);
    let (run, _) = world.export("json:raw", &["--ecosystem", "npm"]);
    assert_eq!(run["records"], 0);
    let profile = json!({"name": "all", "kind": "json:raw", "config": {"revisions": "all"}});
    let file = world.file("all.json", profile.to_string());
    world.json(["profile", "create", file.to_str().unwrap()]);
    let (_, archive) = world.export("all", &[]);
    let mut both = [id(&old), id(&new)];
    both.sort();
    assert_eq!(archive.ids(), both);
    let (_, archive) = world.export("all", &["--ecosystem", "npm"]);
    assert_eq!(archive.ids(), [id(&old)]);
}
