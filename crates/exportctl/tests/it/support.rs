//! A home of one's own for each test, and the program with a scrubbed environment.

mod archive;
mod door;
mod records;
mod referees;
mod sandbox;
mod sealed;
mod served;
mod service;
mod site;
mod tampered;

use std::cell::Cell;
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub(crate) use archive::{Archive, header, unpacked};
pub(crate) use door::Door;
pub(crate) use records::{advisory, advisory_at, finding, lines, record, snapshot};
pub(crate) use referees::{cosign_accepts, openssl_accepts};
pub(crate) use sandbox::{found_program, with_mounts};
pub(crate) use sealed::{KINDS, POLICY, Pair, Sealed, export, identity, key, text};
pub(crate) use served::{Cutter, Served};
pub(crate) use service::{Answer, Client, Service, send};
pub(crate) use site::{Site, assert_same_tree, files_in, lines_in};
pub(crate) use tampered::Tampered;

/// A home in a temporary folder, with room beside it for other files.
pub(crate) struct World {
    folder: TempDir,
    exports: Cell<u32>,
}

/// What a command did.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    /// Standard output as it came.
    pub(crate) bytes: Vec<u8>,
    pub(crate) stderr: String,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            exports: Cell::new(0),
        }
    }

    /// A path beside the home.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// Writes a file beside the home.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// The program on this home, with nothing of the caller's environment but `PATH`.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        program(&self.home(), args)
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        ran(&mut self.command(args))
    }

    /// Runs a command that must succeed; gives its `--json` result.
    pub(crate) fn json<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Value {
        let mut command = self.command(args);
        command.arg("--json");
        let ran = ran(&mut command);
        assert_eq!(ran.code, 0, "{command:?}\n{}{}", ran.stdout, ran.stderr);
        ran.value()
    }

    /// Writes `text` beside the home and imports it.
    pub(crate) fn import(&self, name: &str, text: impl AsRef<[u8]>) -> Value {
        let path = self.file(name, text);
        self.json([OsStr::new("ledger"), OsStr::new("import"), path.as_os_str()])
    }

    /// Runs a profile with more arguments; gives its result and its bundle.
    pub(crate) fn export(&self, profile: &str, args: &[&str]) -> (Value, Archive) {
        let out = self.path(&format!("export-{}.tar", self.exports.get()));
        self.exports.set(self.exports.get() + 1);
        let mut all = vec!["run", profile, "--out", out.to_str().unwrap()];
        all.extend(args);
        let run = self.json(all);
        assert_eq!(run["status"], "completed", "{run:#}");
        let archive = Archive::read(&out);
        (run, archive)
    }

    /// What the ledger holds.
    pub(crate) fn stats(&self) -> Value {
        self.json(["ledger", "stats"])
    }

    /// A JSON document beside the home.
    pub(crate) fn value(&self, name: &str) -> Value {
        let bytes = std::fs::read(self.path(name)).unwrap();
        serde_json::from_slice(&bytes)
            .unwrap_or_else(|e| panic!("{name}: {e}: {}", String::from_utf8_lossy(&bytes)))
    }

    /// Runs a command that must fail with `error_code`; gives its whole `--json` error.
    pub(crate) fn error<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        error_code: &str,
    ) -> Value {
        let mut command = self.command(args);
        command.arg("--json");
        let ran = ran(&mut command);
        assert_ne!(ran.code, 0, "{command:?}\n{}", ran.stdout);
        let value = ran.value();
        assert_eq!(value["error_code"], error_code, "{command:?}\n{value:#}");
        assert_eq!(value["exit_code"], ran.code);
        value
    }
}

pub(crate) fn program<S: AsRef<OsStr>>(home: &Path, args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_exportctl"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("EXPORT_HOME", home)
        .env("SOURCE_DATE_EPOCH", "1780000000")
        .args(args)
        .stdin(Stdio::null());
    command
}

pub(crate) fn ran(command: &mut Command) -> Ran {
    Ran::new(command.output().unwrap())
}

/// Runs `command` with `input` on its standard input.
pub(crate) fn fed(command: &mut Command, input: &[u8]) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        // A program that has heard enough closes the pipe.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    });
    Ran::new(output)
}

impl Ran {
    fn new(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            bytes: output.stdout,
        }
    }

    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}\n{}", self.stdout, self.stderr))
    }
}

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// What `profile` exports of `world`: every line, in order.
pub(crate) fn lines_of(world: &World, profile: &str) -> Vec<String> {
    let (_, archive) = world.export(profile, &[]);
    ["advisory/", "finding/", "sbom/", "vex/"]
        .iter()
        .flat_map(|kind| archive.lines(kind))
        .collect()
}

/// Every file below `folder`.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return found;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The real evidence, where this machine has it: named by `EXPORT_EVIDENCE`, else beside the
/// project.
pub(crate) fn evidence() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence");
    let path = std::env::var_os("EXPORT_EVIDENCE").map_or(beside, PathBuf::from);
    if path.is_dir() {
        return path.canonicalize().ok();
    }
    eprintln!(
        "skipped: no evidence set at {}; set EXPORT_EVIDENCE",
        path.display()
    );
    None
}
