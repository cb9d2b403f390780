//! The payload's members, in one pass, each checked against what was signed.
//!
//! The digest of a member's stored bytes is known when it ends. What is made of its content before
//! that lies in staging, where nobody reads it.

use std::io::{self, Read};
use std::sync::Arc;

use export_bundle::archive::{ArchiveError, ArchiveFault, ArchiveReader};
use export_bundle::frames::{FrameReader, ReadError};
use export_bundle::manifest::{Algorithm, FileEntry, Manifest};
use export_model::Sha256Digest;
use export_sealing::Keyring;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::open::open;

/// Reads the payload of a bundle whose documents were read.
pub(crate) struct Payload<R> {
    archive: ArchiveReader<R>,
    manifest: Arc<Manifest>,
    next: usize,
    keys: Option<Arc<Keyring>>,
}

impl<R: Read> Payload<R> {
    pub(crate) fn new(
        archive: ArchiveReader<R>,
        manifest: Arc<Manifest>,
        keys: Option<Arc<Keyring>>,
    ) -> Self {
        Self {
            archive,
            manifest,
            next: 0,
            keys,
        }
    }

    /// The member that comes next, as the manifest lists it.
    pub(crate) fn next_path(&self) -> Option<&str> {
        let file = self.manifest.files.get(self.next)?;
        Some(&file.path)
    }

    /// Goes to the next member and gives its content to `take`, which may leave some of it. Its
    /// digest has been checked when this returns.
    pub(crate) fn read<T>(
        &mut self,
        take: impl FnOnce(&mut Content<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let manifest = Arc::clone(&self.manifest);
        let file = manifest.files.get(self.next).ok_or(Error::Internal(
            "a member was read that the manifest does not list",
        ))?;
        self.next += 1;
        self.begin(file)?;
        let mut stored = Stored {
            archive: &mut self.archive,
            sha: Sha256::new(),
            failed: None,
        };
        let taken = content(self.keys.as_ref(), file, &mut stored).and_then(|mut content| {
            let taken = take(&mut content)?;
            content.finish().map_err(|error| altered(file, &error))?;
            Ok(taken)
        });
        stored.finish(file, taken)
    }

    /// Goes over the next member; its digest is checked all the same.
    pub(crate) fn skip(&mut self) -> Result<(), Error> {
        let manifest = Arc::clone(&self.manifest);
        let Some(file) = manifest.files.get(self.next) else {
            return Ok(());
        };
        self.next += 1;
        self.begin(file)?;
        Stored {
            archive: &mut self.archive,
            sha: Sha256::new(),
            failed: None,
        }
        .finish(file, Ok(()))
    }

    /// Checks that nothing comes after the last member.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        match self.archive.next_member().map_err(failed)? {
            None => Ok(()),
            Some(member) => Err(Error::Altered {
                path: member.path,
                what: "is not listed in export.json, or out of order".to_owned(),
            }),
        }
    }

    fn begin(&mut self, file: &FileEntry) -> Result<(), Error> {
        let Some(member) = self.archive.next_member().map_err(failed)? else {
            return Err(Error::Incomplete {
                what: format!("`{}` is missing", file.path),
            });
        };
        if member.path != file.path {
            let listed = self.manifest.listed(&member.path).is_some();
            return Err(if listed {
                Error::Incomplete {
                    what: format!("`{}` is missing, or out of order", file.path),
                }
            } else {
                Error::Altered {
                    path: member.path,
                    what: "is not listed in export.json".to_owned(),
                }
            });
        }
        if member.size != file.size {
            return Err(Error::Altered {
                path: member.path,
                what: format!("has {} bytes, but {} were signed", member.size, file.size),
            });
        }
        Ok(())
    }
}

/// The stored bytes of a member, hashed as they pass.
struct Stored<'a, R> {
    archive: &'a mut ArchiveReader<R>,
    sha: Sha256,
    failed: Option<ArchiveError>,
}

impl<R: Read> Read for Stored<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.archive.read_into(buffer) {
            Ok(read) => {
                self.sha.update(buffer.get(..read).unwrap_or_default());
                Ok(read)
            }
            Err(error) => {
                let text = error.to_string();
                self.failed = Some(error);
                Err(io::Error::other(text))
            }
        }
    }
}

impl<R: Read> Stored<'_, R> {
    /// Reads what was left, and judges: bytes that are not the signed ones are told before whatever
    /// came of them.
    fn finish<T>(mut self, file: &FileEntry, taken: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &taken
            && !of_the_bundle(error)
        {
            return taken;
        }
        while self.failed.is_none() {
            match self.archive.read() {
                Ok(Some(bytes)) => self.sha.update(bytes),
                Ok(None) => break,
                Err(error) => self.failed = Some(error),
            }
        }
        if let Some(error) = self.failed {
            return Err(failed(error));
        }
        let digest = Sha256Digest(self.sha.finalize().into());
        if digest != file.sha256 {
            return Err(Error::Altered {
                path: file.path.clone(),
                what: format!("has the digest {digest}, but {} was signed", file.sha256),
            });
        }
        taken
    }
}

/// Whether an error is about what is in the bundle, rather than where it is put.
fn of_the_bundle(error: &Error) -> bool {
    matches!(
        error,
        Error::Altered { .. } | Error::Incomplete { .. } | Error::Open { .. }
    )
}

/// The content of a member: opened, decompressed, and not longer than was signed.
pub(crate) struct Content<'r> {
    inner: Inner<'r>,
    path: &'r str,
    /// Bytes that may still come.
    left: u64,
    size: u64,
}

enum Inner<'r> {
    Plain(Box<dyn Read + 'r>),
    Frames {
        reader: FrameReader<Box<dyn Read + 'r>>,
        frame: Vec<u8>,
        at: usize,
    },
}

fn content<'r, R: Read>(
    keys: Option<&Arc<Keyring>>,
    file: &'r FileEntry,
    stored: &'r mut Stored<'_, R>,
) -> Result<Content<'r>, Error> {
    let opened = open(keys, &file.path, Box::new(stored))?;
    let inner = match file.compression.map(|compression| compression.algorithm) {
        None => Inner::Plain(opened),
        Some(Algorithm::Zstd) => Inner::Frames {
            reader: FrameReader::new(opened)
                .map_err(|_| Error::Internal("no memory for a decompressor"))?,
            frame: Vec::new(),
            at: 0,
        },
        Some(Algorithm::Gzip) => {
            return Err(Error::Altered {
                path: file.path.clone(),
                what: "is compressed with gzip, which no mirror is".to_owned(),
            });
        }
    };
    Ok(Content {
        inner,
        path: &file.path,
        left: file.content_size,
        size: file.content_size,
    })
}

impl Content<'_> {
    /// The member's path in the bundle.
    pub(crate) fn path(&self) -> &str {
        self.path
    }

    /// Bytes that were signed.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Something is wrong with the content.
    pub(crate) fn wrong(&self, error: &dyn std::error::Error) -> Error {
        Error::Altered {
            path: self.path.to_owned(),
            what: format!("cannot be used: {}", with_causes(error)),
        }
    }

    /// All of it, where that is at most `limit` bytes.
    pub(crate) fn all(&mut self, limit: u64) -> Result<Vec<u8>, Error> {
        if self.size > limit {
            return Err(Error::Altered {
                path: self.path.to_owned(),
                what: format!("has {} bytes, and at most {limit} are read", self.size),
            });
        }
        let mut bytes = Vec::new();
        match self.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(self.wrong(&error)),
        }
    }

    /// Checks that all that was signed has come, and nothing more.
    fn finish(&mut self) -> io::Result<()> {
        let mut rest = [0; 4096];
        while self.read(&mut rest)? > 0 {}
        if self.left > 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{} of {} bytes are missing", self.left, self.size),
            ));
        }
        Ok(())
    }
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = match &mut self.inner {
            Inner::Plain(reader) => reader.read(buffer)?,
            Inner::Frames { reader, frame, at } => {
                while *at == frame.len() {
                    *at = 0;
                    let more = reader.next_frame(frame).map_err(|error| match error {
                        ReadError::Io(error) => error,
                        ReadError::Frame(error) => {
                            io::Error::new(io::ErrorKind::InvalidData, error)
                        }
                    })?;
                    if !more {
                        return Ok(0);
                    }
                }
                let from = frame.get(*at..).unwrap_or_default();
                let take = from.len().min(buffer.len());
                if let (Some(to), Some(from)) = (buffer.get_mut(..take), from.get(..take)) {
                    to.copy_from_slice(from);
                }
                *at += take;
                take
            }
        };
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "it unpacks to more than the {} bytes that were signed",
                    self.size
                ),
            )
        })?;
        Ok(read)
    }
}

fn altered(file: &FileEntry, error: &io::Error) -> Error {
    Error::Altered {
        path: file.path.clone(),
        what: format!("cannot be used: {error}"),
    }
}

/// An error with what caused it, in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

/// An archive that cannot be read on.
pub(crate) fn failed(error: ArchiveError) -> Error {
    match error.fault {
        ArchiveFault::Io(source) => Error::ReadBundle {
            offset: error.offset,
            source,
        },
        ArchiveFault::Truncated => Error::Incomplete {
            what: error.to_string(),
        },
        _ => Error::Altered {
            path: error
                .member
                .clone()
                .unwrap_or_else(|| "bundle.tar".to_owned()),
            what: format!("cannot be read: {error}"),
        },
    }
}
