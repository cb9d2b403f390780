//! One change of a mirror at a time.
//!
//! The lock is the system's, on an open file: it is gone with its process, however that ends, so there
//! is never a stale one. What the file says is only for whoever has to wait.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::error::{Error, reading, writing};
use crate::place::Place;

/// The most bytes of what a holder says of itself.
const MAX_HOLDER_BYTES: u64 = 200;

/// Held while a mirror is changed.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock of the mirror at `place`, whose folder exists. `holder` is shown to others.
    pub(crate) fn take(place: &Place, holder: &str) -> Result<Self, Error> {
        let path = place.lock();
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(&path)
            .map_err(writing(&path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(Error::Busy {
                    dir: place.root().to_owned(),
                    holder: said(&mut file, &path)?,
                });
            }
            Err(error) => return Err(writing(&path)(error.into())),
        }
        // On a full disk there is no room for a name; the lock is held all the same.
        let _ = file
            .set_len(0)
            .and_then(|()| file.write_all(holder.as_bytes()));
        Ok(Self { file })
    }
}

impl Drop for Lock {
    /// Given back rather than closed: a process that this one has just started has the file open too,
    /// until it runs another program.
    fn drop(&mut self) {
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

fn said(file: &mut File, path: &Path) -> Result<String, Error> {
    let mut bytes = Vec::new();
    file.rewind().map_err(reading(path))?;
    file.take(MAX_HOLDER_BYTES)
        .read_to_end(&mut bytes)
        .map_err(reading(path))?;
    let text: String = String::from_utf8_lossy(&bytes)
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    Ok(if text.is_empty() {
        "another process".to_owned()
    } else {
        text
    })
}
