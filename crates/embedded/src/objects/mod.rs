//! Objects as plain files: `objects/<key>`, written under `uploads/<key>.<upload>` first.
//!
//! Both folders lie in one file system, so that completing an upload is one rename, and the upload
//! of a key mirrors the key, so that sweeping a prefix finds unfinished uploads without a list.
//! Bytes are flushed before their name appears and the folder is flushed after it, so what was
//! acknowledged survives a power failure.

mod cached;
mod tree;
mod upload;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use export_model::{ObjectKey, ObjectPrefix};
use export_ports::{ObjectMeta, Objects, PortError, PortErrorKind, Upload, UploadState};

use crate::failure::{io_failed, task_failed};
use upload::DirectoryUpload;

/// The objects of a home.
#[derive(Clone, Debug)]
pub struct DirectoryObjects {
    folders: Folders,
}

/// Where objects and uploads lie.
#[derive(Clone, Debug)]
struct Folders {
    objects: PathBuf,
    uploads: PathBuf,
}

impl DirectoryObjects {
    /// Keeps objects in `home/objects` and unfinished uploads in `home/uploads`; makes both where
    /// they are missing. Blocks.
    ///
    /// # Errors
    /// When a folder cannot be made.
    pub fn open(home: &Path) -> Result<Self, PortError> {
        let folders = Folders {
            objects: home.join("objects"),
            uploads: home.join("uploads"),
        };
        for folder in [&folders.objects, &folders.uploads] {
            fs::create_dir_all(folder).map_err(|error| io_failed("creating", folder, error))?;
        }
        tree::flush(home)?;
        Ok(Self { folders })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Folders) -> Result<T, PortError> + Send + 'static,
    ) -> Result<T, PortError> {
        let folders = self.folders.clone();
        blocking(doing, move || work(&folders)).await
    }
}

async fn blocking<T: Send + 'static>(
    doing: &'static str,
    work: impl FnOnce() -> Result<T, PortError> + Send + 'static,
) -> Result<T, PortError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| task_failed(doing, error))?
}

impl Folders {
    fn object(&self, key: &ObjectKey) -> Result<PathBuf, PortError> {
        Ok(self.objects.join(relative(key.as_str())?))
    }

    fn upload(&self, key: &ObjectKey, upload_id: &str) -> Result<PathBuf, PortError> {
        relative(upload_id)?;
        Ok(self.uploads.join(relative(&format!("{key}.{upload_id}"))?))
    }
}

/// A key as a path inside a folder. Keys are plain where they are made; this one may have been read
/// from a file.
fn relative(key: &str) -> Result<&Path, PortError> {
    let plain = |component: &str| {
        !component.is_empty()
            && !component.starts_with('.')
            && component
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    if key.split('/').all(plain) {
        Ok(Path::new(key))
    } else {
        Err(PortError::new(
            PortErrorKind::Invalid,
            format!("using object key {key:?}"),
        ))
    }
}

#[async_trait]
impl Objects for DirectoryObjects {
    async fn put(&self, key: &ObjectKey, bytes: Bytes) -> Result<(), PortError> {
        let key = key.clone();
        self.blocking("writing an object", move |folders| {
            let mut upload = DirectoryUpload::begin(folders, &key)?;
            let outcome = upload.append(&bytes).and_then(|()| upload.publish());
            if outcome.is_err() {
                // What is left over is swept with its prefix.
                let _ = upload.discard();
            }
            outcome.map(|_| ())
        })
        .await
    }

    async fn upload(&self, key: &ObjectKey) -> Result<Box<dyn Upload>, PortError> {
        let key = key.clone();
        self.blocking("beginning an upload", move |folders| {
            let upload = DirectoryUpload::begin(folders, &key)?;
            Ok(Box::new(upload) as Box<dyn Upload>)
        })
        .await
    }

    async fn resume(&self, state: &UploadState) -> Result<Box<dyn Upload>, PortError> {
        let state = state.clone();
        self.blocking("resuming an upload", move |folders| {
            let upload = DirectoryUpload::resume(folders, state)?;
            Ok(Box::new(upload) as Box<dyn Upload>)
        })
        .await
    }

    async fn read(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, PortError> {
        let path = self.folders.object(key)?;
        if let Some(bytes) = cached::read(&path, &range) {
            return Ok(bytes.into());
        }
        self.blocking("reading an object", move |_| {
            read_range(&path, range)
                .map(Bytes::from)
                .map_err(|error| io_failed("reading", &path, error))
        })
        .await
    }

    fn file(&self, key: &ObjectKey) -> Option<PathBuf> {
        self.folders.object(key).ok()
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, PortError> {
        let key = key.clone();
        self.blocking("looking up an object", move |folders| {
            let path = folders.object(&key)?;
            match fs::symlink_metadata(&path) {
                Ok(file) if file.is_file() => Ok(Some(ObjectMeta {
                    key,
                    size: file.len(),
                })),
                Ok(_) => Ok(None),
                Err(error) if tree::is_missing(&error) => Ok(None),
                Err(error) => Err(io_failed("looking up", &path, error)),
            }
        })
        .await
    }

    async fn list(
        &self,
        prefix: &ObjectPrefix,
        after: Option<&ObjectKey>,
        limit: usize,
    ) -> Result<Vec<ObjectMeta>, PortError> {
        let (prefix, after) = (prefix.clone(), after.cloned());
        self.blocking("listing objects", move |folders| {
            let found = tree::list(
                &folders.objects,
                relative(prefix.as_str().trim_end_matches('/'))?,
                after.as_ref().map_or("", ObjectKey::as_str),
                limit,
            )?;
            found
                .into_iter()
                .map(|(key, size)| {
                    let key = prefix.listed(&key).map_err(|error| {
                        PortError::because(PortErrorKind::Invalid, "listing objects", error)
                    })?;
                    Ok(ObjectMeta { key, size })
                })
                .collect()
        })
        .await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), PortError> {
        let key = key.clone();
        self.blocking("deleting an object", move |folders| {
            let path = folders.object(&key)?;
            match fs::remove_file(&path) {
                Ok(()) => tree::prune(&folders.objects, &path),
                Err(error) if tree::is_missing(&error) => Ok(()),
                Err(error) => Err(io_failed("deleting", &path, error)),
            }
        })
        .await
    }

    async fn sweep(
        &self,
        prefix: &ObjectPrefix,
        keep: &BTreeSet<ObjectKey>,
    ) -> Result<u64, PortError> {
        let (prefix, keep) = (prefix.clone(), keep.clone());
        self.blocking("sweeping objects", move |folders| {
            let inside = relative(prefix.as_str().trim_end_matches('/'))?;
            let kept = keep
                .iter()
                .map(|key| folders.object(key))
                .collect::<Result<_, _>>()?;
            Ok(tree::remove(&folders.objects, inside, &kept)?
                + tree::remove(&folders.uploads, inside, &BTreeSet::new())?)
        })
        .await
    }
}

fn read_range(path: &Path, range: Range<u64>) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let length = range.end.min(size).saturating_sub(range.start);
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    if length > 0 {
        file.seek(SeekFrom::Start(range.start))?;
        file.take(length).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_leads_out_of_the_folder() {
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a//b",
            "a/",
            ".hidden",
            "a/.",
            "a\0",
        ] {
            assert!(relative(bad).is_err(), "{bad}");
        }
        assert!(relative("acme/run/t1/payload/part-00000.jsonl.zst").is_ok());
    }
}
