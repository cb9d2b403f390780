//! What has to be on disk before something else may happen.
//!
//! A tree has very many small files. Forcing each of them to disk by itself takes a write of the
//! journal a file; `syncfs` forces all that the file system has to write once, before anything is
//! renamed.

use std::fs::File;
use std::path::Path;

use crate::error::{Error, writing};

/// Forces everything that was written to the file system of `dir` to disk, and fails if some of it
/// could not be written.
#[cfg(target_os = "linux")]
pub(crate) fn file_system(dir: &Path) -> Result<(), Error> {
    let open = File::open(dir).map_err(writing(dir))?;
    rustix::fs::syncfs(&open).map_err(|error| writing(dir)(error.into()))
}

/// The same where one file system cannot be named: all of them are asked to write, and nobody says
/// whether they could.
#[cfg(not(target_os = "linux"))]
pub(crate) fn file_system(_: &Path) -> Result<(), Error> {
    rustix::fs::sync();
    Ok(())
}

/// Forces the names in `dir` to disk.
pub(crate) fn directory(dir: &Path) -> Result<(), Error> {
    File::open(dir)
        .and_then(|open| open.sync_all())
        .map_err(writing(dir))
}
