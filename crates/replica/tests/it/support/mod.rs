//! Mirrors, and what is applied to them.

pub(crate) mod bundle;
pub(crate) mod child;
pub(crate) mod evidence;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use export_mirror::listing::{manifest_file, manifest_path};
use export_mirror::path::document;
use export_model::{ErrorCode, Timestamp};
use export_replica::{Applied, Error, Options, Step, Verified, VerifyOptions, apply, verify};
use export_signing::{PublicKey, SigningKey};

use bundle::{Export, indexes, listing};
use evidence::Evidence;

/// A site: a folder for a mirror, and a key that it trusts.
pub(crate) struct Site {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) key: SigningKey,
    pub(crate) trusted: Vec<PublicKey>,
}

impl Site {
    pub(crate) fn new() -> Self {
        let key = SigningKey::generate().unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            trusted: vec![key.public_key().clone()],
            key,
        }
    }

    /// Where the mirror is.
    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("mirror")
    }

    pub(crate) fn options(&self) -> Options<'_> {
        options(&self.trusted)
    }

    pub(crate) fn apply(&self, export: &Export) -> Result<Applied, Error> {
        self.apply_bytes(&export.bundle(&self.key))
    }

    pub(crate) fn apply_bytes(&self, bundle: &[u8]) -> Result<Applied, Error> {
        apply(bundle, &self.dir(), &self.options())
    }

    /// Applies what is to be refused: with this code, saying this, and changing nothing.
    pub(crate) fn refuses(&self, bundle: &[u8], code: ErrorCode, says: &[&str]) {
        let before = tree(&self.dir());
        let error = self.apply_bytes(bundle).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.code(), code, "{text}");
        for part in says {
            assert!(text.contains(part), "`{part}` is not in: {text}");
        }
        assert_eq!(tree(&self.dir()), before);
        assert!(!self.dir().join(".mirror/staging").exists(), "{text}");
    }

    pub(crate) fn verify(&self) -> Verified {
        verify_dir(&self.dir())
    }

    /// Asserts that the tree is just that of `evidence`.
    pub(crate) fn holds(&self, evidence: &Evidence) {
        let found = tree(&self.dir());
        let expected = expected(evidence);
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&found), names(&expected));
        for (path, bytes) in &expected {
            assert!(found[path] == *bytes, "{path}");
        }
    }

    /// A file of the tree that readers see.
    pub(crate) fn current(&self, path: &str) -> PathBuf {
        self.dir().join("current").join(path)
    }
}

pub(crate) fn options(keys: &[PublicKey]) -> Options<'_> {
    Options {
        keys,
        repin: false,
        allow_rollback: false,
        keep: 2,
        now: Timestamp(1_793_000_000_000),
        holder: "a test",
        indexes: None,
        threads: 2,
        unseal: None,
        observe: None,
    }
}

/// Options that tell of each step.
pub(crate) fn observed<'a>(
    keys: &'a [PublicKey],
    observe: &'a (dyn Fn(Step) + Sync),
) -> Options<'a> {
    Options {
        observe: Some(observe),
        ..options(keys)
    }
}

pub(crate) fn verify_dir(dir: &Path) -> Verified {
    let scratch = tempfile::tempdir().unwrap();
    let options = VerifyOptions {
        keys: &[],
        scratch: scratch.path(),
        threads: 2,
        observe: None,
    };
    verify(dir, &options).unwrap()
}

/// What a tree of these documents has, by path.
pub(crate) fn expected(evidence: &Evidence) -> BTreeMap<String, Vec<u8>> {
    let scratch = tempfile::tempdir().unwrap();
    let mut files: BTreeMap<_, _> = indexes(evidence, scratch.path()).into_iter().collect();
    for ((kind, _, id), bytes) in &evidence.0 {
        files.insert(document(*kind, id), bytes.clone());
    }
    for (kind, tally) in listing(evidence).1.kinds {
        files.insert(manifest_path(kind), manifest_file(kind, &tally));
    }
    files
}

/// The files that readers see, by path; none where there is nothing.
pub(crate) fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    // A reader resolves the link once.
    match fs::canonicalize(dir.join("current")) {
        Ok(version) => files_below(&version),
        Err(_) => BTreeMap::new(),
    }
}

pub(crate) fn files_below(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path
                    .strip_prefix(root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}
