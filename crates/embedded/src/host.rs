//! Which processes of a home are alive.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use export_ports::{Liveness, PortError, PortErrorKind};
use rustix::fs::{FlockOperation, flock};

use crate::failure::io_failed;

/// A process's sign of life: a file in the home's `hosts` folder that it keeps locked. The system
/// unlocks it when the process ends, however it ends.
#[derive(Debug)]
pub struct HostLock {
    folder: PathBuf,
    holder: String,
    path: PathBuf,
    _locked: File,
}

impl HostLock {
    /// Makes and locks a file for this process in `folder`, and removes those of processes that
    /// are gone. Blocks. The caller makes sure that one process at a time does this in one home.
    ///
    /// # Errors
    /// When the file cannot be made or locked.
    pub fn acquire(folder: &Path) -> Result<Self, PortError> {
        let mut random = [0; 6];
        getrandom::fill(&mut random).map_err(|error| {
            PortError::because(PortErrorKind::Unavailable, "naming this process", error)
        })?;
        let holder = format!("p{}-{}", std::process::id(), hex::encode(random));
        let path = lock_path(folder, &holder);
        // Locked before it has its name: nobody ever sees it unlocked while this process lives.
        let unnamed = folder.join(format!("{holder}.new"));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&unnamed)
            .map_err(|error| io_failed("creating", &unnamed, error))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| io_failed("locking", &unnamed, error.into()))?;
        fs::rename(&unnamed, &path).map_err(|error| io_failed("creating", &path, error))?;
        let lock = Self {
            folder: folder.to_owned(),
            holder,
            path,
            _locked: file,
        };
        lock.remove_gone();
        Ok(lock)
    }

    /// The name under which this process holds leases.
    #[must_use]
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// Removes the files of processes that are gone. What cannot be removed is left: it only says
    /// once more what a missing file says too.
    fn remove_gone(&self) {
        let names = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for path in names.map(|entry| entry.path()) {
            // Only one process at a time opens a home, so that an unnamed file is no newcomer's.
            let ours = path
                .extension()
                .is_some_and(|ext| ext == "lock" || ext == "new");
            if ours && is_unlocked(&path) {
                let _ = fs::remove_file(&path);
            }
        }
    }
}

fn lock_path(folder: &Path, holder: &str) -> PathBuf {
    folder.join(format!("{holder}.lock"))
}

/// Whether nobody holds the lock of a file. A file that cannot be opened may be locked.
fn is_unlocked(path: &Path) -> bool {
    match File::open(path) {
        Ok(file) => flock(&file, FlockOperation::NonBlockingLockShared).is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

impl HostLock {
    /// Whether other processes have a sign of life in this folder. When in doubt, yes.
    #[must_use]
    pub fn has_others(&self) -> bool {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return true;
        };
        entries.filter_map(Result::ok).any(|entry| {
            let name = entry.file_name();
            let holder = name.to_str().and_then(|name| name.strip_suffix(".lock"));
            holder.is_some_and(|holder| holder != self.holder && !self.is_gone(holder))
        })
    }
}

impl Liveness for HostLock {
    fn is_gone(&self, holder: &str) -> bool {
        let plain = !holder.is_empty()
            && holder
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-');
        plain && is_unlocked(&lock_path(&self.folder, holder))
    }
}

impl Drop for HostLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_gone_when_its_lock_is() {
        let folder = tempfile::tempdir().unwrap();
        let watcher = HostLock::acquire(folder.path()).unwrap();
        let other = HostLock::acquire(folder.path()).unwrap();
        assert!(!watcher.is_gone(other.holder()));
        assert!(!watcher.is_gone(watcher.holder()));
        let holder = other.holder().to_owned();
        drop(other);
        assert!(watcher.is_gone(&holder));
        assert!(!watcher.is_gone("../x"), "a foreign name says nothing");

        // A process that was killed leaves its file, unlocked.
        let left = folder.path().join("p1-dead.lock");
        fs::write(&left, "").unwrap();
        assert!(watcher.is_gone("p1-dead"));
        // So does one that was killed while it made the file.
        let unnamed = folder.path().join("p2-dead.new");
        fs::write(&unnamed, "").unwrap();
        let _next = HostLock::acquire(folder.path()).unwrap();
        assert!(!left.exists() && !unnamed.exists());
    }
}
