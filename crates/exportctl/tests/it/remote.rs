//! What works on a home works the same at a service: `--server`.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Archive, Cutter, Served, World, ran, sha256_hex};

pub(crate) fn world(records: u32) -> World {
    let world = World::new();
    let records = records.to_string();
    world.json(["ledger", "generate", "--records", &records, "--seed", "7"]);
    world
}

fn members(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

pub(crate) fn mode(path: &std::path::Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_run_at_a_service_is_told_as_one_on_a_home() {
    let world = world(500);
    let (at_home, _) = world.export("json:raw", &[]);
    let served = Served::start(&world, &[]);
    served.login("default");

    let out = world.path("remote.tar");
    let out = out.to_str().unwrap();
    let run = served.json(&["run", "json:raw", "--out", out]);
    assert_eq!(members(&run), members(&at_home));
    assert_eq!(run["content_digest"], at_home["content_digest"]);
    assert_eq!(run["records"], 500);
    assert_eq!(run["archive"], out);
    let bytes = std::fs::read(out).unwrap();
    assert_eq!(run["sha256"], format!("sha256:{}", sha256_hex(&bytes)));
    assert_eq!(mode(out.as_ref()), 0o644);
    world.json(["verify", out, "--deep"]);

    // The same questions have the same answers, but for where the archive is.
    let id = run["run_id"].as_str().unwrap();
    let mut here = world.json(["runs", "show", id]);
    let mut there = served.json(&["runs", "show", id]);
    assert_eq!(there["archive"], Value::Null);
    for shown in [&mut here, &mut there] {
        shown["archive"] = Value::Null;
    }
    assert_eq!(here, there);
    for args in [
        &["runs", "events", id][..],
        &["profile", "list"],
        &["profile", "show", "json:raw"],
        &["schedule", "list"],
        &["adapters"],
        &["keys", "public"],
    ] {
        assert_eq!(world.json(args), served.json(args), "{args:?}");
        let (here, there) = (world.run(args), served.run(args));
        assert_eq!(here.stdout, there.stdout, "{args:?}");
    }
    let listed = served.json(&["runs", "list", "--limit", "1"]);
    assert_eq!(listed["runs"][0]["run_id"], id);

    // A bundle is had again, into a file and into a pipe.
    let again = world.path("again.tar");
    served.json(&["runs", "download", id, "--out", again.to_str().unwrap()]);
    assert_eq!(std::fs::read(&again).unwrap(), bytes);
    let piped = served.run(&["runs", "download", id, "--out", "-"]);
    assert_eq!(piped.bytes, bytes);
    let at_home = world.path("at-home.tar");
    world.json(["runs", "download", id, "--out", at_home.to_str().unwrap()]);
    assert_eq!(std::fs::read(&at_home).unwrap(), bytes);
}

#[test]
fn profiles_and_schedules_are_managed_at_a_service() {
    let world = world(3);
    let served = Served::start(&world, &[]);
    served.login("default");
    let file = world.file(
        "profile.json",
        json!({ "name": "mine", "kind": "json:raw", "description": "a" }).to_string(),
    );
    let made = served.json(&["profile", "create", file.to_str().unwrap()]);
    assert_eq!(made["revision"], 1);
    let config = world.file("config.json", json!({ "records_per_part": 2 }).to_string());
    let config = config.to_str().unwrap();
    let changed = served.json(&["profile", "update", "mine", "--config", config]);
    assert_eq!(changed["revision"], 2);
    let run = served.json(&["run", "mine"]);
    assert_eq!(
        (&run["profile_revision"], &run["parts"]),
        (&json!(2), &json!(2))
    );

    let file = world.file(
        "schedule.json",
        json!({ "name": "nightly", "profile": "mine", "when": "cron(0 3 * * *)" }).to_string(),
    );
    let schedule = served.json(&["schedule", "create", file.to_str().unwrap()]);
    let id = schedule["id"].as_str().unwrap();
    assert_eq!(world.json(["schedule", "show", id]), schedule);
    assert_eq!(
        served.json(&["schedule", "list"])["schedules"],
        json!([schedule])
    );
    served.json(&["schedule", "delete", id]);
    served.error(&["schedule", "show", id], "ERR_UNKNOWN_SCHEDULE", 2);

    let retired = served.json(&["profile", "retire", "mine"]);
    assert!(retired["retired_at"].is_string());
    served.error(&["run", "mine"], "ERR_PROFILE_RETIRED", 2);
    served.error(
        &["profile", "show", "no/such?one"],
        "ERR_UNKNOWN_PROFILE",
        2,
    );
    served.error(&["profile", "show", ".."], "ERR_UNKNOWN_PROFILE", 2);
    let refused = served.error(
        &["run", "json:raw", "--kind", "novel"],
        "ERR_INVALID_REQUEST",
        2,
    );
    assert_eq!(refused["errors"][0]["field"], "selectors.kinds[0]");
}

#[test]
fn broken_connections_cost_nothing() {
    let world = world(20_000);
    let cutter = Cutter::new(&[
        ("/events", 350),
        ("/events", 900),
        ("/download", 30_000),
        ("/download", 200_001),
        ("POST /api/export/runs ", 20),
    ]);
    let served = Served::start(&world, &["--public-url", &cutter.url]);
    cutter.lead_to(served.listen);
    assert_eq!(served.url, cutter.url);
    served.login("default");

    let out = world.path("cut.tar");
    let run = served.json(&["run", "json:raw", "--out", out.to_str().unwrap()]);
    assert_eq!(cutter.left(), []);
    world.json(["verify", out.to_str().unwrap(), "--deep"]);
    let id = run["run_id"].as_str().unwrap();
    let whole = world.path("whole.tar");
    world.json(["runs", "download", id, "--out", whole.to_str().unwrap()]);
    assert!(std::fs::read(&out).unwrap() == std::fs::read(&whole).unwrap());
    // The answer to the submission was lost, but it was one run.
    assert_eq!(
        served.json(&["runs", "list"])["runs"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert!(Archive::read(&out).lines("advisory/").len() > 1);
}

#[test]
fn events_are_followed_without_gap_or_duplicate() {
    let world = world(2_000);
    let cutter = Cutter::new(&[("/events", 500), ("/events", 1_000), ("/events", 1_201)]);
    let served = Served::start(&world, &["--public-url", &cutter.url]);
    cutter.lead_to(served.listen);
    served.login("default");
    let config =
        json!({ "name": "parts", "kind": "json:raw", "config": { "records_per_part": 100 } });
    let file = world.file("profile.json", config.to_string());
    world.json(["profile", "create", file.to_str().unwrap()]);
    let run = world.json(["run", "parts"]);
    let id = run["run_id"].as_str().unwrap();

    let here = world.json(["runs", "events", id]);
    let there = served.json(&["runs", "events", id, "--follow"]);
    assert_eq!(cutter.left(), []);
    assert_eq!(here, there);
    let lines = served.run(&["runs", "events", id, "--follow"]);
    assert_eq!(lines.stdout, world.run(["runs", "events", id]).stdout);
    assert_eq!(
        lines.stdout,
        world.run(["runs", "events", id, "--follow"]).stdout
    );
}

#[test]
fn a_run_is_cancelled_at_a_service() {
    let world = world(10);
    // Nobody does the runs yet, so that they are there to be cancelled.
    let served = Served::start(&world, &["--role", "api"]);
    served.login("default");
    let mut first = Followed::start(&served, &["run", "json:raw"]);
    let mut second = Followed::start(&served, &["run", "json:raw"]);
    let listed = served.json(&["runs", "list"]);
    let ids: Vec<&str> = listed["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["run_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 2);

    // One by Ctrl-C where it is followed, one by its id: the newest is listed first.
    interrupt(&first.child);
    let mut cancelling = served.command(&["runs", "cancel", ids[0], "--json"]);
    let cancelling = cancelling.stdout(Stdio::piped()).spawn().unwrap();
    while ids
        .iter()
        .any(|id| served.json(&["runs", "show", id])["cancellation"].is_null())
    {}
    let _worker = Served::worker(&world);
    let cancelled = cancelling.wait_with_output().unwrap();
    assert!(cancelled.status.success());
    let cancelled: Value = serde_json::from_slice(&cancelled.stdout).unwrap();
    assert_eq!(
        (&cancelled["run_id"], &cancelled["status"]),
        (&json!(ids[0]), &json!("aborted"))
    );
    for run in [&mut first, &mut second] {
        assert_eq!(run.child.wait().unwrap().code(), Some(5));
    }
    for id in ids {
        served.error(&["runs", "cancel", id], "ERR_RUN_ENDED", 2);
    }
}

/// A command that follows a run, which has begun to.
struct Followed {
    child: Child,
    // A pipe that nobody reads from any more would stop it.
    _stderr: BufReader<ChildStderr>,
}

impl Followed {
    fn start(served: &Served<'_>, args: &[&str]) -> Self {
        let mut child = served
            .command(args)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("  ") {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended");
        }
        Self {
            child,
            _stderr: stderr,
        }
    }
}

fn interrupt(child: &Child) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn a_service_that_is_started_again_is_followed_on() {
    let world = world(10);
    let cutter = Cutter::new(&[]);
    let args = ["--role", "api", "--public-url", &cutter.url];
    let served = Served::start(&world, &args);
    cutter.lead_to(served.listen);
    served.login("default");
    let mut run = Followed::start(&served, &["run", "json:raw"]);
    drop(served);
    let served = Served::start(&world, &args);
    cutter.lead_to(served.listen);
    let _worker = Served::worker(&world);
    assert!(run.child.wait().unwrap().success());
}

#[test]
fn commands_of_a_home_refuse_a_service_and_pass_over_a_variable() {
    let world = world(3);
    let server = ["--server", "http://127.0.0.1:9"];
    for args in [
        &["ledger", "stats"][..],
        &["keys", "show"],
        &["runs", "resume"],
        &["run", "json:raw", "--workers", "1"],
        &["run", "json:raw", "--cross-tenant"],
        &["--home", "elsewhere", "runs", "list"],
    ] {
        world.error([args, &server].concat(), "ERR_USAGE");
    }
    // What works offline or on a home does not ask whoever is there.
    for args in [
        &["ledger", "stats"][..],
        &["keys", "show"],
        &["runs", "resume"],
    ] {
        let ran = ran(world.command(args).env("EXPORT_SERVER", server[1]));
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    let (_, _) = world.export("json:raw", &[]);
    let bundle = world.path("export-0.tar");
    let bundle = bundle.to_str().unwrap();
    for args in [&["verify", bundle][..], &["inspect", bundle]] {
        let ran = ran(world.command(args).env("EXPORT_SERVER", server[1]));
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        world.json([args, &server].concat());
    }
    // --home wins over the variable.
    let home = world.home();
    let mut command = world.command(["--home", home.to_str().unwrap(), "runs", "list"]);
    let ran = ran(command.env("EXPORT_SERVER", server[1]));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // Without a login nothing is sent; without a service there is nothing to log in at.
    let mut command = world.command(["runs", "list", "--json"]);
    command
        .env("EXPORT_SERVER", server[1])
        .env("EXPORT_CREDENTIALS", world.path("none.json"));
    let value = crate::support::ran(&mut command).value();
    assert_eq!(value["error_code"], "ERR_UNAUTHENTICATED");
    world.error(["login"], "ERR_USAGE");
    world.error(["login", "--server", "http://export.example"], "ERR_USAGE");
    let mut command = world.command(["login", "--json", "--server", server[1]]);
    command.env("EXPORT_CREDENTIALS", world.path("none.json"));
    let value = crate::support::ran(&mut command).value();
    assert_eq!(value["error_code"], "ERR_SERVER_UNREACHABLE");
    assert_eq!(value["exit_code"], 6);
}
