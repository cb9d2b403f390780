//! Not a test of a figure, which depends on the machine, but a way to see it.

use std::process::{Command, Stdio};
use std::time::Instant;

use export_canonical::record::{member_path, string_value};
use export_model::{Kind, Position, ProfileKind};

use super::*;
use crate::test_support::{Record, Sample, archive};

/// Seconds of processor time of this process, or of its children.
fn processor_seconds(children: bool) -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let at = if children { 13 } else { 11 };
    let ticks = |at: usize| -> f64 {
        let field = after_name.split_whitespace().nth(at);
        field.and_then(|field| field.parse().ok()).unwrap_or(0.0)
    };
    (ticks(at) + ticks(at + 1)) / 100.0
}

fn show(what: &str, bytes: u64, children: bool, act: impl FnOnce()) {
    let (start, before) = (Instant::now(), processor_seconds(children));
    act();
    let seconds = start.elapsed().as_secs_f64();
    let processor = processor_seconds(children) - before;
    println!(
        "{what:<24} {:>6.0} MB/s, {:>5.2} processor seconds a GB",
        bytes as f64 / 1e6 / seconds,
        processor / (bytes as f64 / 1e9)
    );
}

/// Advisories from the file that `SPEED_RECORDS` names (canonical lines in canonical order), or
/// generated ones.
fn sample() -> Sample {
    let Ok(path) = std::env::var("SPEED_RECORDS") else {
        return Sample::raw(200_000, 2_700, 50_000);
    };
    let text = std::fs::read(path).unwrap();
    let member = |line: &[u8], name: &str| {
        let value = member_path(line, &[name]).unwrap();
        string_value(value).unwrap().into_owned()
    };
    let records = text
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\n").unwrap())
        .map(|line| Record {
            owner: "acme",
            kind: Kind::Advisory,
            position: Position {
                subject_key: member(line, "subject_key"),
                id: member(line, "_id"),
            },
            canonical: line.to_vec(),
            quarantined: false,
        })
        .collect();
    Sample {
        records,
        records_per_part: 50_000,
        kind: ProfileKind::JsonRaw,
        owners: Vec::new(),
    }
}

#[test]
#[ignore = "shows figures; to be run in release mode, alone"]
fn shows_how_fast_verifying_is() {
    let key = SigningKey::generate().unwrap();
    let trust = trusting(&key);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.tar");
    let members = sample().members(&key);
    std::fs::write(&path, archive(&members)).unwrap();
    let stored: Vec<u8> = members[5..].iter().flat_map(|(_, c)| c.clone()).collect();
    let zst = folder.path().join("content.zst");
    std::fs::write(&zst, &stored).unwrap();
    drop((members, stored));
    let open = || std::fs::File::open(&path).unwrap();
    let size = open().metadata().unwrap().len();
    let verify = |options: &VerifyOptions| {
        let report = verify_archive(open(), &trust, options).unwrap();
        assert_eq!(report.problems, []);
        report.summary.unwrap().content_bytes
    };
    let content = verify(&PLAIN);
    println!("{content} bytes of content in {size}");
    for _ in 0..3 {
        show("openssl dgst -sha256", size, true, || {
            let openssl = Command::new("openssl")
                .args(["dgst", "-sha256"])
                .arg(&path)
                .output();
            assert!(openssl.unwrap().status.success());
        });
        show("verify", size, false, || {
            verify(&PLAIN);
        });
        show("zstd -dc | openssl", content, true, || {
            let piped = Command::new("sh")
                .args(["-c", "zstd -dc \"$0\" | openssl dgst -sha256"])
                .arg(&zst)
                .stdout(Stdio::null())
                .status();
            assert!(piped.unwrap().success());
        });
        for threads in [1, 2] {
            show(
                &format!("verify deep, {threads} threads"),
                content,
                false,
                || {
                    verify(&VerifyOptions {
                        deep: true,
                        threads,
                    });
                },
            );
        }
    }
}
