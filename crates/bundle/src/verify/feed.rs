//! Feeding a verifier: from an archive, or from a folder.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use export_model::ErrorCode;

use super::report::Report;
use super::verifier::{Flow, Verifier};
use super::{Trust, VerifyOptions};
use crate::archive::{ArchiveError, ArchiveFault, ArchiveReader};
use crate::frames::read_some;
use crate::paths::{DOCUMENTS, PAYLOAD, member_order, shown};

/// Bytes read at once from a file of a folder.
const BUFFER_BYTES: usize = 256 << 10;
/// The most files in a folder that are looked at.
const MAX_FILES: usize = 1_000_000;

/// Why a verification could not be done. What is wrong with the bundle is in the report instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The archive cannot be read.
    #[error("could not read the bundle at byte {offset}: {source}")]
    Read {
        /// Where.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// A file or folder cannot be read.
    #[error("could not read {}: {source}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder with more files than any bundle has.
    #[error("{} has more than {MAX_FILES} files; that is no bundle", path.display())]
    TooManyFiles {
        /// Which.
        path: PathBuf,
    },
}

impl VerifyError {
    /// The documented code of this error.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        ErrorCode::Io
    }
}

/// Takes members along while they are verified.
pub(crate) trait Sink {
    /// What goes wrong.
    type Error: From<VerifyError>;
    fn begin(&mut self, path: &str) -> Result<(), Self::Error>;
    fn data(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
    fn end(&mut self) -> Result<(), Self::Error>;
}

struct Nowhere;

impl Sink for Nowhere {
    type Error = VerifyError;

    fn begin(&mut self, _: &str) -> Result<(), VerifyError> {
        Ok(())
    }

    fn data(&mut self, _: &[u8]) -> Result<(), VerifyError> {
        Ok(())
    }

    fn end(&mut self) -> Result<(), VerifyError> {
        Ok(())
    }
}

/// Verifies an archive in one pass. `reader` is read in blocks of 256 KiB and needs no buffer.
///
/// # Errors
/// Only when it cannot be read; whatever is wrong with the bundle is in the report.
pub fn verify_archive(
    reader: impl Read,
    trust: &Trust,
    options: &VerifyOptions,
) -> Result<Report, VerifyError> {
    let mut verifier = Verifier::new(trust, options);
    feed_archive(reader, &mut verifier, &mut Nowhere)?;
    Ok(verifier.finish())
}

pub(crate) fn feed_archive<S: Sink>(
    reader: impl Read,
    verifier: &mut Verifier,
    sink: &mut S,
) -> Result<(), S::Error> {
    let mut archive = ArchiveReader::new(reader);
    loop {
        let member = match archive.next_member() {
            Ok(Some(member)) => member,
            Ok(None) => return Ok(()),
            Err(error) => return Ok(give_up(verifier, error)?),
        };
        match verifier.begin(&member.path, member.size) {
            Flow::Read => {}
            Flow::Skip => continue,
            Flow::Stop => return Ok(()),
        }
        sink.begin(&member.path)?;
        loop {
            match archive.read() {
                Ok(Some(bytes)) => {
                    verifier.data(bytes);
                    sink.data(bytes)?;
                }
                Ok(None) => break,
                Err(error) => return Ok(give_up(verifier, error)?),
            }
        }
        verifier.end();
        sink.end()?;
    }
}

pub(super) fn give_up(verifier: &mut Verifier, error: ArchiveError) -> Result<(), VerifyError> {
    let text = error.to_string();
    let member = error.member.as_deref();
    match error.fault {
        ArchiveFault::Io(source) => {
            return Err(VerifyError::Read {
                offset: error.offset,
                source,
            });
        }
        ArchiveFault::Truncated => verifier.cut(member, &text),
        _ => verifier.damaged(member, &text),
    }
    Ok(())
}

/// Verifies a bundle that was unpacked to a folder. Links and anything else that is no regular
/// file are problems; empty folders are not.
///
/// # Errors
/// When the folder or a file in it cannot be read.
pub fn verify_folder(
    folder: &Path,
    trust: &Trust,
    options: &VerifyOptions,
) -> Result<Report, VerifyError> {
    let mut verifier = Verifier::new(trust, options);
    let mut found = Found::default();
    found.walk(folder, "")?;
    found.files.sort_by(|a, b| member_order(a, b));
    if !found
        .files
        .iter()
        .any(|path| DOCUMENTS.contains(&path.as_str()))
    {
        verifier.damaged(None, "the folder holds none of a bundle's documents");
        return Ok(verifier.finish());
    }
    let mut buffer = vec![0; BUFFER_BYTES];
    for path in &found.files {
        let at = folder.join(path);
        let failed = |source| VerifyError::Folder {
            path: at.clone(),
            source,
        };
        let mut file = File::open(&at).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        match verifier.begin(path, size) {
            Flow::Read => {}
            Flow::Skip => continue,
            Flow::Stop => break,
        }
        loop {
            let read = read_some(&mut file, &mut buffer).map_err(failed)?;
            if read == 0 {
                break;
            }
            verifier.data(buffer.get(..read).unwrap_or_default());
        }
        verifier.end();
    }
    for (path, what) in &found.refused {
        verifier.unexpected(path, what);
    }
    Ok(verifier.finish())
}

/// What is in a folder, by its path in the bundle.
#[derive(Default)]
struct Found {
    files: Vec<String>,
    refused: Vec<(String, &'static str)>,
}

impl Found {
    fn walk(&mut self, folder: &Path, prefix: &str) -> Result<(), VerifyError> {
        let failed = |source| VerifyError::Folder {
            path: folder.to_owned(),
            source,
        };
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if self.files.len() + self.refused.len() >= MAX_FILES {
                return Err(VerifyError::TooManyFiles {
                    path: folder.to_owned(),
                });
            }
            let name = entry.file_name();
            let path = format!("{prefix}{}", name.to_string_lossy());
            let kind = entry.file_type().map_err(failed)?;
            if name.to_str().is_none() {
                self.refused.push((shown(&path), "its name is not UTF-8"));
            } else if kind.is_dir() && prefix.len() < crate::paths::MAX_PATH_BYTES {
                // Only payload/ has folders; what lies in others is extra in any case.
                let below = prefix.is_empty() && path != PAYLOAD;
                if below {
                    self.refused.push((path, "export.json does not list it"));
                } else {
                    self.walk(&entry.path(), &format!("{path}/"))?;
                }
            } else if kind.is_file() {
                self.files.push(path);
            } else {
                self.refused.push((path, "it is not a regular file"));
            }
        }
        Ok(())
    }
}
