//! A new file with an archive: written beside its final name, so that it appears whole or not at
//! all.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::failure::Failed;

/// An archive on its way into a file.
pub(crate) struct ArchiveFile<'a> {
    part: NamedTempFile,
    to: &'a Path,
}

impl<'a> ArchiveFile<'a> {
    pub(crate) fn create(to: &'a Path) -> Result<Self, Failed> {
        let folder = match to.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let part = tempfile::Builder::new()
            .prefix(".bundle-")
            .tempfile_in(folder)
            .map_err(|e| Failed::write(to, &e))?;
        Ok(Self { part, to })
    }

    /// Adds bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        self.part
            .write_all(bytes)
            .map_err(|e| Failed::write(self.to, &e))
    }

    /// Adds all that is in `source`.
    pub(crate) fn copy(&mut self, source: &mut File) -> Result<(), Failed> {
        io::copy(source, self.part.as_file_mut())
            .map(drop)
            .map_err(|e| Failed::write(self.to, &e))
    }

    /// Gives the file its name.
    pub(crate) fn finish(self) -> Result<(), Failed> {
        let Self { part, to } = self;
        part.as_file()
            .sync_all()
            .and_then(|()| open_to_others(part.as_file()))
            .map_err(|e| Failed::write(to, &e))?;
        part.persist(to).map_err(|e| Failed::write(to, &e.error))?;
        Ok(())
    }
}

/// Temporary files are private; an archive is as public as its owner's other files.
#[cfg(unix)]
fn open_to_others(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn open_to_others(_file: &File) -> io::Result<()> {
    Ok(())
}
