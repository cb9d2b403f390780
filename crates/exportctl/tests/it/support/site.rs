//! Folders that hold a mirror, away from any home.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Ran, World, files_below, program, ran, unpacked};

/// A folder that bundles are applied to.
pub(crate) struct Site<'a> {
    world: &'a World,
    pub(crate) dir: PathBuf,
    key: PathBuf,
}

impl<'a> Site<'a> {
    /// One beside the home of `world`, which knows its public key and nothing else of it.
    pub(crate) fn new(world: &'a World, name: &str) -> Self {
        let key = world.path("signer.pub");
        if !key.exists() {
            world.file("signer.pub", world.run(["keys", "public"]).stdout);
        }
        Self {
            world,
            dir: world.path(name),
            key,
        }
    }

    /// `exportctl mirror …`, without a home; `--json`.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        let mut command = program(&self.world.path("no-home"), ["mirror"]);
        let ran = ran(command.args(args).arg("--json"));
        assert!(!self.world.path("no-home").exists());
        ran
    }

    fn on_dir(&self, name: &str) -> Ran {
        self.run(&[name, "--dir", self.dir.to_str().unwrap()])
    }

    /// Applies a bundle, with more arguments; the signer's key is named where nothing is there yet.
    pub(crate) fn try_apply(&self, bundle: &Path, more: &[&str]) -> Ran {
        let mut args = vec![
            "apply",
            bundle.to_str().unwrap(),
            "--to",
            self.dir.to_str().unwrap(),
        ];
        if !self.dir.exists() && !more.contains(&"--key") {
            args.extend(["--key", self.key.to_str().unwrap()]);
        }
        args.extend(more);
        self.run(&args)
    }

    /// Applies a bundle that must be applied; gives what the mirror remembers of it.
    #[track_caller]
    pub(crate) fn apply(&self, bundle: &Path) -> Value {
        let ran = self.try_apply(bundle, &[]);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        ran.value()["applied"].clone()
    }

    /// Applies a bundle that must be refused, which must change nothing; gives what was said.
    #[track_caller]
    pub(crate) fn refuses(&self, bundle: &Path, more: &[&str], error_code: &str) -> String {
        let before = self.dir.exists().then(|| self.tree());
        let ran = self.try_apply(bundle, more);
        let value = ran.value();
        assert_eq!(value["error_code"], error_code, "{value:#}");
        assert_eq!(value["exit_code"], ran.code);
        assert_ne!(ran.code, 0);
        assert!(
            self.dir.exists().then(|| self.tree()) == before,
            "{error_code}"
        );
        value["detail"].as_str().unwrap().to_owned()
    }

    pub(crate) fn status(&self) -> Value {
        let ran = self.on_dir("status");
        assert_eq!(ran.code, 0, "{}", ran.stdout);
        ran.value()["status"].clone()
    }

    pub(crate) fn log(&self) -> Vec<Value> {
        let ran = self.on_dir("log");
        assert_eq!(ran.code, 0, "{}", ran.stdout);
        ran.value()["log"].as_array().unwrap().clone()
    }

    pub(crate) fn verify(&self) -> Ran {
        self.on_dir("verify")
    }

    /// Every file that readers see, by path.
    pub(crate) fn tree(&self) -> BTreeMap<String, Vec<u8>> {
        let current = self.dir.join("current");
        let current = current.canonicalize().unwrap_or(current);
        files_in(&current)
    }
}

/// Every file below a folder, by path from there.
pub(crate) fn files_in(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    files_below(folder)
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
            (name.to_owned(), std::fs::read(&path).unwrap())
        })
        .collect()
}

/// Asserts that two trees are the same, naming what is not.
#[track_caller]
pub(crate) fn assert_same_tree(
    one: &BTreeMap<String, Vec<u8>>,
    other: &BTreeMap<String, Vec<u8>>,
    when: &str,
) {
    for (path, bytes) in one {
        let there = other.get(path);
        assert!(
            there == Some(bytes),
            "{when}: {path} is in one tree only, or differs"
        );
    }
    for path in other.keys() {
        assert!(
            one.contains_key(path),
            "{when}: {path} is in the other tree only"
        );
    }
}

/// The lines of a bundle's compressed member.
pub(crate) fn lines_in(archive: &super::Archive, member: &str) -> Vec<Value> {
    let text = String::from_utf8(unpacked(archive.get(member))).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
