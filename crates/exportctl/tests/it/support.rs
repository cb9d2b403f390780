//! A home of one's own for each test, and the program with a scrubbed environment.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A home in a temporary folder, with room beside it for other files.
pub(crate) struct World {
    folder: TempDir,
}

/// What a command did.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
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
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    Ran {
        code: status.code().unwrap_or(-1),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

impl Ran {
    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}\n{}", self.stdout, self.stderr))
    }
}

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A ledger record around `raw`, with the right content hash.
pub(crate) fn record(tenant: &str, kind: &str, id: &str, raw: &Value) -> Value {
    // `serde_json::Value` sorts members, which for plain ASCII is the canonical order.
    let hash = sha256_hex(raw.to_string().as_bytes());
    json!({
        "_id": format!("{kind}_raw:example.feed:{id}:{}", &hash[..12]),
        "tenant": tenant,
        "kind": kind,
        "subject_key": id,
        "source": {
            "vendor": "example",
            "stream": "feed",
            "api": format!("https://example.com/{id}"),
            "collector_version": "collector/1.0.0",
        },
        "upstream": {
            "upstream_id": id,
            "document_version": "1",
            "fetched_at": "2026-11-01T00:00:00Z",
            "received_at": "2026-11-01T00:00:00Z",
            "content_hash": format!("sha256:{hash}"),
            "signature": {"present": false},
        },
        "content": {"format": "OSV", "spec_version": "1.6.0", "raw": raw},
        "identifiers": {"primary": id, "aliases": [id], "cve": [], "ghsa": []},
        "linkset": {
            "purls": [format!("pkg:npm/{}", id.to_lowercase())],
            "cpes": [],
            "aliases": [id],
            "references": [],
            "reconciled_from": ["/affected"],
        },
    })
}

/// An OSV-shaped advisory.
pub(crate) fn advisory(id: &str) -> Value {
    json!({
        "id": id,
        "modified": "2026-10-01T00:00:00Z",
        "summary": format!("Something is wrong with {id}"),
        "affected": [{"package": {"ecosystem": "npm", "name": id.to_lowercase()}}],
    })
}

/// `count` records of `tenant` as JSON lines.
pub(crate) fn lines(tenant: &str, count: u32) -> String {
    (0..count)
        .map(|n| {
            let id = format!("EX-{n:05}");
            format!("{}\n", record(tenant, "advisory", &id, &advisory(&id)))
        })
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
