//! Homes: what opening refuses, full disks, and several processes in one home.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use export_embedded::Home;
use export_model::{
    AdmittedRecord, Facets, Kind, Message, ObjectKey, Phase, Position, RunKey, Sha256Digest, Slots,
    Source, Timestamp, WorkId,
};
use export_ports::{
    Evidence as _, LedgerWriter as _, Liveness as _, Objects as _, PortErrorKind, Queue as _, Row,
    State as _, Transaction,
};
use tempfile::TempDir;

pub(crate) fn key() -> RunKey {
    RunKey {
        tenant: "acme".parse().unwrap(),
        run: "0199f0c2".parse().unwrap(),
    }
}

pub(crate) fn record(number: usize, size: usize) -> AdmittedRecord {
    let id = format!("vex-{number:06}");
    let mut canonical = vec![b'x'; size];
    canonical[..id.len()].copy_from_slice(id.as_bytes());
    AdmittedRecord {
        tenant: key().tenant,
        kind: Kind::Vex,
        position: Position {
            subject_key: "s".to_owned(),
            id: id.clone(),
        },
        source: Source {
            vendor: "v".into(),
            stream: "s".into(),
        },
        upstream_id: id,
        content_hash: Sha256Digest::of(&canonical),
        modified: None,
        facets: Facets::default(),
        policy_snapshot_id: None,
        record_sha256: Sha256Digest::of(&canonical),
        canonical,
    }
}

#[test]
fn a_home_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/home");
    let _home = Home::open(&path).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for file in [
        "state.db",
        "gate.db",
        "queue.db",
        "ledger.db",
        "ledger.db-wal",
    ] {
        assert_eq!(mode(&path.join(file)), 0o600, "{file}");
    }
}

#[test]
fn newer_and_foreign_and_damaged_files_are_refused_by_name() {
    for (name, known) in [
        ("state.db", "up to 2"),
        ("gate.db", "up to 1"),
        ("queue.db", "up to 2"),
        ("ledger.db", "up to 1"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        drop(Home::open(folder.path()).unwrap());
        let file = folder.path().join(name);
        let refused = |kind: PortErrorKind, says: &[&str]| {
            let error = Home::open(folder.path()).err().unwrap();
            assert_eq!(error.kind(), kind, "{error}");
            for text in says.iter().chain([&name]) {
                assert!(error.to_string().contains(text), "{error} says {text}");
            }
        };
        let sql = |sql: &str| {
            let connection = rusqlite::Connection::open(&file).unwrap();
            connection.execute_batch(sql).unwrap();
        };
        sql("PRAGMA user_version = 7");
        refused(PortErrorKind::Newer, &["version 7", known]);
        sql("PRAGMA user_version = 1; PRAGMA application_id = 5");
        refused(PortErrorKind::Damaged, &["not an Export Center"]);
        for side in ["-wal", "-shm"] {
            let _ = fs::remove_file(folder.path().join(format!("{name}{side}")));
        }
        fs::write(&file, vec![b'?'; 20_000]).unwrap();
        refused(PortErrorKind::Damaged, &[]);
    }
}

#[tokio::test]
async fn damage_is_told_from_other_failures() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).unwrap();
    let records = (0..300).map(|number| record(number, 3_000)).collect();
    home.ledger().append(records, Timestamp(1)).await.unwrap();
    drop(home);
    let file = folder.path().join("ledger.db");
    let mut bytes = fs::read(&file).unwrap();
    assert!(bytes.len() > 40 * 16_384, "everything was folded into it");
    // The header stays, so that it still opens.
    bytes[16_384..].fill(0xff);
    fs::write(&file, bytes).unwrap();
    let home = Home::open(folder.path()).unwrap();
    let error = home.ledger().stats().await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Damaged, "{error}");
    assert!(error.to_string().contains("ledger.db"), "{error}");
}

#[tokio::test]
async fn a_home_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    for time in 0..3 {
        let home = Home::open(folder.path()).unwrap();
        let number = usize::try_from(time).unwrap();
        let records = vec![record(number, 100)];
        let appended = home.ledger().append(records, Timestamp(time)).await;
        assert_eq!(appended.unwrap().added, 1);
        let watermark = home.ledger().watermark(&key().tenant).await.unwrap();
        assert_eq!(watermark, number as u64 + 1);
    }
}

/// A file system of its own, for tests that fill it up or forbid writing. Needs the right to mount.
struct Mounted {
    folder: TempDir,
}

impl Mounted {
    fn tmpfs(size: &str) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={size},mode=0700");
        run(
            "mount",
            &["-t", "tmpfs", "-o", &options, "tmpfs"],
            folder.path(),
        )?;
        Ok(Self { folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = run("umount", &["-l"], self.folder.path());
    }
}

fn run(program: &str, arguments: &[&str], path: &Path) -> Result<(), String> {
    let output = Command::new(program)
        .args(arguments)
        .arg(path)
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

/// The file system, or a loud word that the test did not run.
macro_rules! mounted_or_skip {
    ($size:literal) => {
        match Mounted::tmpfs($size) {
            Ok(mounted) => mounted,
            Err(why) => {
                // Past the test harness, which keeps what a passing test prints to itself.
                let _ = writeln!(
                    std::io::stderr(),
                    "skipped: {}: cannot mount a small file system: {why}",
                    module_path!()
                );
                return;
            }
        }
    };
}

#[tokio::test]
async fn a_read_only_home_says_so() {
    let mounted = mounted_or_skip!("64m");
    let path = mounted.path().join("home");
    drop(Home::open(&path).unwrap());
    run("mount", &["-o", "remount,ro"], mounted.path()).unwrap();
    let error = Home::open(&path).err().unwrap();
    assert_eq!(error.kind(), PortErrorKind::ReadOnly, "{error}");
    assert!(error.to_string().contains("home"), "{error}");
    let error = Home::open(&mounted.path().join("new")).err().unwrap();
    assert_eq!(error.kind(), PortErrorKind::ReadOnly, "{error}");
}

#[tokio::test]
async fn a_full_disk_leaves_nothing_half_done() {
    let mounted = mounted_or_skip!("24m");
    let ballast = mounted.path().join("ballast");
    fs::write(&ballast, vec![1; 1 << 20]).unwrap();
    let home = Home::open(&mounted.path().join("home")).unwrap();
    let (ledger, tenant) = (home.ledger(), key().tenant);
    let mut batches = 0;
    let error = loop {
        let first = batches * 100;
        let records = (first..first + 100).map(|n| record(n, 20_000)).collect();
        match ledger.append(records, Timestamp(1)).await {
            Ok(appended) => assert_eq!(appended.added, 100),
            Err(error) => break error,
        }
        batches += 1;
        assert!(batches < 100, "24 MB hold less");
    };
    assert_eq!(error.kind(), PortErrorKind::Full, "{error}");
    assert!(error.to_string().contains("ledger.db"), "{error}");
    let watermark = ledger.watermark(&tenant).await.unwrap();
    assert_eq!(watermark, batches as u64 * 100, "whole batches only");
    let stats = ledger.stats().await.unwrap();
    assert_eq!(stats.sources[0].records, batches as u64 * 100);

    let objects = home.objects();
    let object = ObjectKey::new(&key(), "t1", "big").unwrap();
    let put = objects.put(&object, vec![7; 30 << 20].into()).await;
    assert_eq!(put.unwrap_err().kind(), PortErrorKind::Full);
    assert_eq!(objects.head(&object).await.unwrap(), None);
    let mut upload = objects.upload(&object).await.unwrap();
    let part = upload.part(Bytes::from(vec![7; 30 << 20])).await;
    assert_eq!(part.unwrap_err().kind(), PortErrorKind::Full);
    assert_eq!(upload.state().size(), 0);
    // A part that failed may be tried again: here once somebody made room.
    fs::remove_file(&ballast).unwrap();
    upload.part(Bytes::from_static(b"small")).await.unwrap();
    assert_eq!(upload.complete().await.unwrap().size, 5);
    assert_eq!(objects.read(&object, 0..100).await.unwrap(), "small");
}

#[test]
fn a_home_on_a_full_disk_cannot_be_made() {
    let mounted = mounted_or_skip!("64k");
    let error = Home::open(&mounted.path().join("home")).err().unwrap();
    assert_eq!(error.kind(), PortErrorKind::Full, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_use_one_home() {
    let folder = tempfile::tempdir().unwrap();
    // Two handles share nothing but the files, exactly as two processes do.
    let (one, other) = (
        Home::open(folder.path()).unwrap(),
        Home::open(folder.path()).unwrap(),
    );
    assert!(!one.host().is_gone(other.host().holder()));
    let tenant = key().tenant;
    let first = Transaction::new(&tenant).put(Row::Slots(Slots::empty(&tenant)));
    one.state().commit(first).await.unwrap();
    let count = |home: Home| async move {
        let tenant = key().tenant;
        for _ in 0..40 {
            loop {
                let mut slots = home.state().slots(&tenant).await.unwrap().unwrap();
                slots.admitted += 1;
                let transaction = Transaction::new(&tenant).put(Row::Slots(slots));
                match home.state().commit(transaction).await {
                    Ok(()) => break,
                    Err(error) => assert!(error.is_conflict(), "{error}"),
                }
            }
        }
    };
    let append = |home: Home, first: usize| async move {
        for batch in 0..20 {
            let records = (0..50)
                .map(|n| record(first + batch * 50 + n, 2_000))
                .collect();
            home.ledger().append(records, Timestamp(1)).await.unwrap();
        }
    };
    let tasks = [
        tokio::spawn(count(one.clone())),
        tokio::spawn(count(other.clone())),
        tokio::spawn(append(one.clone(), 0)),
        tokio::spawn(append(other.clone(), 100_000)),
    ];
    for task in tasks {
        task.await.unwrap();
    }
    let slots = other.state().slots(&tenant).await.unwrap().unwrap();
    assert_eq!(slots.admitted, 80);
    assert_eq!(one.ledger().watermark(&tenant).await.unwrap(), 2_000);

    // What one sends, the other receives without being told.
    let message = Message {
        tenant,
        work: WorkId::Plan { run: key().run },
        traceparent: None,
    };
    let patience = Duration::from_secs(20);
    let queue = one.queue();
    let waiting =
        tokio::spawn(async move { queue.receive(Phase::Plan, 1, patience, patience).await });
    other.queue().send(&message, Duration::ZERO).await.unwrap();
    let received = waiting.await.unwrap().unwrap();
    assert_eq!(received[0].message, message);

    let holder = other.host().holder().to_owned();
    drop(other);
    assert!(one.host().is_gone(&holder));
}

/// Whoever stops waiting must not take a message along that was just found for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_stops_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (
        Home::open(folder.path()).unwrap(),
        Home::open(folder.path()).unwrap(),
    );
    let message = Message {
        tenant: key().tenant,
        work: WorkId::Plan { run: key().run },
        traceparent: None,
    };
    let hour = Duration::from_secs(3_600);
    let (mut kept, mut dropped) = (0, 0);
    for round in 0..400_u64 {
        one.queue().send(&message, Duration::ZERO).await.unwrap();
        let patience = Duration::from_micros(round % 40 * 25);
        let queue = one.queue();
        let mut receiving = Box::pin(queue.receive(Phase::Plan, 1, hour, hour));
        // Polled at least once, then dropped wherever it is.
        let received = tokio::select! {
            biased;
            received = &mut receiving => Some(received.unwrap().remove(0)),
            () = async {
                let until = std::time::Instant::now() + patience;
                while std::time::Instant::now() < until {
                    tokio::task::yield_now().await;
                }
            } => None,
        };
        drop(receiving);
        let delivery = if let Some(delivery) = received {
            kept += 1;
            delivery
        } else {
            dropped += 1;
            let wait = Duration::from_secs(20);
            let queue = other.queue();
            let mut found = queue.receive(Phase::Plan, 1, hour, wait).await.unwrap();
            assert_eq!(found.len(), 1, "round {round}: the message is gone");
            found.remove(0)
        };
        assert_eq!((&delivery.message, delivery.receive_count), (&message, 1));
        let queue = other.queue();
        queue
            .acknowledge(Phase::Plan, &delivery.receipt)
            .await
            .unwrap();
    }
    assert!(dropped > 20, "{kept} were received, {dropped} were not");
}

#[test]
fn processes_that_open_a_new_home_at_once_do_not_meet() {
    let folder = tempfile::tempdir().unwrap();
    let path = Arc::new(folder.path().join("home"));
    let threads: Vec<_> = (0..6)
        .map(|_| {
            let path = Arc::clone(&path);
            std::thread::spawn(move || Home::open(&path).map(drop))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
}
