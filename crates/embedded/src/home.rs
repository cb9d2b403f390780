//! The home: the folder in which everything of the embedded default lies.
//!
//! ```text
//! state.db  gate.db                  SQLite
//! queue.db  ledger.db
//! objects/  uploads/                 payload bytes, and what is being written
//! scratch/                           what is being merged, made by whoever merges
//! keys/                              the signing key, and trusted public keys
//! hosts/                             a locked file for each process that uses the home
//! open.lock                          held while a process opens the home
//! ```

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use export_host::{RandomIds, SystemClock};
use export_model::ObjectKey;
use export_ports::{Clock, Ids, PortError, PortErrorKind, Ports, Signer};
use export_sealing::HostSeals;
use rustix::fs::{Access, FlockOperation, access, flock};

use crate::HomeSeals;
use crate::failure::io_failed;
use crate::gate::SqliteGate;
use crate::host::HostLock;
use crate::ledger::EmbeddedLedger;
use crate::objects::DirectoryObjects;
use crate::queue::SqliteQueue;
use crate::state::SqliteState;

/// An open home. Clones share everything; the process counts as alive until the last one, and the
/// last [`Ports`] made from one, is dropped.
#[derive(Clone)]
pub struct Home {
    path: PathBuf,
    state: Arc<SqliteState>,
    gate: Arc<SqliteGate>,
    objects: Arc<DirectoryObjects>,
    queue: Arc<SqliteQueue>,
    ledger: Arc<EmbeddedLedger>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    host: Arc<HostLock>,
}

impl Home {
    /// Opens the home at `path` on the system's clock, and makes it (mode 0700) where it is
    /// missing. Blocks.
    ///
    /// # Errors
    /// `ReadOnly` when it cannot be written to, `Full` when there is no space, `Newer` when a newer
    /// version of this program made it, `Damaged` when a file is damaged or not ours. The message
    /// names the file.
    pub fn open(path: &Path) -> Result<Self, PortError> {
        Self::open_with_clock(path, Arc::new(SystemClock))
    }

    /// The same, on another clock.
    ///
    /// # Errors
    /// As [`Home::open`].
    pub fn open_with_clock(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, PortError> {
        make_folder(path)?;
        // Asked of the system, because SQLite opens files that it cannot write to without a word.
        access(path, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| {
            PortError::because(
                PortErrorKind::ReadOnly,
                format!("opening {}", path.display()),
                std::io::Error::from(error),
            )
        })?;
        let _opening = lock_opening(path)?;
        for folder in ["keys", "keys/trusted", "hosts"] {
            make_folder(&path.join(folder))?;
        }
        let host = HostLock::acquire(&path.join("hosts"))?;
        Ok(Self {
            path: path.to_owned(),
            state: Arc::new(SqliteState::open(
                &path.join("state.db"),
                Arc::clone(&clock),
            )?),
            gate: Arc::new(SqliteGate::open(&path.join("gate.db"))?),
            objects: Arc::new(DirectoryObjects::open(path)?),
            queue: Arc::new(SqliteQueue::open(
                &path.join("queue.db"),
                Arc::clone(&clock),
            )?),
            ledger: Arc::new(EmbeddedLedger::open(&path.join("ledger.db"))?),
            ids: Arc::new(RandomIds::new(host.holder())?),
            clock,
            host: Arc::new(host),
        })
    }

    /// The file that holds an object's bytes.
    #[must_use]
    pub fn object_path(&self, key: &ObjectKey) -> PathBuf {
        self.path.join("objects").join(key.as_str())
    }

    /// Whether other processes use this home now.
    #[must_use]
    pub fn has_other_hosts(&self) -> bool {
        self.host.has_others()
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run state.
    #[must_use]
    pub fn state(&self) -> Arc<SqliteState> {
        Arc::clone(&self.state)
    }

    /// The gate.
    #[must_use]
    pub fn gate(&self) -> Arc<SqliteGate> {
        Arc::clone(&self.gate)
    }

    /// The objects.
    #[must_use]
    pub fn objects(&self) -> Arc<DirectoryObjects> {
        Arc::clone(&self.objects)
    }

    /// The queues.
    #[must_use]
    pub fn queue(&self) -> Arc<SqliteQueue> {
        Arc::clone(&self.queue)
    }

    /// The ledger and policy engine, also to be filled.
    #[must_use]
    pub fn ledger(&self) -> Arc<EmbeddedLedger> {
        Arc::clone(&self.ledger)
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// The source of ids and tokens.
    #[must_use]
    pub fn ids(&self) -> Arc<dyn Ids> {
        Arc::clone(&self.ids)
    }

    /// This process's sign of life.
    #[must_use]
    pub fn host(&self) -> Arc<HostLock> {
        Arc::clone(&self.host)
    }

    /// The folder of its keys, for [`FileSigner::open`](crate::FileSigner::open).
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.path.join("keys")
    }

    /// Every port, signing with `signer`.
    #[must_use]
    pub fn ports(&self, signer: Arc<dyn Signer>) -> Ports {
        Ports {
            state: self.state(),
            gate: self.gate(),
            objects: self.objects(),
            queue: self.queue(),
            ledger: self.ledger(),
            policy: self.ledger(),
            seals: Arc::new(HostSeals(HomeSeals::new(self.keys()))),
            signer,
            clock: self.clock(),
            ids: self.ids(),
            liveness: self.host(),
        }
    }
}

fn make_folder(path: &Path) -> Result<(), PortError> {
    match DirBuilder::new().recursive(true).mode(0o700).create(path) {
        Ok(()) => Ok(()),
        Err(error) => Err(io_failed("creating", path, error)),
    }
}

/// Keeps other processes from opening the home at the same moment: making files and migrating them
/// is one process's work.
fn lock_opening(path: &Path) -> Result<File, PortError> {
    let path = path.join("open.lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|error| io_failed("creating", &path, error))?;
    flock(&file, FlockOperation::LockExclusive)
        .map_err(|error| io_failed("locking", &path, error.into()))?;
    Ok(file)
}
