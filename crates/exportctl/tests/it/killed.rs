//! The program is killed (SIGKILL) at any moment, again and again, on one home: nothing is lost,
//! nothing is done twice, nothing half done is left.
//!
//! When a process dies depends on a seed and on how fast the machine is; what must be true
//! afterwards does not.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use export_embedded::{FileSigner, Home};
use serde_json::Value;

use crate::support::{World, files_below, lines_of};

const KILLS: u32 = 60;
const RECORDS: &str = "3000";
/// After how many rounds it is measured anew how long an export takes.
const REMEASURED: u32 = 15;

/// SplitMix64.
struct Random(u64);

impl Random {
    /// The next number, at least 0 and less than 1.
    fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(u32::try_from((z ^ (z >> 31)) >> 32).unwrap()) / 4_294_967_296.0
    }
}

/// Starts `command` and kills it after `delay`. Says whether it was still running then.
fn killed_after(command: &mut Command, delay: Duration) -> bool {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    sleep(delay);
    child.kill().unwrap();
    !child.wait().unwrap().success()
}

/// How long `work` takes.
fn time_of(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn objects(world: &World) -> usize {
    files_below(&world.home().join("objects")).len()
}

fn runs(world: &World) -> Vec<Value> {
    let listed = world.json(["runs", "list", "--limit", "1000"]);
    listed["runs"].as_array().unwrap().clone()
}

fn verifies(world: &World, bundle: &Path) {
    let verdict = world.json(["verify", "--deep", bundle.to_str().unwrap()]);
    assert_eq!(verdict["verified"], true, "{verdict:#}");
}

/// Its events tell one life, from the first to the last.
fn told_once(world: &World, id: &str) {
    let events = world.json(["runs", "events", id]);
    let events = events["events"].as_array().unwrap();
    let numbers = events.iter().map(|event| event["seq"].as_u64().unwrap());
    assert!(numbers.eq(1..=events.len() as u64), "{events:#?}");
    let ends = events
        .iter()
        .filter(|event| event["status"] == "completed")
        .count();
    assert_eq!(ends, 1, "{events:#?}");
}

#[test]
fn runs_that_are_killed_are_finished() {
    killed_again_and_again("json:raw", KILLS);
}

/// Much of such a run's life is the merge of its parts.
#[test]
fn runs_that_are_killed_while_they_are_assembled_are_finished() {
    killed_again_and_again("trivy:db", 30);
}

/// A home with records, and a profile of `kind` that is named `parts`.
fn with_parts(kind: &str) -> World {
    let world = World::new();
    world.json(["ledger", "generate", "--records", RECORDS, "--seed", "1"]);
    // A part a hundred records, so that there is much to be killed in.
    let config = r#"{"records_per_part": 100}"#;
    let profile = format!(r#"{{"name": "parts", "kind": "{kind}", "config": {config}}}"#);
    let profile = world.file("profile.json", profile);
    world.json(["profile", "create", profile.to_str().unwrap()]);
    world
}

fn killed_again_and_again(kind: &str, kills: u32) {
    let world = with_parts(kind);
    let undisturbed = with_parts(kind);
    let reference = undisturbed.export("parts", &[]).0;
    let of_one = objects(&undisturbed);

    let mut life = Duration::ZERO;
    let mut random = Random(3);
    let mut died = 0;
    let mut rounds = 0;
    while died < kills {
        // Measured now and then: what else the machine does changes.
        if rounds % REMEASURED == 0 {
            life = time_of(|| drop(undisturbed.export("parts", &[])));
        }
        rounds += 1;
        assert!(rounds < 10 * kills, "only {died} of {rounds} were killed");
        let out = world.path(&format!("killed-{rounds}.tar"));
        let mut command = if rounds % 3 == 0 {
            world.command(["runs", "resume"])
        } else {
            world.command([
                "run",
                "parts",
                "--workers",
                "2",
                "--out",
                out.to_str().unwrap(),
            ])
        };
        died += u32::from(killed_after(&mut command, life.mul_f64(random.fraction())));
        // What has its name is whole.
        if out.exists() {
            verifies(&world, &out);
        }
    }

    assert_eq!(world.json(["runs", "resume"])["unfinished"], 0);
    let runs = runs(&world);
    assert!(runs.len() > 10, "only {} runs were begun", runs.len());
    for run in &runs {
        let id = run["run_id"].as_str().unwrap();
        let run = world.json(["runs", "show", id]);
        assert_eq!(run["status"], "completed", "{run:#}");
        assert_eq!(run["content_digest"], reference["content_digest"]);
        told_once(&world, id);
        verifies(&world, Path::new(run["archive"].as_str().unwrap()));
    }
    // Nothing that no run points at, whatever the dead were writing.
    assert_eq!(objects(&world), runs.len() * of_one);
    for folder in ["uploads", "hosts", "scratch"] {
        let left = files_below(&world.home().join(folder));
        assert!(left.is_empty(), "{left:?}");
    }
}

/// What a process does first is to send again what others have left. Says how much it sent; it dies
/// before anybody receives it.
fn sent_again(world: &World) -> usize {
    let home = Home::open(&world.home()).unwrap();
    let signer = Arc::new(FileSigner::open(&home.keys(), None).unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime
        .block_on(export_lifecycle::recover(&home.ports(signer)))
        .unwrap()
}

#[test]
fn what_was_sent_again_by_many_who_were_killed_is_finished() {
    let world = World::new();
    world.json(["ledger", "generate", "--records", "300", "--seed", "1"]);
    let run = world.json(["run", "json:raw", "--detach"]);
    let id = run["run_id"].as_str().unwrap();
    for _ in 0..6 {
        assert_eq!(sent_again(&world), 1);
    }
    assert_eq!(world.json(["runs", "resume"])["unfinished"], 0);
    let run = world.json(["runs", "show", id]);
    assert_eq!(run["status"], "completed", "{run:#}");
    told_once(&world, id);
    // All that is left is to look once more for what was written late, in a quarter of an hour.
    assert_eq!(sent_again(&world), 0);
}

#[test]
fn an_import_that_is_killed_has_done_nothing_or_all() {
    let source = World::new();
    source.json(["ledger", "generate", "--records", RECORDS, "--seed", "1"]);
    let lines = lines_of(&source, "json:raw");
    let file = source.file("in.jsonl", lines.join("\n"));
    let file = file.to_str().unwrap();
    let life = time_of(|| {
        World::new().json(["ledger", "import", file]);
    });

    let mut random = Random(4);
    let (mut died, mut rounds) = (0, 0);
    while died < 20 {
        rounds += 1;
        assert!(rounds < 200, "only {died} of {rounds} were killed");
        let world = World::new();
        let mut command = world.command(["ledger", "import", file]);
        died += u32::from(killed_after(&mut command, life.mul_f64(random.fraction())));
        // Killed early enough, it has not even made a home.
        let records = match world.home().exists() {
            true => world.stats()["records"].as_u64().unwrap(),
            false => 0,
        };
        assert!([0, 3_000].contains(&records), "{records} records");
        let again = world.json(["ledger", "import", file]);
        assert_eq!(
            (again["added"].as_u64(), again["present"].as_u64()),
            (Some(3_000 - records), Some(records))
        );
    }
}
