//! Multipart uploads.
//!
//! A part's tag holds the service's ETag and the part's SHA-256, both of which completing the
//! upload takes: `<etag>:<base64>`. So a checkpoint is enough to complete, in another process, an
//! upload whose bytes nobody has any more.

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use export_model::ObjectKey;
use export_ports::{ObjectMeta, PortError, PortErrorKind, Upload, UploadState};
use sha2::{Digest as _, Sha256};

use super::{S3Objects, checksum, size};
use crate::failure::{Access, failed};

/// How many parts an upload has at most (S3, "Amazon S3 multipart upload limits").
const MAX_PARTS: usize = 10_000;

pub(super) struct S3Upload {
    store: S3Objects,
    state: UploadState,
}

impl S3Upload {
    pub(super) async fn begin(store: &S3Objects, key: &ObjectKey) -> Result<Self, PortError> {
        let doing = || format!("beginning an upload of {}", store.place(key));
        let begun = store
            .quick
            .create_multipart_upload()
            .bucket(&store.bucket)
            .key(store.key(key))
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .checksum_type(ChecksumType::Composite)
            .set_server_side_encryption(store.encryption())
            .set_bucket_key_enabled(store.kms_key.as_ref().map(|_| true))
            .set_ssekms_key_id(store.kms_key.clone())
            .send()
            .await
            .map_err(|error| failed(Access::Write, doing(), &error))?;
        let Some(upload_id) = begun.upload_id() else {
            return Err(PortError::because(
                PortErrorKind::Unavailable,
                doing(),
                "the service named no upload",
            ));
        };
        Ok(Self {
            store: store.clone(),
            state: UploadState {
                key: key.clone(),
                upload_id: upload_id.to_owned(),
                parts: Vec::new(),
            },
        })
    }

    /// Goes on with an upload all of whose parts the service still has. What else it has is never
    /// named when the upload is completed, and dropped by the service then.
    pub(super) async fn resume(store: &S3Objects, state: &UploadState) -> Result<Self, PortError> {
        let upload = Self {
            store: store.clone(),
            state: state.clone(),
        };
        let mut stored = Vec::new();
        let mut marker = None;
        while stored.len() < state.parts.len().max(1) {
            let page = store
                .quick
                .list_parts()
                .bucket(&store.bucket)
                .key(store.key(&state.key))
                .upload_id(&state.upload_id)
                .set_part_number_marker(marker.take())
                .send()
                .await
                .map_err(|error| failed(Access::Write, upload.doing("resuming"), &error))?;
            stored.extend(page.parts().iter().map(|part| {
                let etag = unquoted(part.e_tag().unwrap_or_default()).to_owned();
                (part.part_number(), etag, size(part.size()))
            }));
            marker = page.next_part_number_marker().map(str::to_owned);
            if page.is_truncated() != Some(true) || marker.is_none() {
                break;
            }
        }
        for (index, (tag, size)) in state.parts.iter().enumerate() {
            let part = (Some(number(index)), split(tag).0.to_owned(), *size);
            if !stored.contains(&part) {
                return Err(PortError::because(
                    PortErrorKind::NotFound,
                    upload.doing("resuming"),
                    format!("the service no longer has its part {}", index + 1),
                ));
            }
        }
        Ok(upload)
    }

    fn doing(&self, what: &str) -> String {
        format!("{what} the upload of {}", self.store.place(&self.state.key))
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), PortError> {
        let number = number(self.state.parts.len());
        let doing = || self.doing(&format!("writing part {number} of"));
        if self.state.parts.len() >= MAX_PARTS {
            return Err(PortError::because(
                PortErrorKind::Invalid,
                doing(),
                format!("an upload has at most {MAX_PARTS} parts"),
            ));
        }
        let (sum, size) = (checksum(&bytes), bytes.len() as u64);
        let written = self
            .store
            .bulk
            .upload_part()
            .bucket(&self.store.bucket)
            .key(self.store.key(&self.state.key))
            .upload_id(&self.state.upload_id)
            .part_number(number)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .checksum_sha256(&sum)
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map_err(|error| failed(Access::Write, doing(), &error))?;
        let etag = unquoted(written.e_tag().unwrap_or_default());
        self.state.parts.push((format!("{etag}:{sum}"), size));
        Ok(())
    }

    async fn finish(&self) -> Result<(), PortError> {
        let parts = self
            .state
            .parts
            .iter()
            .enumerate()
            .map(|(index, (tag, _))| {
                let (etag, sum) = split(tag);
                CompletedPart::builder()
                    .part_number(number(index))
                    .e_tag(etag)
                    .checksum_sha256(sum)
                    .build()
            });
        let completed = self
            .store
            .bulk
            .complete_multipart_upload()
            .bucket(&self.store.bucket)
            .key(self.store.key(&self.state.key))
            .upload_id(&self.state.upload_id)
            .set_checksum_sha256(self.whole_checksum())
            .checksum_type(ChecksumType::Composite)
            .if_none_match("*")
            .multipart_upload(
                CompletedMultipartUpload::builder()
                    .set_parts(Some(parts.collect()))
                    .build(),
            )
            .send()
            .await;
        let Err(error) = completed else {
            return Ok(());
        };
        let error = failed(Access::Write, self.doing("completing"), &error);
        if error.kind() == PortErrorKind::AlreadyExists {
            // It can never be completed. Where this fails a sweep removes it.
            let _ = self.forget().await;
        }
        // An answer may have been lost: what was to be made may be there already, made by the
        // request before this one. `NotFound` then says that the upload is complete and gone.
        let is_refused = matches!(
            error.kind(),
            PortErrorKind::ReadOnly | PortErrorKind::Invalid
        );
        if is_refused || !self.is_there().await? {
            return Err(error);
        }
        Ok(())
    }

    /// Whether the object is there, with this upload's bytes.
    async fn is_there(&self) -> Result<bool, PortError> {
        let found = self
            .store
            .quick
            .head_object()
            .bucket(&self.store.bucket)
            .key(self.store.key(&self.state.key))
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await;
        match found {
            Ok(found) => Ok(size(found.content_length()) == self.state.size()
                && found.checksum_sha256() == self.whole_checksum().as_deref()),
            Err(error) => match failed(Access::Read, self.doing("completing"), &error) {
                error if error.kind() == PortErrorKind::NotFound => Ok(false),
                error => Err(error),
            },
        }
    }

    /// SHA-256 over the parts' SHA-256, and how many they are, as S3 writes it ("Checking object
    /// integrity", composite checksums). None where a tag has none.
    fn whole_checksum(&self) -> Option<String> {
        let mut hash = Sha256::new();
        for (tag, _) in &self.state.parts {
            hash.update(STANDARD.decode(split(tag).1).ok()?);
        }
        let parts = self.state.parts.len();
        Some(format!("{}-{parts}", STANDARD.encode(hash.finalize())))
    }

    async fn forget(&self) -> Result<(), PortError> {
        let aborted = self
            .store
            .quick
            .abort_multipart_upload()
            .bucket(&self.store.bucket)
            .key(self.store.key(&self.state.key))
            .upload_id(&self.state.upload_id)
            .send()
            .await;
        match aborted {
            Ok(_) => Ok(()),
            Err(error) => match failed(Access::Write, self.doing("aborting"), &error) {
                error if error.kind() == PortErrorKind::NotFound => Ok(()),
                error => Err(error),
            },
        }
    }
}

/// The number of the part at `index`.
fn number(index: usize) -> i32 {
    i32::try_from(index + 1).unwrap_or(i32::MAX)
}

/// The ETag and the checksum of a part's tag.
fn split(tag: &str) -> (&str, &str) {
    tag.split_once(':').unwrap_or((tag, ""))
}

fn unquoted(etag: &str) -> &str {
    etag.trim_matches('"')
}

#[async_trait]
impl Upload for S3Upload {
    async fn part(&mut self, bytes: Bytes) -> Result<(), PortError> {
        self.write(bytes).await
    }

    fn state(&self) -> UploadState {
        self.state.clone()
    }

    async fn complete(mut self: Box<Self>) -> Result<ObjectMeta, PortError> {
        if self.state.parts.is_empty() {
            // S3 completes nothing without a part; an empty object has one empty part.
            self.write(Bytes::new()).await?;
        }
        self.finish().await?;
        Ok(ObjectMeta {
            size: self.state.size(),
            key: self.state.key,
        })
    }

    async fn abort(self: Box<Self>) -> Result<(), PortError> {
        self.forget().await
    }
}
