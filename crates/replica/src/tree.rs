//! A tree on disk: files below one open folder.
//!
//! Everything goes through the folder's descriptor, so that no path is joined or looked up from the
//! root for each of very many files, and no link is followed.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use export_model::Sha256Digest;
use rustix::fs::{AtFlags, Mode, OFlags, linkat, openat};
use sha2::{Digest, Sha256};

use crate::error::{Error, reading, writing};

/// Bytes read at once.
const BUFFER_BYTES: usize = 256 << 10;

/// A folder that holds a tree.
pub(crate) struct Tree {
    path: PathBuf,
    dir: File,
}

/// Why a file of a tree is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Other bytes, or no regular file.
    Changed,
    /// Nothing of that name.
    Missing,
}

impl Tree {
    /// A tree that is there.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|error| reading(path)(error.into()))?;
        Ok(Self {
            path: path.to_owned(),
            dir: dir.into(),
        })
    }

    /// A new one.
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        fs::create_dir_all(path).map_err(writing(path))?;
        Self::open(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file that is not there yet, in whatever folder it belongs.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        self.create_file(name)
            .and_then(|mut file| file.write_all(bytes))
            .map_err(|error| writing(&self.path.join(name))(error))
    }

    fn create_file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        // Nobody is meant to write to a tree: a version shares its unchanged files with the next.
        let mode = Mode::from_raw_mode(0o444);
        let file = match openat(&self.dir, name, flags, mode) {
            Err(rustix::io::Errno::NOENT) => {
                self.create_parent(name)?;
                openat(&self.dir, name, flags, mode)?
            }
            other => other?,
        };
        Ok(file.into())
    }

    fn create_parent(&self, name: &str) -> io::Result<()> {
        match self.path.join(name).parent() {
            Some(parent) => fs::create_dir_all(parent),
            None => Ok(()),
        }
    }

    /// Opens a file, which has to be a regular one.
    pub(crate) fn read(&self, name: &str) -> Result<Result<File, Fault>, Error> {
        use rustix::io::Errno;
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file: File = match openat(&self.dir, name, flags, Mode::empty()) {
            Ok(file) => file.into(),
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Err(Fault::Missing)),
            // A link, a socket, a device that is not there.
            Err(Errno::LOOP | Errno::NXIO | Errno::NODEV) => return Ok(Err(Fault::Changed)),
            Err(error) => return Err(reading(&self.path.join(name))(error.into())),
        };
        let metadata = file.metadata().map_err(reading(&self.path.join(name)))?;
        Ok(if metadata.is_file() {
            Ok(file)
        } else {
            Err(Fault::Changed)
        })
    }

    /// Says whether a file has this digest and size; `buffer` is for its bytes, and holds them all
    /// where `keep` says so.
    pub(crate) fn check(
        &self,
        name: &str,
        sha256: &Sha256Digest,
        size: u64,
        buffer: &mut Vec<u8>,
        keep: bool,
    ) -> Result<Result<(), Fault>, Error> {
        let mut file = match self.read(name)? {
            Ok(file) => file,
            Err(fault) => return Ok(Err(fault)),
        };
        let failed = |error| reading(&self.path.join(name))(error);
        if file.metadata().map_err(failed)?.len() != size {
            return Ok(Err(Fault::Changed));
        }
        let whole = usize::try_from(size).unwrap_or(usize::MAX);
        let mut sha = Sha256::new();
        let mut total = 0;
        // One byte more than there should be, to see the end without another read.
        let room = if keep {
            whole.saturating_add(1)
        } else {
            whole.saturating_add(1).min(BUFFER_BYTES)
        };
        if buffer.len() < room {
            buffer.resize(room, 0);
        }
        loop {
            let from = if keep { total } else { 0 };
            let Some(into) = buffer.get_mut(from..room) else {
                return Ok(Err(Fault::Changed));
            };
            if into.is_empty() {
                return Ok(Err(Fault::Changed));
            }
            let read = match file.read(into) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(error)),
            };
            sha.update(into.get(..read).unwrap_or_default());
            total += read;
            if total > whole {
                return Ok(Err(Fault::Changed));
            }
        }
        let same = total == whole && Sha256Digest(sha.finalize().into()) == *sha256;
        Ok(if same { Ok(()) } else { Err(Fault::Changed) })
    }

    /// Makes a file of `other` one of this tree as well: a second name of the same file, or a copy
    /// where the file system has no such names. None where there is no such file.
    pub(crate) fn link(&self, other: &Self, name: &str) -> Result<Result<(), Fault>, Error> {
        use rustix::io::Errno;
        let link = || linkat(&other.dir, name, &self.dir, name, AtFlags::empty());
        let mut linked = link();
        if linked == Err(Errno::NOENT) {
            self.create_parent(name)
                .map_err(writing(&self.path.join(name)))?;
            linked = link();
        }
        match linked {
            Ok(()) => Ok(Ok(())),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(Err(Fault::Missing)),
            Err(Errno::XDEV | Errno::PERM | Errno::MLINK | Errno::OPNOTSUPP | Errno::NOSYS) => {
                self.copy(other, name)
            }
            Err(error) => Err(writing(&self.path.join(name))(error.into())),
        }
    }

    fn copy(&self, other: &Self, name: &str) -> Result<Result<(), Fault>, Error> {
        let mut from = match other.read(name)? {
            Ok(file) => file,
            Err(fault) => return Ok(Err(fault)),
        };
        self.create_file(name)
            .and_then(|mut to| io::copy(&mut from, &mut to))
            .map_err(writing(&self.path.join(name)))?;
        Ok(Ok(()))
    }
}
