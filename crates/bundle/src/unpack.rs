//! Unpacking an archive to a folder, verified on the way.
//!
//! Members are written to a new folder beside the target, which only takes the target's name when
//! the whole archive was found good. So there is never a folder of that name with anything in it
//! that was not verified, and an archive needs to be read only once.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use export_model::ErrorCode;

use crate::verify::{
    Report, Sink, Trust, Verdict, Verifier, VerifyError, VerifyOptions, feed_archive,
};

/// How many names are tried for the folder beside the target.
const MAX_ATTEMPTS: u32 = 100;

/// Why a bundle was not unpacked. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// The bundle cannot be read.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// There is something where the bundle should go.
    #[error("{} is there already; choose a folder that does not exist, or an empty one", path.display())]
    Exists {
        /// The target.
        path: PathBuf,
    },
    /// Something cannot be written.
    #[error("could not write {}: {source}", path.display())]
    Write {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The bundle is not what it claims to be, or nobody vouches for it.
    #[error("the bundle was not unpacked, because it is not verified")]
    Refused(Box<Report>),
}

impl UnpackError {
    /// The documented code of this error.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Verify(_) | Self::Exists { .. } => ErrorCode::Io,
            Self::Write { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorCode::DiskFull,
                _ => ErrorCode::Io,
            },
            Self::Refused(report) => report.code.unwrap_or(ErrorCode::NoKey),
        }
    }
}

/// Verifies the archive that `reader` gives and unpacks it to the folder `target`, which must not
/// exist or be empty. Without a trusted key it is only unpacked where `allow_unverified` says so;
/// one in which something is wrong never is.
///
/// # Errors
/// When it cannot be read or written, or is not verified.
pub fn unpack(
    reader: impl Read,
    target: &Path,
    trust: &Trust,
    options: &VerifyOptions,
    allow_unverified: bool,
) -> Result<Report, UnpackError> {
    refuse_existing(target)?;
    let folder = Unfinished::beside(target)?;
    let mut verifier = Verifier::new(trust, options);
    let mut sink = FolderSink {
        root: folder.path.clone(),
        open: None,
    };
    feed_archive(reader, &mut verifier, &mut sink)?;
    let report = verifier.finish();
    let good = match report.verdict {
        Verdict::Verified => true,
        Verdict::NotVerified => allow_unverified,
        Verdict::Failed => false,
    };
    if !good {
        return Err(UnpackError::Refused(Box::new(report)));
    }
    folder.take_name(target)?;
    Ok(report)
}

fn refuse_existing(target: &Path) -> Result<(), UnpackError> {
    let exists = || UnpackError::Exists {
        path: target.to_owned(),
    };
    match std::fs::symlink_metadata(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(UnpackError::Write {
            path: target.to_owned(),
            source,
        }),
        Ok(found) if !found.is_dir() => Err(exists()),
        Ok(_) => {
            let mut entries = std::fs::read_dir(target).map_err(|source| UnpackError::Write {
                path: target.to_owned(),
                source,
            })?;
            if entries.next().is_some() {
                return Err(exists());
            }
            Ok(())
        }
    }
}

/// A folder that is removed unless it takes the target's name.
struct Unfinished {
    path: PathBuf,
    kept: bool,
}

impl Unfinished {
    fn beside(target: &Path) -> Result<Self, UnpackError> {
        let name = target.file_name().ok_or_else(|| UnpackError::Exists {
            path: target.to_owned(),
        })?;
        let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
        let mut path = target.to_owned();
        for attempt in 0..MAX_ATTEMPTS {
            let mut beside = std::ffi::OsString::from(".");
            beside.push(name);
            beside.push(format!(".unpacking-{attempt}"));
            path = target.with_file_name(beside);
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path, kept: false }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
                Err(error) => {
                    last = error;
                    break;
                }
            }
        }
        Err(UnpackError::Write { path, source: last })
    }

    fn take_name(mut self, target: &Path) -> Result<(), UnpackError> {
        let failed = |source| UnpackError::Write {
            path: target.to_owned(),
            source,
        };
        match std::fs::remove_dir(target) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        std::fs::rename(&self.path, target).map_err(failed)?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.kept {
            // Nothing can be done about a folder that cannot be removed; it has a telling name.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Writes members below a folder. Their paths have been checked by the archive's reader.
struct FolderSink {
    root: PathBuf,
    open: Option<(PathBuf, File)>,
}

impl Sink for FolderSink {
    type Error = UnpackError;

    fn begin(&mut self, path: &str) -> Result<(), UnpackError> {
        let path = self.root.join(path);
        let failed = |source| UnpackError::Write {
            path: path.clone(),
            source,
        };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        let file = File::create_new(&path).map_err(failed)?;
        self.open = Some((path, file));
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), UnpackError> {
        if let Some((path, file)) = &mut self.open {
            file.write_all(bytes).map_err(|source| UnpackError::Write {
                path: path.clone(),
                source,
            })?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), UnpackError> {
        self.open = None;
        Ok(())
    }
}

#[cfg(test)]
#[path = "unpack_tests.rs"]
mod tests;
