//! The same program once more, which applies a bundle and may be killed while it does.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use export_replica::{Step, apply};
use export_signing::{PublicKey, SigningKey};

use super::observed;

/// What the child is told.
pub(crate) struct Child<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) bundle: &'a Path,
    pub(crate) key: &'a Path,
    /// When it is to kill itself.
    pub(crate) kill: Kill,
}

/// When a child kills itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kill {
    Never,
    /// When it is to read what comes after so many bytes of the bundle.
    AfterBytes(u64),
    /// At the step with this number.
    AtStep(u64),
}

impl Child<'_> {
    /// The command, which is this test program with another test.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args([
                "--exact",
                "support::child::applies",
                "--nocapture",
                "--ignored",
            ])
            .env("REPLICA_DIR", self.dir)
            .env("REPLICA_BUNDLE", self.bundle)
            .env("REPLICA_KEY", self.key)
            .env(
                "REPLICA_KILL",
                match self.kill {
                    Kill::Never => String::new(),
                    Kill::AfterBytes(bytes) => format!("bytes:{bytes}"),
                    Kill::AtStep(step) => format!("step:{step}"),
                },
            )
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }
}

/// Writes what a child needs of a key.
pub(crate) fn keep_key(key: &SigningKey, folder: &Path) -> PathBuf {
    let path = folder.join("key.pem");
    std::fs::write(&path, key.public_key().to_pem()).unwrap();
    path
}

fn kill_self() {
    let this = rustix::process::getpid();
    rustix::process::kill_process(this, rustix::process::Signal::KILL).unwrap();
}

struct Until<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Until<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            kill_self();
        }
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let read = self.inner.read(&mut buffer[..most])?;
        self.left -= read as u64;
        Ok(read)
    }
}

/// Where steps are, so that one can be named by a number.
fn number(step: Step) -> u64 {
    match step {
        Step::Judged => 0,
        Step::Documents(_) => 1,
        Step::Built => 2,
        Step::Synced => 3,
        Step::EntryInPlace => 4,
        Step::TreeInPlace => 5,
        Step::Committed => 6,
        Step::Pruned => 7,
        _ => panic!("another step"),
    }
}

/// How many steps there are.
pub(crate) const STEPS: u64 = 8;

#[test]
#[ignore = "what other tests run"]
fn applies() {
    let path = |name: &str| PathBuf::from(std::env::var_os(name).unwrap());
    if std::env::var_os("REPLICA_DIR").is_none() {
        return;
    }
    let pem = std::fs::read(path("REPLICA_KEY")).unwrap();
    let keys = [PublicKey::from_pem(&pem).unwrap()];
    let kill = std::env::var("REPLICA_KILL").unwrap();
    let number_of = |prefix: &str| kill.strip_prefix(prefix)?.parse::<u64>().ok();
    let step = number_of("step:");
    let observe = move |now: Step| {
        if step == Some(number(now)) {
            kill_self();
        }
    };
    let bundle = Until {
        inner: std::fs::File::open(path("REPLICA_BUNDLE")).unwrap(),
        left: number_of("bytes:").unwrap_or(u64::MAX),
    };
    let applied = apply(bundle, &path("REPLICA_DIR"), &observed(&keys, &observe));
    let said = match applied {
        Ok(applied) => format!("applied {}\n", applied.entry.version),
        Err(error) => format!("{} {error}\n", error.code()),
    };
    if let Some(file) = std::env::var_os("REPLICA_SAYS") {
        std::fs::write(file, said).unwrap();
    }
}
