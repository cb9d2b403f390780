//! Downloads that are cut off, taken up again, or taken in pieces by several connections at once.

use std::path::Path;
use std::process::{Command, Stdio};

use export_api::http::BASE;
use export_model::Sha256Digest;
use export_scenarios::Random;

use crate::support::heavy::{Heavy, heavy};
use crate::support::wire::Wire;
use crate::support::{Ask, Caller, run};

const CUTS: usize = 30;

/// Whether what was downloaded is what was to be downloaded.
fn same(bytes: &[u8], heavy: &Heavy) -> bool {
    bytes.len() == heavy.archive.len()
        && Sha256Digest::of(bytes) == Sha256Digest::of(&heavy.archive)
}

#[test]
fn a_client_that_is_cut_off_thirty_times_has_the_same_bytes() {
    run(async {
        let heavy = heavy().await;
        let caller = heavy.api.caller("acme");
        let size = heavy.archive.len();
        let tag = heavy.run["sha256"].as_str().unwrap();
        let tag = format!("\"{}\"", tag.replace("sha256:", "sha256-"));
        let mut random = Random::new(7);
        let mut bytes = Vec::new();
        let mut cuts = 0;
        while bytes.len() < size {
            let have = bytes.len();
            let mut ask = Ask::get(heavy.path("/download"));
            if have > 0 {
                ask = ask
                    .with("range", format!("bytes={have}-"))
                    .with("if-range", &tag);
            }
            let mut wire = Wire::open(caller.at).await;
            wire.send(&caller.signed(ask).on_the_wire()).await;
            let head = wire.head().await.unwrap();
            assert_eq!(head.status, if have == 0 { 200 } else { 206 });
            assert_eq!(
                head.field("content-length").unwrap(),
                (size - have).to_string()
            );
            let left = size - have;
            // Cut somewhere in what is left, also right after the head; the last time not at all.
            let taken = match cuts < CUTS {
                true => random.below(2 * left / (CUTS - cuts + 1) + 1).min(left - 1),
                false => left,
            };
            bytes.extend(wire.take(taken).await);
            cuts += 1;
        }
        assert_eq!(cuts, CUTS + 1);
        assert!(same(&bytes, heavy));
    });
}

async fn piece(caller: Caller, path: String, first: usize, last: usize) -> Vec<u8> {
    let ask = Ask::get(path).with("range", format!("bytes={first}-{last}"));
    let reply = caller.send(ask).await;
    assert_eq!(reply.status, 206);
    reply.body.to_vec()
}

#[test]
fn eight_connections_with_a_range_each() {
    run(async {
        let heavy = heavy().await;
        let caller = heavy.api.caller("acme");
        let size = heavy.archive.len();
        let each = size.div_ceil(8);
        let pieces: Vec<_> = (0..8)
            .map(|n| {
                let (first, last) = (n * each, ((n + 1) * each).min(size) - 1);
                let path = heavy.path("/download");
                tokio::spawn(piece(caller.clone(), path, first, last))
            })
            .collect();
        let mut bytes = Vec::new();
        for piece in pieces {
            bytes.extend(piece.await.unwrap());
        }
        assert!(same(&bytes, heavy));
    });
}

/// The program, where it is installed.
fn program(name: &str) -> Option<Command> {
    let there = Command::new(name)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if there.is_ok_and(|status| status.success()) {
        return Some(Command::new(name));
    }
    eprintln!("skipped: {name}: it is not installed");
    None
}

/// A file with the beginning of the archive, as a broken connection has left it.
fn begun(folder: &Path, heavy: &Heavy) -> std::path::PathBuf {
    let file = folder.join("bundle.tar");
    std::fs::write(&file, &heavy.archive[..heavy.archive.len() / 3]).unwrap();
    file
}

/// The arguments of a request: its headers behind `flag`, then its URL.
fn arguments(heavy: &Heavy, flag: &str) -> Vec<String> {
    let caller = heavy.api.caller("acme");
    let signed = caller.signed(Ask::get(heavy.path("/download")));
    let mut arguments = Vec::new();
    for (name, value) in signed.fields {
        arguments.push(flag.to_owned());
        arguments.push(format!("{name}: {}", String::from_utf8(value).unwrap()));
    }
    let path = heavy.path("/download");
    arguments.push(format!("http://{}{BASE}{path}", caller.at));
    arguments
}

#[test]
fn curl_takes_it_up_again() {
    run(async {
        let heavy = heavy().await;
        let Some(mut curl) = program("curl") else {
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let file = begun(folder.path(), heavy);
        let ran = curl
            .args(["--fail", "--silent", "--show-error", "--noproxy", "*"])
            .args(["--continue-at", "-", "--output"])
            .arg(&file)
            .args(arguments(heavy, "--header"))
            .output()
            .unwrap();
        assert!(ran.status.success(), "{ran:?}");
        assert!(same(&std::fs::read(&file).unwrap(), heavy));
    });
}

#[test]
fn wget_takes_it_up_again() {
    run(async {
        let heavy = heavy().await;
        let Some(mut wget) = program("wget") else {
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let file = begun(folder.path(), heavy);
        let ran = wget
            .args(["--continue", "--no-verbose", "--no-proxy", "--tries=1"])
            .arg("--output-document")
            .arg(&file)
            .args(
                arguments(heavy, "--header")
                    .chunks(2)
                    .flat_map(|pair| match pair {
                        [flag, value] => vec![format!("{flag}={value}")],
                        rest => rest.to_vec(),
                    }),
            )
            .output()
            .unwrap();
        assert!(ran.status.success(), "{ran:?}");
        assert!(same(&std::fs::read(&file).unwrap(), heavy));
    });
}
