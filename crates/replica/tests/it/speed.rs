//! Figures, for whoever asks: how fast a full export and a delta are applied, beside `zstd -d | tar x`,
//! and how much memory that takes.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use export_model::Kind;
use serde_json::json;

use crate::support::Site;
use crate::support::bundle::Export;
use crate::support::child::{Child, Kill, keep_key};
use crate::support::evidence::{Evidence, Seeded};

/// So many documents of about so many bytes that compress as evidence does.
fn evidence(documents: u64, bytes: usize) -> Evidence {
    let mut evidence = Evidence::default();
    for number in 0..documents {
        put(&mut evidence, number, 0, bytes);
    }
    evidence
}

fn put(evidence: &mut Evidence, number: u64, revision: u64, bytes: usize) {
    let mut seeded = Seeded::new(number ^ (revision << 40));
    let id = format!("advisory_raw:test.unit:{number:07}");
    let subject = format!("CVE-2026-{number:07}");
    let mut text = String::new();
    while text.len() + 500 < bytes {
        text.push_str(["affected ", "version ", "package ", "fixed in "][seeded.below(4) as usize]);
        text.push_str(&format!("{:x} ", seeded.below(1 << 40)));
    }
    let value = json!({
        "_id": id, "kind": "advisory", "subject_key": subject, "tenant": "acme",
        "source": {"vendor": "test", "stream": "unit"},
        "identifiers": {"primary": subject, "aliases": [format!("GHSA-{number:07}")], "cve": [subject],
            "ghsa": [format!("GHSA-{number:07}")]},
        "linkset": {"purls": [format!("pkg:npm/x{}", number % 5000)], "aliases": []},
        "upstream": {"upstream_id": subject},
        "content": {"format": "OSV", "raw": {"text": text}},
    });
    evidence.0.insert(
        (Kind::Advisory, subject, id),
        value.to_string().into_bytes(),
    );
}

/// Applies a bundle in a process of its own; gives seconds and the most memory, in KiB.
fn timed(site: &Site, bundle: &Path) -> (f64, u64) {
    let key = keep_key(&site.key, site.folder.path());
    let (dir, says) = (site.dir(), site.folder.path().join("says"));
    let child = Child {
        dir: &dir,
        bundle,
        key: &key,
        kill: Kill::Never,
    };
    let began = Instant::now();
    let mut command = Command::new("/usr/bin/env");
    let inner = child.command();
    command.args([
        "python3",
        "-c",
        "import resource,subprocess,sys\nr=subprocess.call(sys.argv[1:])\n\
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\nsys.exit(r)",
    ]);
    command.arg(inner.get_program()).args([
        "--exact",
        "support::child::applies",
        "--ignored",
        "-q",
    ]);
    for (name, value) in inner.get_envs() {
        command.env(name, value.unwrap());
    }
    let output = command.env("REPLICA_SAYS", &says).output().unwrap();
    let seconds = began.elapsed().as_secs_f64();
    let said = std::fs::read_to_string(&says).unwrap();
    assert!(said.starts_with("applied"), "{said}");
    let text = String::from_utf8(output.stdout).unwrap();
    let memory = text.lines().last().unwrap().parse().unwrap_or(0);
    (seconds, memory)
}

#[test]
#[ignore = "figures; takes minutes"]
fn figures() {
    let documents: u64 = std::env::var("DOCUMENTS").map_or(100_000, |text| text.parse().unwrap());
    let bytes: usize = std::env::var("BYTES").map_or(2600, |text| text.parse().unwrap());
    let site = Site::new();
    let work = site.folder.path();
    let mut state = evidence(documents, bytes);
    let full = Export::full_in_parts(1, 10, &state, 50_000);
    let bundle = work.join("full.tar");
    std::fs::write(&bundle, full.bundle(&site.key)).unwrap();
    for number in (0..documents).step_by(100) {
        put(&mut state, number, 1, bytes);
    }
    let delta = Export::delta(2, 20, &full, &state);
    let change = work.join("delta.tar");
    std::fs::write(&change, delta.bundle(&site.key)).unwrap();
    drop((state, delta));

    // The same documents by other tools.
    let other = work.join("other");
    std::fs::create_dir(&other).unwrap();
    let script = "cd \"$1\" && tar xf full.tar && sync && date +%s.%N && \
        for layer in payload/layers/advisory-*; do zstd -dc $layer | tar x -C other; done && \
        sync && date +%s.%N && rm -r payload";
    let output = Command::new("sh")
        .args(["-euc", script, "sh"])
        .arg(work)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let times: Vec<f64> = text.lines().map(|line| line.parse().unwrap()).collect();
    let tar = times[1] - times[0];
    std::fs::remove_dir_all(&other).unwrap();

    let (seconds, memory) = timed(&site, &bundle);
    eprintln!(
        "full of {documents} documents of {bytes} bytes: {seconds:.2} s ({:.0}/s, {memory} KiB); \
         zstd -d | tar x, without a check: {tar:.2} s; ratio {:.2}",
        documents as f64 / seconds,
        tar / seconds
    );
    let (seconds, memory) = timed(&site, &change);
    eprintln!("delta of 1 %: {seconds:.2} s ({memory} KiB)");
    let began = Instant::now();
    assert!(site.verify().is_good());
    eprintln!("verify: {:.2} s", began.elapsed().as_secs_f64());
}
