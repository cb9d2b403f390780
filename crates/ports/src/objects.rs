//! The objects port: payload bytes, written once and read by ranges.
//!
//! An object appears whole, when its upload is completed, or not at all. Keys carry the writer's
//! lease token ([`ObjectKey`]), so two writers never meet in one.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use export_model::{ObjectKey, ObjectPrefix};
use serde::{Deserialize, Serialize};

use crate::PortError;

/// What is known of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Its key.
    pub key: ObjectKey,
    /// Its size.
    pub size: u64,
}

/// An unfinished upload, as a checkpoint keeps it: enough to go on in another process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadState {
    /// The object that it will become.
    pub key: ObjectKey,
    /// The store's own name of the upload.
    pub upload_id: String,
    /// The finished parts: the store's tag, and the size, of each.
    pub parts: Vec<(String, u64)>,
}

impl UploadState {
    /// Bytes in finished parts.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.parts.iter().map(|(_, size)| size).sum()
    }
}

/// An object being written, part by part.
///
/// Every part but the last has at least 5 MiB (S3, "Amazon S3 multipart upload limits").
#[async_trait]
pub trait Upload: Send {
    /// Writes the next part.
    ///
    /// # Errors
    /// When it cannot be written; the same part may be written again.
    async fn part(&mut self, bytes: Bytes) -> Result<(), PortError>;

    /// What a checkpoint keeps. Every part that it names is durable.
    fn state(&self) -> UploadState;

    /// Makes the object appear, durably.
    ///
    /// # Errors
    /// When it cannot be completed; nothing has appeared then.
    async fn complete(self: Box<Self>) -> Result<ObjectMeta, PortError>;

    /// Forgets the upload and its bytes.
    ///
    /// # Errors
    /// When it cannot be removed; a sweep of its prefix removes it later.
    async fn abort(self: Box<Self>) -> Result<(), PortError>;
}

/// How an object is to be handed out to whoever has a link to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link<'a> {
    /// For how long the link is good.
    pub valid: Duration,
    /// The media type that it is sent as.
    pub media_type: &'a str,
    /// Under which name it is saved, where it is to be saved.
    pub file_name: Option<&'a str>,
}

/// Payload bytes.
#[async_trait]
pub trait Objects: Send + Sync {
    /// Writes a small object at once, durably; replaces one of the same key.
    ///
    /// # Errors
    /// When it cannot be written.
    async fn put(&self, key: &ObjectKey, bytes: Bytes) -> Result<(), PortError>;

    /// Begins an object that is written part by part.
    ///
    /// # Errors
    /// When it cannot be begun.
    async fn upload(&self, key: &ObjectKey) -> Result<Box<dyn Upload>, PortError>;

    /// Goes on with an upload that a checkpoint kept. Bytes after its finished parts are dropped.
    ///
    /// # Errors
    /// `NotFound` when the store has forgotten it.
    async fn resume(&self, state: &UploadState) -> Result<Box<dyn Upload>, PortError>;

    /// The bytes of `range`, or as many of them as there are.
    ///
    /// # Errors
    /// `NotFound` when there is no such object.
    async fn read(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, PortError>;

    /// Where the object lies in this machine's file system, to be read there and nowhere written: none
    /// where it lies elsewhere. It need not exist.
    fn file(&self, _key: &ObjectKey) -> Option<PathBuf> {
        None
    }

    /// What is known of an object; none when there is none.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, PortError>;

    /// Objects under `prefix` by key, after (exclusive) the key `after`.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn list(
        &self,
        prefix: &ObjectPrefix,
        after: Option<&ObjectKey>,
        limit: usize,
    ) -> Result<Vec<ObjectMeta>, PortError>;

    /// A URL from which anybody who has it can get the object, in ranges too, for a while. None
    /// where the store hands nothing out by itself. It is a secret while it is good.
    ///
    /// # Errors
    /// When it cannot be made.
    async fn link(&self, key: &ObjectKey, link: Link<'_>) -> Result<Option<String>, PortError> {
        let _ = (key, link);
        Ok(None)
    }

    /// Removes an object; one that is not there is removed already.
    ///
    /// # Errors
    /// When it cannot be removed.
    async fn delete(&self, key: &ObjectKey) -> Result<(), PortError>;

    /// Removes every object under `prefix` but those of `keep`, and every unfinished upload under
    /// it; says how many.
    ///
    /// # Errors
    /// When any cannot be removed.
    async fn sweep(
        &self,
        prefix: &ObjectPrefix,
        keep: &BTreeSet<ObjectKey>,
    ) -> Result<u64, PortError>;
}
