//! What a delta can start from, and each way in which it cannot.

use serde_json::{Value, json};

use crate::support::{World, lines};

/// Asks for a delta that must be refused; gives what is said.
#[track_caller]
fn refused(world: &World, args: &[&str], error_code: &str) -> String {
    let mut all = vec!["run", "mirror:delta"];
    all.extend(args);
    let error = world.error(all, error_code);
    assert_eq!(error["exit_code"], 2, "{error:#}");
    if error["errors"]
        .as_array()
        .is_some_and(|errors| !errors.is_empty())
    {
        assert_eq!(
            error["errors"][0]["field"], "options.base_export_id",
            "{error:#}"
        );
    }
    error["detail"].as_str().unwrap().to_owned()
}

fn id(run: &Value) -> &str {
    run["run_id"].as_str().unwrap()
}

fn profile(world: &World, name: &str, kind: &str, config: Value) {
    let profile = json!({"name": name, "kind": kind, "config": config});
    let file = world.file(&format!("{name}.json"), profile.to_string());
    world.json(["profile", "create", file.to_str().unwrap()]);
}

#[test]
fn bases_that_are_none() {
    let world = World::new();
    world.import("one.jsonl", lines("acme", 5));
    let nothing = "01890000-0000-7000-8000-000000000000";
    let said = refused(&world, &["--base", nothing], "ERR_DELTA_BASE");
    assert!(said.contains("acme") && said.contains(nothing), "{said}");
    let error = world.error(
        ["run", "mirror:delta", "--base", "../x"],
        "ERR_INVALID_REQUEST",
    );
    assert_eq!(error["errors"][0]["field"], "--base", "{error:#}");
    refused(&world, &[], "ERR_INVALID_REQUEST");

    let (raw, _) = world.export("json:raw", &[]);
    let said = refused(&world, &["--base", id(&raw)], "ERR_DELTA_BASE");
    assert!(said.contains("json:raw, not a mirror"), "{said}");
    let pending = world.json(["run", "mirror:full", "--detach"]);
    let said = refused(&world, &["--base", id(&pending)], "ERR_DELTA_BASE");
    assert!(
        said.contains("is pending: a delta starts from a completed one"),
        "{said}"
    );
    world.json(["runs", "cancel", id(&pending)]);
    world.json(["runs", "resume"]);
    refused(&world, &["--base", id(&pending)], "ERR_DELTA_BASE");

    // Only deltas have a base.
    let (full, _) = world.export("mirror:full", &[]);
    for profile in ["mirror:full", "json:raw"] {
        let error = world.error(["run", profile, "--base", id(&full)], "ERR_INVALID_REQUEST");
        assert_eq!(error["errors"][0]["field"], "options.base_export_id");
    }
    // Another tenant's is none of this one's.
    world.import("other.jsonl", lines("globex", 5));
    let args = ["--tenant", "globex", "--base", id(&full)];
    let said = refused(&world, &args, "ERR_DELTA_BASE");
    assert!(said.contains("tenant globex has no run"), "{said}");
}

#[test]
fn bases_of_other_mirrors() {
    let world = World::new();
    world.import("one.jsonl", lines("acme", 5));
    let (full, _) = world.export("mirror:full", &[]);
    let (advisories, _) = world.export("mirror:full", &["--kind", "advisory"]);
    let said = refused(
        &world,
        &["--base", id(&full), "--kind", "advisory"],
        "ERR_DELTA_BASE",
    );
    assert!(said.contains("selects something else"), "{said}");
    refused(
        &world,
        &["--base", id(&advisories), "--kind", "vex"],
        "ERR_DELTA_BASE",
    );
    // Without selectors it has those of its base.
    let (delta, archive) = world.export("mirror:delta", &["--base", id(&advisories)]);
    assert_eq!(
        archive.manifest()["selectors"],
        json!({"kinds": ["advisory"]})
    );
    world.export(
        "mirror:delta",
        &["--base", id(&delta), "--kind", "advisory"],
    );

    for (name, config) in [
        ("kinds", json!({"kinds": ["advisory", "sbom"]})),
        ("indexes", json!({"indexes": ["purl"]})),
        ("revisions", json!({"revisions": "all"})),
    ] {
        profile(&world, name, "mirror:full", config);
        let (other, _) = world.export(name, &[]);
        let said = refused(&world, &["--base", id(&other)], "ERR_DELTA_BASE");
        assert!(
            said.contains(name) && said.contains("another mirror"),
            "{said}"
        );
    }
    // What is said otherwise, and comes to the same, is the same mirror; how parts are cut is no matter.
    let config = json!({
        "indexes": ["subject", "source", "purl", "identifier"], "records_per_part": 2,
        "compression": {"level": 9},
    });
    profile(&world, "same", "mirror:delta", config);
    world.export("same", &["--base", id(&full)]);
}

#[test]
fn a_delta_goes_forward_only() {
    let world = World::new();
    world.import("one.jsonl", lines("acme", 5));
    let (old, _) = world.export("mirror:full", &[]);
    world.import("two.jsonl", lines("acme", 9));
    let (new, _) = world.export("mirror:full", &[]);
    let before = old["watermark"].to_string();
    let mut command = world.command(["run", "mirror:delta", "--base", id(&new), "--json"]);
    let ran = crate::support::ran(command.args(["--as-of", &before]));
    let value = ran.value();
    let code = value["error_code"]
        .as_str()
        .or(value["failure"]["error_code"].as_str());
    assert_eq!(code, Some("ERR_DELTA_BASE"), "{value:#}");
    assert_ne!(ran.code, 0);
    // From the older one to an earlier state than now is forward.
    world.import("three.jsonl", lines("acme", 12));
    let to = new["watermark"].to_string();
    let (delta, _) = world.export("mirror:delta", &["--base", id(&old), "--as-of", &to]);
    assert_eq!(
        (&delta["records"], &delta["watermark"]),
        (&4.into(), &new["watermark"])
    );
}
