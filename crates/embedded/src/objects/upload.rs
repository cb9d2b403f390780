//! An object being written: a file of its own that becomes the object by one rename.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use export_model::ObjectKey;
use export_ports::{ObjectMeta, PortError, PortErrorKind, Upload, UploadState};

use super::{Folders, blocking, tree};
use crate::failure::{io_failed, io_kind};

/// How often a folder that somebody removed at the same moment, because it was empty, is made
/// again. Each time takes another coincidence.
const ATTEMPTS: usize = 100;

pub(super) struct DirectoryUpload {
    folders: Folders,
    path: PathBuf,
    file: Arc<File>,
    state: UploadState,
}

impl DirectoryUpload {
    pub(super) fn begin(folders: &Folders, key: &ObjectKey) -> Result<Self, PortError> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| {
            PortError::because(
                PortErrorKind::Unavailable,
                format!("naming an upload of {key}"),
                error,
            )
        })?;
        let upload_id = hex::encode(random);
        let path = folders.upload(key, &upload_id)?;
        let mut attempt = 1;
        let file = loop {
            match tree::make_parents(&folders.uploads, &path) {
                Err(error) if error.kind() == PortErrorKind::NotFound && attempt < ATTEMPTS => {
                    attempt += 1;
                    continue;
                }
                made => made?,
            }
            let created = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path);
            match created {
                Ok(file) => break file,
                Err(error) if tree::is_missing(&error) && attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(io_failed("creating", &path, error)),
            }
        };
        tree::flush(path.parent().unwrap_or(&folders.uploads))?;
        Ok(Self {
            folders: folders.clone(),
            path,
            file: Arc::new(file),
            state: UploadState {
                key: key.clone(),
                upload_id,
                parts: Vec::new(),
            },
        })
    }

    pub(super) fn resume(folders: &Folders, state: UploadState) -> Result<Self, PortError> {
        let path = folders.upload(&state.key, &state.upload_id)?;
        let file = OpenOptions::new()
            .write(true)
            .open(&path)
            .map_err(|error| io_failed("resuming", &path, error))?;
        let size = state.size();
        let stored = file
            .metadata()
            .map_err(|error| io_failed("resuming", &path, error))?
            .len();
        if stored < size {
            return Err(PortError::because(
                PortErrorKind::NotFound,
                format!("resuming {}", path.display()),
                format!("it has {stored} bytes of {size}"),
            ));
        }
        file.set_len(size)
            .map_err(|error| io_failed("resuming", &path, error))?;
        Ok(Self {
            folders: folders.clone(),
            path,
            file: Arc::new(file),
            state,
        })
    }

    /// Writes the next part and flushes it.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        write_at(&self.file, bytes, self.state.size())
            .map_err(|error| io_failed("writing", &self.path, error))?;
        self.add(bytes.len());
        Ok(())
    }

    fn add(&mut self, bytes: usize) {
        let tag = self.state.parts.len().to_string();
        let size = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.state.parts.push((tag, size));
    }

    /// Makes the object appear. Whatever a failed part left behind its end is cut off first.
    pub(super) fn publish(&self) -> Result<ObjectMeta, PortError> {
        let size = self.state.size();
        let target = self.folders.object(&self.state.key)?;
        self.file
            .set_len(size)
            .and_then(|()| self.file.sync_all())
            .map_err(|error| io_failed("flushing", &self.path, error))?;
        let mut attempt = 1;
        loop {
            match tree::make_parents(&self.folders.objects, &target) {
                Err(error) if error.kind() == PortErrorKind::NotFound && attempt < ATTEMPTS => {
                    attempt += 1;
                    continue;
                }
                made => made?,
            }
            match fs::rename(&self.path, &target) {
                Ok(()) => break,
                Err(error)
                    if tree::is_missing(&error) && self.path.exists() && attempt < ATTEMPTS =>
                {
                    attempt += 1;
                }
                Err(error) => {
                    return Err(PortError::because(
                        io_kind(&error),
                        format!("completing {} as {}", self.path.display(), target.display()),
                        error,
                    ));
                }
            }
        }
        tree::flush(target.parent().unwrap_or(&self.folders.objects))?;
        tree::prune(&self.folders.uploads, &self.path)?;
        Ok(ObjectMeta {
            key: self.state.key.clone(),
            size,
        })
    }

    pub(super) fn discard(&self) -> Result<(), PortError> {
        match fs::remove_file(&self.path) {
            Ok(()) => tree::prune(&self.folders.uploads, &self.path),
            Err(error) if tree::is_missing(&error) => Ok(()),
            Err(error) => Err(io_failed("removing", &self.path, error)),
        }
    }
}

/// Writes and flushes `bytes`; takes them back where that fails, so that a full disk gets its space
/// back.
fn write_at(file: &File, bytes: &[u8], offset: u64) -> std::io::Result<()> {
    let written = file
        .write_all_at(bytes, offset)
        .and_then(|()| file.sync_data());
    if written.is_err() {
        let _ = file.set_len(offset);
    }
    written
}

#[async_trait]
impl Upload for DirectoryUpload {
    async fn part(&mut self, bytes: Bytes) -> Result<(), PortError> {
        let (file, path, offset) = (Arc::clone(&self.file), self.path.clone(), self.state.size());
        let size = bytes.len();
        blocking("writing a part of an object", move || {
            write_at(&file, &bytes, offset).map_err(|error| io_failed("writing", &path, error))
        })
        .await?;
        self.add(size);
        Ok(())
    }

    fn state(&self) -> UploadState {
        self.state.clone()
    }

    async fn complete(self: Box<Self>) -> Result<ObjectMeta, PortError> {
        blocking("completing an object", move || self.publish()).await
    }

    async fn abort(self: Box<Self>) -> Result<(), PortError> {
        blocking("aborting an upload", move || self.discard()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::DirectoryObjects;

    #[test]
    fn writers_survive_each_others_tidying() {
        let home = tempfile::tempdir().unwrap();
        let folders = DirectoryObjects::open(home.path()).unwrap().folders;
        let run = export_model::RunKey {
            tenant: "acme".parse().unwrap(),
            run: "0192f000-0000-7000-8000-000000000001".parse().unwrap(),
        };
        // Every upload that ends leaves empty folders, which it removes while others begin.
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let (folders, run) = (&folders, &run);
                scope.spawn(move || {
                    for number in 0..100 {
                        let token = format!("t{writer}x{number}");
                        let key = ObjectKey::new(run, &token, "payload/x").unwrap();
                        let mut upload = DirectoryUpload::begin(folders, &key).unwrap();
                        upload.append(b"bytes").unwrap();
                        if number % 2 == 0 {
                            upload.publish().unwrap();
                        } else {
                            upload.discard().unwrap();
                        }
                    }
                });
            }
        });
        assert!(!folders.uploads.join("acme").exists());
    }
}
