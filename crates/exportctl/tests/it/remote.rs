//! What works on a home works the same at a service: `--server`.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStderr, Command, Stdio};

use export_authority::Scopes;
use export_authority::client::ProofKey;
use export_authority::dev::{DevAuthority, Grant};
use export_model::Timestamp;
use serde_json::{Value, json};

use crate::support::{Archive, Cutter, Served, World, fed, ran, sha256_hex};

fn world(records: u32) -> World {
    let world = World::new();
    let records = records.to_string();
    world.json(["ledger", "generate", "--records", &records, "--seed", "7"]);
    world
}

fn members(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

fn mode(path: &std::path::Path) -> u32 {
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
fn a_login_is_for_one_tenant_and_ends() {
    let world = world(3);
    let served = Served::start(&world, &[]);
    served.error(&["runs", "list"], "ERR_UNAUTHENTICATED", 8);
    let told = served.json(&[
        "login",
        "--tenant",
        "acme",
        "--subject",
        "ci",
        "--scope",
        "export:read",
    ]);
    assert_eq!(told["tenant"], "acme");
    assert_eq!(told["subject"], "ci");
    assert_eq!(told["scopes"], json!(["export:read"]));
    served.error(&["runs", "list", "--tenant", "other"], "ERR_USAGE", 2);
    served.error(&["run", "json:raw"], "ERR_SCOPE_MISSING", 8);
    served.login("acme");
    // What is another tenant's is not there.
    let (run, _) = world.export("json:raw", &[]);
    let id = run["run_id"].as_str().unwrap();
    served.error(&["runs", "show", id], "ERR_UNKNOWN_RUN", 2);
    served.error(&["runs", "download", id, "--out", "-"], "ERR_USAGE", 2);

    // A token that has ended, as the client knows, and as only the service knows.
    let path = served.credentials();
    let mut stored: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let key = ProofKey::from_pem(stored["proof_key"].as_str().unwrap()).unwrap();
    let authority = std::fs::read_to_string(world.home().join("keys/dev-authority.key")).unwrap();
    let grant = Grant {
        subject: "ci".into(),
        tenant: "acme".parse().unwrap(),
        scopes: Scopes::all(),
        ttl_seconds: 60,
        jkt: key.thumbprint().to_owned(),
    };
    let issuer = format!("{}/dev-authority", served.url);
    let then = Timestamp(1_700_000_000_000);
    let token = DevAuthority::from_pem(&authority)
        .unwrap()
        .mint(&grant, &issuer, &served.url, then, "an-old-one")
        .unwrap();
    stored["access_token"] = token.clone().into();
    for end in ["2023-11-14T22:14:20.000Z", "2999-01-01T00:00:00.000Z"] {
        stored["expires_at"] = end.into();
        std::fs::write(&path, stored.to_string()).unwrap();
        let error = served.error(&["runs", "list"], "ERR_TOKEN_EXPIRED", 8);
        let detail = error["detail"].as_str().unwrap();
        assert!(
            detail.contains("log in: exportctl --server http"),
            "{detail}"
        );
        assert!(!error.to_string().contains(&token));
    }
    assert_eq!(served.json(&["logout"])["logged_out"], true);
    assert!(!path.exists());
    assert_eq!(served.json(&["logout"])["logged_out"], false);
}

#[test]
fn a_token_from_elsewhere_is_taken_for_the_key_it_was_made_for() {
    let world = world(3);
    let served = Served::start(&world, &[]);
    // Makes the dev authority's key, and one that the token is not for.
    served.login("default");
    let made = served.json(&["login", "--new-key"]);
    let authority = std::fs::read_to_string(world.home().join("keys/dev-authority.key")).unwrap();
    let authority = DevAuthority::from_pem(&authority).unwrap();
    let mint = |jkt: &str| {
        let grant = Grant {
            subject: "robot".into(),
            tenant: "default".parse().unwrap(),
            scopes: Scopes::all(),
            ttl_seconds: 4_000_000_000,
            jkt: jkt.to_owned(),
        };
        let issuer = format!("{}/dev-authority", served.url);
        let then = Timestamp(1_700_000_000_000);
        authority
            .mint(&grant, &issuer, &served.url, then, "given")
            .unwrap()
    };
    let other = world.file(
        "other.jwt",
        mint(ProofKey::generate().unwrap().thumbprint()),
    );
    served.error(
        &["login", "--token", other.to_str().unwrap()],
        "ERR_TOKEN_INVALID",
        8,
    );
    let token = mint(made["thumbprint"].as_str().unwrap());
    let mut login = served.command(&["login", "--token", "-", "--json"]);
    let told = fed(&mut login, format!("{token}\n").as_bytes());
    assert_eq!(told.code, 0, "{}{}", told.stdout, told.stderr);
    assert_eq!(told.value()["subject"], "robot");
    assert_eq!(told.value()["thumbprint"], made["thumbprint"]);
    assert!(!told.stdout.contains(&token) && !told.stderr.contains(&token));
    assert_eq!(served.json(&["run", "json:raw"])["status"], "completed");
}

#[test]
fn credentials_are_their_owners_only_and_are_not_logged() {
    let world = world(3);
    let served = Served::start(&world, &[]);
    let config = world.path("config");
    let private = |args: &[&str]| {
        let mut command = served.command(args);
        command
            .env_remove("EXPORT_CREDENTIALS")
            .env("XDG_CONFIG_HOME", &config)
            .env("HOME", world.path("nobody"))
            .env("RUST_LOG", "trace");
        ran(&mut command)
    };
    let told = private(&["login"]);
    assert_eq!(told.code, 0, "{}", told.stderr);
    let folder = config.join("export-center/servers");
    let name = served
        .url
        .strip_prefix("http://")
        .unwrap()
        .replace(':', "_");
    let file = folder.join(format!("{name}.json"));
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(&folder), 0o700);
    let stored: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let token = stored["access_token"].as_str().unwrap();
    let run = private(&["run", "json:raw", "-vv"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for text in [&told.stdout, &told.stderr, &run.stdout, &run.stderr] {
        assert!(
            !text.contains(token) && !text.contains("PRIVATE KEY"),
            "{text}"
        );
    }
    // They go to no other service.
    let mut elsewhere =
        served.command(&["runs", "list", "--server", "https://127.0.0.1:1", "--json"]);
    let elsewhere = ran(elsewhere.env("EXPORT_CREDENTIALS", &file));
    assert_eq!(elsewhere.value()["error_code"], "ERR_UNAUTHENTICATED");
}

#[test]
fn proof_gives_curl_what_it_needs() {
    let world = world(3);
    let served = Served::start(&world, &[]);
    served.login("default");
    let refused = served.error(
        &["proof", "GET", "https://elsewhere.example/"],
        "ERR_USAGE",
        2,
    );
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("no other service")
    );
    let path = "/api/export/runs?limit=1";
    let proof = served.run(&["proof", "get", path]);
    assert_eq!(proof.code, 0, "{}", proof.stderr);
    let mut lines = proof.stdout.lines();
    assert!(lines.next().unwrap().starts_with("Authorization: DPoP "));
    assert!(lines.next().unwrap().starts_with("DPoP: "));
    assert_eq!(lines.next(), None);
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("skipped: curl: not installed");
        return;
    }
    let url = format!("{}{path}", served.url);
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--fail-with-body",
        "--noproxy",
        "*",
        "-H",
        "@-",
        &url,
    ]);
    let answer = fed(&mut curl, proof.stdout.as_bytes());
    assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
    assert_eq!(answer.value()["runs"], json!([]));
    // It is good for one request.
    let again = fed(&mut curl, proof.stdout.as_bytes());
    assert_eq!(again.value()["error_code"], "ERR_DPOP_REPLAYED");
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
