//! What is printed, and where: scripts rely on it.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Archive, World, fed, finding, lines, program, ran, sha256_hex, snapshot};

/// A world in which every command has something to say.
fn filled() -> (World, String) {
    let world = World::new();
    let policy = snapshot("acme", "policy-1");
    let finding = finding("acme", "policy-1", "sbom", 1);
    world.import(
        "in.jsonl",
        format!("{}{policy}\n{finding}\n", lines("acme", 5)),
    );
    world.file(
        "profile.json",
        json!({"name": "mine", "kind": "json:raw"}).to_string(),
    );
    world.file("config.json", "{}");
    let (run, _) = world.export("json:policy", &[]);
    let id = run["run_id"].as_str().unwrap().to_owned();
    (world, id)
}

/// Every command, with arguments with which it succeeds, in an order in which all do.
fn commands(world: &World, id: &str) -> Vec<Vec<String>> {
    let path = |name: &str| world.path(name).to_str().unwrap().to_owned();
    let bundle = path("export-0.tar");
    [
        format!("ledger import {}", path("in.jsonl")),
        "ledger stats".into(),
        "ledger generate --records 3 --seed 1 --tenant acme".into(),
        "profile list".into(),
        "profile show json:raw".into(),
        format!("profile create {}", path("profile.json")),
        format!(
            "profile update mine --description new --config {}",
            path("config.json")
        ),
        format!("run json:raw --workers 2 --out {}", path("o.tar")),
        "run mine".into(),
        "runs list".into(),
        format!("runs show {id}"),
        format!("runs events {id}"),
        "runs resume".into(),
        format!("verify {bundle}"),
        format!("verify {bundle} --deep"),
        format!("inspect {bundle}"),
        format!("unpack {bundle} --to {}", path("unpacked")),
        "keys show".into(),
        "keys public".into(),
        "keys generate".into(),
        format!("keys generate --out {}", path("pair")),
        format!("keys trust {}", path("pair.pub")),
        "adapters".into(),
        "docs errors".into(),
    ]
    .iter()
    .map(|command| command.split(' ').map(str::to_owned).collect())
    .collect()
}

/// Exactly one JSON object, on one line.
#[track_caller]
fn one_object(stdout: &str) -> Value {
    assert!(
        stdout.ends_with('\n') && stdout.lines().count() == 1,
        "{stdout}"
    );
    let value: Value = serde_json::from_str(stdout).unwrap();
    assert!(value.is_object(), "{stdout}");
    value
}

#[test]
fn json_is_one_object_and_nothing_else() {
    let (world, id) = filled();
    for args in commands(&world, &id) {
        // Wherever the flag stands.
        let ran = world.run(["--json".to_owned()].iter().chain(&args));
        assert_eq!(ran.code, 0, "{args:?}: {}{}", ran.stdout, ran.stderr);
        one_object(&ran.stdout);
        assert_eq!(ran.stderr, "", "{args:?}");
    }
    for (args, code) in [
        (vec!["run", "no-such-profile"], 2),
        (vec!["run"], 2),
        (vec!["no-such-command"], 2),
        (vec!["run", "json:raw", "--workers", "x"], 2),
        (vec!["run", "json:raw", "--out", "-"], 2),
        (vec!["runs", "cancel", &id], 2),
        (vec!["ledger", "import", "/no/such/file"], 6),
        (vec!["verify", "/no/such/file"], 6),
        (vec!["verify", "/dev/null"], 13),
        (vec!["keys", "trust", "/dev/null"], 7),
        (vec!["docs", "x"], 2),
    ] {
        let ran = world.run(args.iter().chain(&["--json"]));
        assert_eq!(ran.code, code, "{args:?}: {}{}", ran.stdout, ran.stderr);
        let value = one_object(&ran.stdout);
        assert_eq!(value["exit_code"], code, "{args:?}: {value:#}");
        if args != ["verify", "/dev/null"] {
            assert!(value["error_code"].as_str().unwrap().starts_with("ERR_"));
            assert!(!value["detail"].as_str().unwrap().is_empty());
        }
        assert_eq!(ran.stderr, "", "{args:?}");
    }
}

#[test]
fn text_has_no_escape_codes_and_quiet_says_only_results() {
    let (world, id) = filled();
    for args in commands(&world, &id) {
        let ran = world.run(&args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
        assert!(
            !ran.stdout.is_empty() && ran.stdout.ends_with('\n'),
            "{args:?}"
        );
        for said in [&ran.stdout, &ran.stderr] {
            assert!(
                !said.contains('\u{1b}') && !said.contains('\r'),
                "{args:?}: {said:?}"
            );
            assert!(
                said.lines().all(|line| line == line.trim_end()),
                "{args:?}: {said:?}"
            );
        }
    }
    let loud = world.run(["run", "json:raw"]);
    assert!(loud.stderr.contains("exporting"), "{}", loud.stderr);
    let quiet = world.run(["run", "json:raw", "-q"]);
    assert_eq!(quiet.stderr, "");
    assert!(quiet.stdout.contains("completed"), "{}", quiet.stdout);
    // Errors are said all the same, with their code and what to do.
    let failed = world.run(["run", "nothing", "-q"]);
    assert_eq!(failed.stdout, "");
    assert!(
        failed.stderr.starts_with("error: ") && failed.stderr.contains("ERR_UNKNOWN_PROFILE"),
        "{}",
        failed.stderr
    );
    let help = world.run(["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    assert!(help.stdout.contains("verify"));
    assert_eq!(
        world.run(["--version"]).stdout,
        format!("exportctl {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let (world, _) = filled();
    let bundle = world.path("export-0.tar");
    let on_a_terminal = |no_color: &str| {
        let line = format!(
            "{} verify {}",
            env!("CARGO_BIN_EXE_exportctl"),
            bundle.display()
        );
        let mut command = Command::new("script");
        command
            .args(["-qec", &line, "/dev/null"])
            .stdin(Stdio::null());
        command
            .env("EXPORT_HOME", world.home())
            .env("NO_COLOR", no_color);
        command
            .output()
            .ok()
            .filter(|output| output.status.success())
    };
    let (Some(coloured), Some(plain)) = (on_a_terminal(""), on_a_terminal("1")) else {
        eprintln!("skipped: colours: no `script` to make a terminal with");
        return;
    };
    assert!(coloured.stdout.contains(&0x1b));
    assert!(
        !plain.stdout.contains(&0x1b),
        "{}",
        String::from_utf8_lossy(&plain.stdout)
    );
    assert!(String::from_utf8_lossy(&plain.stdout).contains("verified"));
}

#[test]
fn an_archive_on_standard_output_is_all_that_is_there() {
    let (world, _) = filled();
    let run = world.run(["run", "json:raw", "--out", "-"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("content digest"), "{}", run.stderr);
    let archive = Archive::parse(&run.bytes);
    assert_eq!(archive.lines("advisory/").len(), 5);
    let verified = fed(
        &mut world.command(["verify", "-", "--deep", "--json"]),
        &run.bytes,
    );
    assert_eq!(verified.value()["verified"], true);
    let quiet = world.run(["run", "json:raw", "--out", "-", "-q"]);
    assert_eq!(quiet.stderr, "");
    Archive::parse(&quiet.bytes);
    // A reader that goes away early is no defect.
    let mut child = world
        .command(["run", "json:raw", "--out", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(6), "{said}");
    assert!(
        said.contains("standard output") && !said.contains("panicked"),
        "{said}"
    );
}

#[test]
fn a_run_tells_scripts_all_about_itself() {
    let (world, _) = filled();
    let (run, archive) = world.export("json:policy", &[]);
    let bytes = archive.bytes();
    let out = world.path("export-1.tar");
    assert_eq!(run["run_id"], archive.manifest()["run"]["id"]);
    assert_eq!(run["status"], "completed");
    assert_eq!(run["content_digest"], archive.manifest()["content_digest"]);
    assert_eq!(run["archive"], out.to_str().unwrap());
    assert_eq!(run["sha256"], format!("sha256:{}", sha256_hex(&bytes)));
    assert_eq!(run["size_bytes"], bytes.len());
    assert_eq!(run["records"], 6);
    assert_eq!(
        run["manifest_sha256"],
        format!("sha256:{}", sha256_hex(archive.get("export.json")))
    );
    // Without --out it is in the home.
    let kept = world.json(["run", "json:raw"]);
    let stored = std::fs::read(kept["archive"].as_str().unwrap()).unwrap();
    assert_eq!(kept["sha256"], format!("sha256:{}", sha256_hex(&stored)));
    // And so says `runs show`, whoever asks.
    let shown = world.json(["runs", "show", kept["run_id"].as_str().unwrap()]);
    assert_eq!(shown, kept);
}

#[test]
fn the_home_is_where_the_flag_or_the_environment_says() {
    let world = World::new();
    let file = world.file("in.jsonl", lines("acme", 2));
    let other = world.path("other");
    let args = [
        "--home",
        other.to_str().unwrap(),
        "ledger",
        "import",
        file.to_str().unwrap(),
    ];
    assert_eq!(world.run(args).code, 0);
    assert!(other.join("ledger.db").exists() && !world.home().exists());
    // Looking makes no home.
    world.error(["ledger", "stats"], "ERR_IO");
    assert!(!world.home().exists());
    let mut command = program(&world.home(), ["ledger", "stats", "--json"]);
    command
        .env_remove("EXPORT_HOME")
        .env("XDG_DATA_HOME", world.path("data"))
        .env("HOME", world.path("user"));
    let ran = ran(&mut command);
    assert_eq!(ran.code, 6);
    assert!(ran.stdout.contains("export-center"), "{}", ran.stdout);
}

#[test]
fn logs_are_json_on_request_and_name_the_run() {
    let (world, _) = filled();
    let mut command = world.command(["run", "json:raw", "--json", "-v"]);
    let ran = ran(command.env("EXPORT_LOG", "json"));
    let run = one_object(&ran.stdout);
    let mut phases = std::collections::BTreeSet::new();
    for line in ran.stderr.lines() {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let text = value.to_string();
        if text.contains(run["run_id"].as_str().unwrap()) {
            assert!(text.contains("acme"), "{text}");
            for phase in ["plan", "adapter", "sign", "distribute"] {
                if text.contains(&format!(r#""phase":"{phase}""#)) {
                    phases.insert(phase);
                }
            }
        }
    }
    assert_eq!(phases.len(), 4, "{phases:?}\n{}", ran.stderr);
}
