//! What only the host knows: the time, random names, and which processes are alive.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use export_model::{RunId, Timestamp};
use export_ports::{Clock, Ids, Liveness, PortError, PortErrorKind};
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest as _, Sha256};
use uuid::Builder;

use crate::failure::io_failed;

/// The system's time.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Random ids and tokens.
///
/// The system's randomness is asked once, when this is made, which may fail; every name after that
/// is a hash over the seed and a counter, which cannot.
#[derive(Debug)]
pub struct RandomIds {
    seed: [u8; 32],
    holder: String,
    state: Mutex<Drawn>,
}

#[derive(Debug, Default)]
struct Drawn {
    names: u64,
    /// Millisecond and counter of the newest run id.
    newest: (u64, u16),
}

impl RandomIds {
    /// Random ids of a process that holds leases under the name `holder`.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn new(holder: impl Into<String>) -> Result<Self, PortError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| {
            PortError::because(PortErrorKind::Unavailable, "seeding random ids", error)
        })?;
        Ok(Self {
            seed,
            holder: holder.into(),
            state: Mutex::new(Drawn::default()),
        })
    }

    fn draw(&self, state: &mut Drawn) -> [u8; 32] {
        state.names += 1;
        Sha256::new()
            .chain_update(self.seed)
            .chain_update(state.names.to_le_bytes())
            .finalize()
            .into()
    }
}

impl Ids for RandomIds {
    fn run_id(&self, now: Timestamp) -> RunId {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let random = self.draw(&mut state);
        // UUID version 7 (RFC 9562, 5.7) with a 12-bit counter after the milliseconds (6.2, method
        // 1), so that ids of one process sort as they were made even when the clock steps back.
        let millis = u64::try_from(now.0).unwrap_or(0);
        state.newest = match state.newest {
            (newest, _) if millis > newest => (millis, u16::from(random[10])),
            (newest, 0xfff) => (newest + 1, 0),
            (newest, counter) => (newest, counter + 1),
        };
        let (millis, counter) = state.newest;
        let mut tail = [0; 10];
        tail.copy_from_slice(&random[..10]);
        tail[..2].copy_from_slice(&counter.to_be_bytes());
        let id = Builder::from_unix_timestamp_millis(millis, &tail).into_uuid();
        match id.hyphenated().to_string().parse() {
            Ok(id) => id,
            Err(_) => unreachable!("a UUID is a run id"),
        }
    }

    fn token(&self) -> String {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        hex::encode(&self.draw(&mut state)[..10])
    }

    fn holder(&self) -> String {
        self.holder.clone()
    }
}

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
    fn run_ids_sort_as_they_were_made() {
        let ids = RandomIds::new("p1").unwrap();
        let times = (0..10_000).map(|i| Timestamp(1_800_000_000_000 + i / 3_000 - i / 5_000));
        let made: Vec<_> = times.map(|now| ids.run_id(now)).collect();
        assert!(made.is_sorted_by(|a, b| a < b));
        let id = made[0].as_str();
        assert_eq!((id.len(), &id[14..15]), (36, "7"), "{id}");
    }

    #[test]
    fn tokens_are_plain_and_differ() {
        let (one, other) = (RandomIds::new("a").unwrap(), RandomIds::new("a").unwrap());
        let mut tokens: Vec<_> = (0..100)
            .flat_map(|_| [one.token(), other.token()])
            .collect();
        assert!(
            tokens
                .iter()
                .all(|t| t.len() == 20 && t.bytes().all(|b| b.is_ascii_alphanumeric()))
        );
        tokens.sort_unstable();
        tokens.dedup();
        assert_eq!(tokens.len(), 200);
    }

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
