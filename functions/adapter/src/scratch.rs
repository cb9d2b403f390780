//! Scratch: a directory for the files that an assembly needs at hand, gone when it ends.
//!
//! Whoever dies leaves its directory behind. In each lies a file that its owner keeps locked, and the
//! system gives that lock up with the process: what is not locked belongs to nobody and is removed by
//! the next who comes.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use export_lifecycle::PhaseError;
use export_model::ErrorCode;
use export_ports::{PortError, PortErrorKind};
use rustix::fs::{FlockOperation, flock};

const PREFIX: &str = "export-scratch-";
const LOCK: &str = "lock";

/// A directory of one assembly. Dropping it removes it with all that is in it.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    _lock: File,
}

impl Scratch {
    /// A new directory in `root`, which is made where it is missing, called after `token`, which no
    /// other has. Removes what the dead have left there. Blocks.
    pub(crate) fn create(root: &Path, token: &str) -> Result<Self, PhaseError> {
        make_root(root)
            .and_then(|()| {
                remove_abandoned(root);
                // It gets its name when it is locked, so that it never looks abandoned.
                let unlocked = root.join(format!(".{PREFIX}{token}"));
                let path = root.join(format!("{PREFIX}{token}"));
                fs::create_dir(&unlocked)?;
                let lock = lock(&unlocked.join(LOCK), true)?;
                fs::rename(&unlocked, &path)?;
                Ok(Self { path, _lock: lock })
            })
            .map_err(|error| failed("making a scratch directory in", root, error))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error,
                "a scratch directory is left to whoever comes next");
        }
    }
}

/// Only its owner may look into it: what lies there is evidence.
fn make_root(root: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(root)
}

fn lock(path: &Path, create: bool) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(create)
        .open(path)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

fn remove_abandoned(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let path = entry.path();
        if is_ours && lock(&path.join(LOCK), false).is_ok() {
            tracing::info!(path = %path.display(), "a scratch directory was left behind");
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// A failed operation on scratch: that there is no space left is a matter of its own, because nothing
/// but this directory is full.
pub(crate) fn failed(doing: &str, path: &Path, error: io::Error) -> PhaseError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => full(path),
        _ => PhaseError::Port(PortError::because(
            PortErrorKind::Unavailable,
            format!("{doing} {}", path.display()),
            error,
        )),
    }
}

/// No space is left for `path`.
pub(crate) fn full(path: &Path) -> PhaseError {
    let detail = format!("no space is left on scratch for {}", path.display());
    PhaseError::permanent(ErrorCode::ScratchFull, detail)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn it_is_gone_with_its_owner() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().join("made");
        let scratch = Scratch::create(&root, "t1").unwrap();
        fs::write(scratch.path().join("x"), "x").unwrap();
        drop(scratch);
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
    }

    #[test]
    fn what_the_dead_left_is_removed_and_what_the_living_use_is_not() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let living = Scratch::create(root, "living").unwrap();
        let dead = root.join(format!("{PREFIX}dead"));
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        fs::write(dead.join("run-00000"), "x").unwrap();
        let foreign = root.join("foreign");
        fs::create_dir(&foreign).unwrap();
        fs::write(foreign.join(LOCK), "").unwrap();

        let other = Scratch::create(root, "other").unwrap();
        assert!(!dead.exists());
        assert!(living.path().is_dir() && other.path().is_dir() && foreign.is_dir());
    }

    #[test]
    fn a_full_disk_has_a_code_of_its_own() {
        let error = |kind| failed("writing", Path::new("/x/y"), io::Error::from(kind));
        let full = error(io::ErrorKind::StorageFull);
        assert_eq!(full.failure().error_code, ErrorCode::ScratchFull);
        assert!(!full.is_retryable(), "{full}");
        let other = error(io::ErrorKind::Interrupted);
        assert_eq!(other.failure().error_code, ErrorCode::Storage);
        assert!(other.is_retryable(), "{other}");
    }
}
