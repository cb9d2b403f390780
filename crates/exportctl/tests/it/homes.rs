//! Homes: damaged, newer, read-only, and used by several processes at once.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{Ran, World, files_below, lines, ran, with_mounts};

const DATABASES: [&str; 3] = ["ledger.db", "queue.db", "state.db"];

/// A home in which something was exported.
fn used() -> World {
    let world = World::new();
    world.import("in.jsonl", lines("acme", 20));
    world.export("json:raw", &[]);
    world
}

#[test]
fn a_newer_home_is_left_alone() {
    for name in DATABASES {
        let world = used();
        let file = world.home().join(name);
        let database = Connection::open(&file).unwrap();
        database.pragma_update(None, "user_version", 99).unwrap();
        drop(database);
        let before = fs::read(&file).unwrap();
        for args in [
            vec!["ledger", "stats"],
            vec!["run", "json:raw"],
            vec!["runs", "list"],
        ] {
            let error = world.error(&args, "ERR_HOME_NEWER");
            assert_eq!(error["exit_code"], 6);
            let detail = error["detail"].as_str().unwrap();
            assert!(detail.contains(name) && detail.contains("99"), "{detail}");
        }
        assert!(fs::read(&file).unwrap() == before, "{name} was changed");
        // What needs no database goes on working.
        let bundle = world.path("export-0.tar");
        assert_eq!(
            world.json(["verify", bundle.to_str().unwrap()])["verified"],
            true
        );
    }
}

#[test]
fn a_damaged_home_is_named() {
    for name in DATABASES {
        let world = used();
        let file = world.home().join(name);
        let whole = fs::read(&file).unwrap();
        let foreign = world.path("foreign.db");
        let database = Connection::open(&foreign).unwrap();
        database.execute_batch("CREATE TABLE mine(x)").unwrap();
        drop(database);
        let mut scrambled = whole.clone();
        scrambled[..64].fill(0xaa);
        for bad in [
            b"this is no database".repeat(300),
            scrambled,
            fs::read(&foreign).unwrap(),
        ] {
            fs::write(&file, &bad).unwrap();
            for args in [vec!["ledger", "stats"], vec!["run", "json:raw"]] {
                let error = world.error(&args, "ERR_HOME_DAMAGED");
                assert_eq!(error["exit_code"], 6);
                assert!(
                    error["detail"].as_str().unwrap().contains(name),
                    "{error:#}"
                );
            }
            assert!(fs::read(&file).unwrap() == bad, "{name} was changed");
        }
        fs::write(&file, &whole).unwrap();
        world.json(["ledger", "stats"]);
    }
    let world = World::new();
    fs::write(world.home(), "a file").unwrap();
    let error = world.run(["ledger", "stats", "--json"]);
    assert_eq!(error.code, 6, "{}", error.stdout);
    assert_eq!(fs::read(world.home()).unwrap(), b"a file");
}

#[test]
fn a_read_only_home_is_said_to_be_one() {
    let world = used();
    world.file("more.jsonl", lines("acme", 30));
    let script = r#"
        mount --bind "$EXPORT_HOME" "$EXPORT_HOME"
        mount -o remount,bind,ro "$EXPORT_HOME"
        try() { name=$1; shift; "$X" --json "$@" >"$W/$name.json" || true; }
        try import ledger import "$W/more.jsonl"
        try run run json:raw --out "$W/bundle.tar"
        try keys keys trust "$W/home/keys/signing.pub"
        try verify verify "$W/export-0.tar"
        mkdir "$W/new"
        mount -t tmpfs -o ro none "$W/new"
        try new --home "$W/new/home" ledger import "$W/more.jsonl"
    "#;
    if with_mounts(&world, script).is_none() {
        return;
    }
    for name in ["import", "run", "keys", "new"] {
        let error = world.value(&format!("{name}.json"));
        assert_eq!(error["error_code"], "ERR_READ_ONLY", "{error:#}");
        assert_eq!(error["exit_code"], 6);
        assert!(
            error["detail"]
                .as_str()
                .unwrap()
                .contains(world.path("").to_str().unwrap()),
            "{error:#}"
        );
    }
    assert!(!world.path("bundle.tar").exists());
    // Verifying only reads.
    assert_eq!(world.value("verify.json")["verified"], true);
    assert_eq!(world.import("more.jsonl", lines("acme", 30))["added"], 10);
}

/// Waits for programs that were started together.
fn all(children: Vec<std::process::Child>) -> Vec<Value> {
    children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success(), "{said}");
            serde_json::from_str(&said).unwrap()
        })
        .collect()
}

#[test]
fn several_processes_use_one_home() {
    let world = World::new();
    // In a home that none of them has opened before; half of what each imports is another's too.
    let text = lines("acme", 400);
    let lines: Vec<&str> = text.lines().collect();
    let imports = (0..3).map(|n| {
        let file = world.file(
            &format!("{n}.jsonl"),
            lines[n * 100..n * 100 + 200].join("\n"),
        );
        let mut command = world.command(["ledger", "import", file.to_str().unwrap(), "--json"]);
        command.stdout(Stdio::piped()).spawn().unwrap()
    });
    let imported = all(imports.collect());
    let sum = |name: &str| {
        imported
            .iter()
            .map(|value| value[name].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!((sum("added"), sum("present")), (400, 200));
    assert_eq!(world.stats()["records"], 400);

    let runs = (0..3).map(|n| {
        let out = world.path(&format!("{n}.tar"));
        let mut command =
            world.command(["run", "json:raw", "--json", "--out", out.to_str().unwrap()]);
        command.stdout(Stdio::piped()).spawn().unwrap()
    });
    let ended = all(runs.collect());
    for (n, run) in ended.iter().enumerate() {
        assert_eq!(
            (&run["status"], &run["records"]),
            (&"completed".into(), &400.into())
        );
        assert_eq!(run["content_digest"], ended[0]["content_digest"]);
        assert_eq!(
            run["key_fingerprint"], ended[0]["key_fingerprint"],
            "two keys were made"
        );
        let out = world.path(&format!("{n}.tar"));
        assert_eq!(
            world.json(["verify", "--deep", out.to_str().unwrap()])["verified"],
            true
        );
    }
    assert_eq!(files_below(&world.home().join("objects")).len(), 3 * 8);
    assert!(files_below(&world.home().join("uploads")).is_empty());
    assert!(files_below(&world.home().join("hosts")).is_empty());
}

/// Starts a run and kills it as soon as it was submitted. Gives the run's id.
fn killed(world: &World) -> String {
    let mut child = world
        .command(["run", "json:raw"])
        .env("USER", "alice")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stderr.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let id = first.split_whitespace().nth(1);
    id.unwrap_or_else(|| panic!("{first}")).to_owned()
}

#[test]
fn a_run_that_nobody_does_any_more_is_cancelled() {
    let world = World::new();
    world.json(["ledger", "generate", "--records", "3000", "--seed", "1"]);
    let id = killed(&world);
    let before = world.json(["runs", "show", &id]);
    assert!(
        ["pending", "planned", "exporting"].contains(&before["status"].as_str().unwrap()),
        "{before:#}"
    );
    let mut command = world.command(["runs", "cancel", &id, "--json"]);
    let cancelled: Ran = ran(command.env("USER", "bob"));
    assert_eq!(cancelled.code, 0, "{}", cancelled.stdout);
    let cancelled = cancelled.value();
    assert_eq!(
        (&cancelled["status"], &cancelled["archive"]),
        (&"aborted".into(), &Value::Null)
    );
    assert!(files_below(&world.home().join("objects")).is_empty());
    assert!(files_below(&world.home().join("uploads")).is_empty());

    // Who asked for it, and who cancelled it.
    let events = world.json(["runs", "events", &id]);
    let events = events["events"].as_array().unwrap();
    let numbers: Vec<_> = events
        .iter()
        .map(|event| event["seq"].as_u64().unwrap())
        .collect();
    assert!(numbers.is_sorted() && numbers[0] == 1, "{numbers:?}");
    assert!(events[0].to_string().contains("alice"), "{}", events[0]);
    let audit = events
        .iter()
        .find(|event| event.to_string().contains("bob"));
    assert!(audit.is_some(), "{events:#?}");
    let again = world.error(["runs", "cancel", &id], "ERR_RUN_ENDED");
    assert_eq!(again["exit_code"], 2);
    // Its slot is free again, and the next run is not in its way.
    let (run, _) = world.export("json:raw", &[]);
    assert_eq!(run["records"], 3_000);
    let listed = world.json(["runs", "list"]);
    let statuses: Vec<_> = listed["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["status"].clone())
        .collect();
    assert_eq!(statuses, [json!("completed"), json!("aborted")]);
}

#[test]
fn a_run_that_was_killed_is_finished_by_the_next_process() {
    let world = World::new();
    world.json(["ledger", "generate", "--records", "3000", "--seed", "1"]);
    let id = killed(&world);
    assert_eq!(world.json(["runs", "resume"])["unfinished"], 0);
    let resumed = world.json(["runs", "show", &id]);
    assert_eq!(resumed["status"], "completed", "{resumed:#}");
    let archive = resumed["archive"].as_str().unwrap();
    assert_eq!(world.json(["verify", "--deep", archive])["verified"], true);
    let (fresh, _) = world.export("json:raw", &[]);
    assert_eq!(fresh["content_digest"], resumed["content_digest"]);
    assert!(files_below(&world.home().join("uploads")).is_empty());
}
