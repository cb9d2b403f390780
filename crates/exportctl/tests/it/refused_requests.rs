//! Requests that are refused: each wrong member by name, and no run is made.

use serde_json::{Value, json};

use crate::support::{World, finding, lines, snapshot};

fn filled() -> World {
    let world = World::new();
    let policy = snapshot("acme", "policy-1");
    let finding = finding("acme", "policy-1", "sbom", 1);
    world.import(
        "in.jsonl",
        format!("{}{policy}\n{finding}\n", lines("acme", 3)),
    );
    world
}

/// The fields that an error names.
fn fields(error: &Value) -> Vec<&str> {
    let fields = error["errors"].as_array().unwrap();
    fields
        .iter()
        .map(|error| {
            assert!(!error["message"].as_str().unwrap().is_empty(), "{error}");
            error["field"].as_str().unwrap()
        })
        .collect()
}

#[track_caller]
fn no_run(world: &World) {
    assert_eq!(world.json(["runs", "list"])["runs"], json!([]));
    assert!(crate::support::files_below(&world.home().join("objects")).is_empty());
}

#[test]
fn selectors_that_are_wrong_are_named() {
    let world = filled();
    for (selectors, wrong) in [
        (json!({"kinds": []}), vec!["selectors.kinds"]),
        (json!({"kinds": ["advisories"]}), vec!["selectors.kinds[0]"]),
        (
            json!({"kinds": ["advisory", "finding"]}),
            vec!["selectors.kinds[1]"],
        ),
        (
            json!({"products": ["pkg:npm/a", "left-pad"]}),
            vec!["selectors.products[1]"],
        ),
        (
            json!({"ecosystems": ["NPM"], "sources": ["/x"]}),
            vec!["selectors.ecosystems[0]", "selectors.sources[0]"],
        ),
        (
            json!({"recorded": {"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}}),
            vec!["selectors.recorded"],
        ),
        (
            json!({"exclude": [{"products": ["x"]}]}),
            vec!["selectors.exclude[0].products[0]"],
        ),
        (json!({"include": []}), vec!["selectors.include"]),
    ] {
        let file = world.file("selectors.json", selectors.to_string());
        let args = ["run", "json:raw", "--selectors", file.to_str().unwrap()];
        let error = world.error(args, "ERR_INVALID_REQUEST");
        assert_eq!(error["exit_code"], 2);
        assert_eq!(fields(&error), wrong, "{selectors}");
        // People see the same.
        let ran = world.run(args);
        for field in wrong {
            assert!(ran.stderr.contains(field), "{}", ran.stderr);
        }
    }
    for (selectors, name) in [
        (r#"{"product":["pkg:npm/a"]}"#, "product"),
        (r#"{"recorded":{"since":"2026-02-01T00:00:00Z"}}"#, "since"),
        (r#"{"exclude":[{"kind":["vex"]}]}"#, "kind"),
        (r#"{"recorded":{"from":"soon"}}"#, "soon"),
        (r#"["vex"]"#, "selectors.json"),
        ("{", "selectors.json"),
    ] {
        let file = world.file("selectors.json", selectors);
        let error = world.error(
            ["run", "json:raw", "--selectors", file.to_str().unwrap()],
            "ERR_INVALID_REQUEST",
        );
        let detail = error["detail"].as_str().unwrap();
        assert!(
            detail.contains(name) && detail.contains("selectors.json"),
            "{detail}"
        );
    }
    let file = world.file("selectors.json", json!({"tenants": ["other"]}).to_string());
    let error = world.error(
        ["run", "json:raw", "--selectors", file.to_str().unwrap()],
        "ERR_CROSS_TENANT",
    );
    assert_eq!(fields(&error), ["selectors.tenants"]);
    no_run(&world);
}

#[test]
fn flags_that_are_wrong_are_named() {
    let world = filled();
    for (args, wrong) in [
        (vec!["--kind", "finding"], "selectors.kinds[0]"),
        (vec!["--kind", "vex", "--kind", ""], "selectors.kinds[1]"),
        (vec!["--product", "left-pad"], "selectors.products[0]"),
        (
            vec!["--exclude-product", "pkg:*"],
            "selectors.exclude[0].products[0]",
        ),
        (vec!["--recorded-from", "yesterday"], "--recorded-from"),
        (
            vec![
                "--recorded-from",
                "2026-02-01T00:00:00Z",
                "--recorded-to",
                "2026-01-01T00:00:00Z",
            ],
            "selectors.recorded",
        ),
        (
            vec!["--policy-snapshot", "policy-1"],
            "options.policy_snapshot_id",
        ),
    ] {
        let args: Vec<_> = ["run", "json:raw"].into_iter().chain(args).collect();
        let error = world.error(&args, "ERR_INVALID_REQUEST");
        assert_eq!(fields(&error), [wrong], "{args:?}");
    }
    for args in [
        vec!["--workers", "0"],
        vec!["--workers", "65"],
        vec!["--workers", "many"],
        vec!["--no-such-flag"],
        vec!["--kind", "vex", "--selectors", "x.json"],
        vec!["--tenant", "../x"],
    ] {
        let args: Vec<_> = ["run", "json:raw"].into_iter().chain(args).collect();
        world.error(&args, "ERR_USAGE");
    }
    no_run(&world);
    // json:policy takes findings.
    let (run, _) = world.export("json:policy", &["--kind", "finding"]);
    assert_eq!(run["records"], 1);
}

#[test]
fn what_is_unknown_is_named() {
    let world = filled();
    for (args, code, name) in [
        (vec!["run", "json:row"], "ERR_UNKNOWN_PROFILE", "json:row"),
        (vec!["run", "csv:raw"], "ERR_UNKNOWN_PROFILE", "csv:raw"),
        (
            vec!["profile", "show", "mine"],
            "ERR_UNKNOWN_PROFILE",
            "mine",
        ),
        (
            vec!["profile", "show", "json:raw", "--revision", "9"],
            "ERR_UNKNOWN_PROFILE",
            "9",
        ),
        (
            vec!["run", "json:policy", "--policy-snapshot", "policy-9"],
            "ERR_UNKNOWN_SNAPSHOT",
            "policy-9",
        ),
        (
            vec!["runs", "show", "no-such-run"],
            "ERR_UNKNOWN_RUN",
            "no-such-run",
        ),
        (
            vec!["runs", "events", "0192f000-0000-7000-8000-000000000001"],
            "ERR_UNKNOWN_RUN",
            "0192f000-0000-7000-8000-000000000001",
        ),
        (vec!["runs", "cancel", "../x"], "ERR_UNKNOWN_RUN", "../x"),
        (
            vec!["runs", "retry", "0192f000-0000-7000-8000-000000000001"],
            "ERR_UNKNOWN_RUN",
            "0192f000",
        ),
        (
            vec!["run", "json:raw", "--as-of", "1000"],
            "ERR_AS_OF_UNKNOWN",
            "1000",
        ),
    ] {
        let error = world.error(&args, code);
        assert_eq!(error["exit_code"], 2, "{args:?}");
        assert!(
            error["detail"].as_str().unwrap().contains(name),
            "{error:#}"
        );
    }
    no_run(&world);
    let empty = World::new();
    let error = empty.error(["run", "json:policy"], "ERR_UNKNOWN_SNAPSHOT");
    assert!(error["detail"].as_str().unwrap().contains("json:policy"));
}

#[test]
fn profiles_that_are_wrong_are_named() {
    let world = filled();
    let create = |profile: Value, code: &str| {
        let file = world.file("profile.json", profile.to_string());
        let error = world.error(["profile", "create", file.to_str().unwrap()], code);
        assert_eq!(error["exit_code"], 2);
        error
    };
    let unknown = json!({"name": "mine", "kind": "json:raw", "config": {"record_per_part": 1}});
    let error = create(unknown, "ERR_INVALID_REQUEST");
    assert!(
        error["detail"]
            .as_str()
            .unwrap()
            .contains("`record_per_part`"),
        "{error:#}"
    );
    let unknown = json!({"name": "mine", "kind": "json:raw", "comment": "x"});
    let error = create(unknown, "ERR_INVALID_REQUEST");
    assert!(
        error["detail"].as_str().unwrap().contains("`comment`"),
        "{error:#}"
    );
    let wrong = json!({"name": "Mine!", "kind": "json:raw", "config": {
        "kinds": ["finding"], "records_per_part": 0, "compression": {"level": 99}}});
    assert_eq!(
        fields(&create(wrong, "ERR_INVALID_REQUEST")),
        [
            "config.kinds[0]",
            "config.records_per_part",
            "config.compression.level",
            "name"
        ]
    );
    create(
        json!({"name": "json:raw", "kind": "json:raw"}),
        "ERR_INVALID_REQUEST",
    );
    create(
        json!({"name": "mine", "kind": "json:yaml"}),
        "ERR_INVALID_REQUEST",
    );

    for builtin in ["json:raw", "json:policy"] {
        world.error(
            ["profile", "update", builtin, "--description", "mine"],
            "ERR_BUILTIN_PROFILE",
        );
    }
    world.error(
        ["profile", "update", "mine", "--description", "x"],
        "ERR_UNKNOWN_PROFILE",
    );
    world.error(["profile", "update", "mine"], "ERR_USAGE");
    let file = world.file(
        "mine.json",
        json!({"name": "mine", "kind": "json:raw"}).to_string(),
    );
    world.json(["profile", "create", file.to_str().unwrap()]);
    create(
        json!({"name": "mine", "kind": "json:policy"}),
        "ERR_PROFILE_EXISTS",
    );
    let config = world.file("config.json", r#"{"compression":{"levels":1}}"#);
    let error = world.error(
        [
            "profile",
            "update",
            "mine",
            "--config",
            config.to_str().unwrap(),
        ],
        "ERR_INVALID_REQUEST",
    );
    assert!(
        error["detail"].as_str().unwrap().contains("`levels`"),
        "{error:#}"
    );
    assert_eq!(world.json(["profile", "show", "mine"])["revision"], 1);
}
