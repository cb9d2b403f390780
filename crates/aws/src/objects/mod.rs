//! Objects on S3: `<prefix>/<key>` in one bucket.
//!
//! - What is uploaded carries SHA-256, of each part and of the whole list of parts, which the
//!   service checks before it keeps anything.
//! - Completing an upload never replaces an object (`If-None-Match: *`), so that a request whose
//!   answer was lost can be made again: it finds its own object, and knows it by its checksum.
//! - Removing an object removes every version of it. A bucket keeps versions to undo what was not
//!   meant, and what Export Center removes it means: a cancelled run leaves no payload bytes.

mod link;
mod list;
mod read;
mod sweep;
mod upload;

use std::collections::BTreeSet;
use std::ops::Range;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ServerSideEncryption;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use export_model::{ObjectKey, ObjectPrefix};
use export_ports::{Link, ObjectMeta, Objects, PortError, PortErrorKind, Upload, UploadState};
use sha2::{Digest as _, Sha256};

use crate::Aws;
use crate::failure::{Access, failed};
use upload::S3Upload;

/// Where objects lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The bucket's name.
    pub name: String,
    /// What every key in it begins with; may be empty. A `/` stands between it and the key.
    pub prefix: String,
    /// The id or ARN of the KMS key that objects are encrypted with. None: as the bucket says.
    pub kms_key: Option<String>,
}

/// The objects of a bucket.
#[derive(Clone)]
pub struct S3Objects {
    aws: Aws,
    /// For calls that carry little.
    quick: Client,
    /// For calls that carry parts of objects.
    bulk: Client,
    bucket: String,
    /// The prefix with its `/`, or nothing.
    prefix: String,
    kms_key: Option<String>,
}

impl Aws {
    /// The objects of `bucket`. Asks nobody: a bucket that does not exist is found at first use.
    ///
    /// # Errors
    /// `Invalid` when the bucket's name is empty, or its prefix is not plain components of letters,
    /// digits, `.`, `_` and `-`.
    pub fn objects(&self, bucket: &Bucket) -> Result<S3Objects, PortError> {
        let invalid = |what: &str| {
            Err(PortError::because(
                PortErrorKind::Invalid,
                format!("using bucket {:?}", bucket.name),
                what,
            ))
        };
        if bucket.name.is_empty() {
            return invalid("no bucket is named");
        }
        let prefix = bucket.prefix.trim_matches('/');
        let plain = |component: &str| {
            !component.is_empty()
                && !component.starts_with('.')
                && component
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        };
        if !prefix.is_empty() && !prefix.split('/').all(plain) {
            return invalid("its prefix may have letters, digits, `.`, `_`, `-` and `/` only");
        }
        let [quick, bulk] = self.s3();
        Ok(S3Objects {
            aws: self.clone(),
            quick,
            bulk,
            bucket: bucket.name.clone(),
            prefix: match prefix {
                "" => String::new(),
                prefix => format!("{prefix}/"),
            },
            kms_key: bucket.kms_key.clone(),
        })
    }
}

impl S3Objects {
    fn key(&self, key: &ObjectKey) -> String {
        format!("{}{key}", self.prefix)
    }

    fn prefix(&self, prefix: &ObjectPrefix) -> String {
        format!("{}{}", self.prefix, prefix.as_str())
    }

    /// The key of an object that the service listed under `prefix`.
    fn listed(&self, prefix: &ObjectPrefix, key: &str) -> Result<ObjectKey, PortError> {
        prefix
            .listed(key.strip_prefix(&self.prefix).unwrap_or(key))
            .map_err(|error| {
                let doing = format!("listing {}", self.place(prefix.as_str()));
                PortError::because(PortErrorKind::Invalid, doing, error)
            })
    }

    /// A thing and its bucket, for messages.
    fn place(&self, what: impl std::fmt::Display) -> String {
        format!("{}{what} in bucket {}", self.prefix, self.bucket)
    }

    /// What new objects are encrypted with.
    fn encryption(&self) -> Option<ServerSideEncryption> {
        self.kms_key.as_ref().map(|_| ServerSideEncryption::AwsKms)
    }
}

/// SHA-256 as S3 writes it.
fn checksum(bytes: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(bytes))
}

/// A size as the service gives it.
fn size(bytes: Option<i64>) -> u64 {
    u64::try_from(bytes.unwrap_or(0)).unwrap_or(0)
}

#[async_trait]
impl Objects for S3Objects {
    async fn put(&self, key: &ObjectKey, bytes: Bytes) -> Result<(), PortError> {
        self.bulk
            .put_object()
            .bucket(&self.bucket)
            .key(self.key(key))
            .checksum_sha256(checksum(&bytes))
            .set_server_side_encryption(self.encryption())
            .set_bucket_key_enabled(self.kms_key.as_ref().map(|_| true))
            .set_ssekms_key_id(self.kms_key.clone())
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| {
                let doing = format!("writing {}", self.place(key));
                failed(Access::Write, doing, &error)
            })
    }

    async fn upload(&self, key: &ObjectKey) -> Result<Box<dyn Upload>, PortError> {
        Ok(Box::new(S3Upload::begin(self, key).await?))
    }

    async fn resume(&self, state: &UploadState) -> Result<Box<dyn Upload>, PortError> {
        Ok(Box::new(S3Upload::resume(self, state).await?))
    }

    async fn read(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, PortError> {
        read::read(self, key, range).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, PortError> {
        let found = self
            .quick
            .head_object()
            .bucket(&self.bucket)
            .key(self.key(key))
            .send()
            .await;
        match found {
            Ok(found) => Ok(Some(ObjectMeta {
                key: key.clone(),
                size: size(found.content_length()),
            })),
            Err(error) => {
                let doing = format!("looking up {}", self.place(key));
                match failed(Access::Read, doing, &error) {
                    error if error.kind() == PortErrorKind::NotFound => Ok(None),
                    error => Err(error),
                }
            }
        }
    }

    async fn list(
        &self,
        prefix: &ObjectPrefix,
        after: Option<&ObjectKey>,
        limit: usize,
    ) -> Result<Vec<ObjectMeta>, PortError> {
        list::list(self, prefix, after, limit).await
    }

    async fn link(&self, key: &ObjectKey, link: Link<'_>) -> Result<Option<String>, PortError> {
        link::link(self, key, link).await.map(Some)
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), PortError> {
        sweep::delete(self, key).await
    }

    async fn sweep(
        &self,
        prefix: &ObjectPrefix,
        keep: &BTreeSet<ObjectKey>,
    ) -> Result<u64, PortError> {
        Ok(sweep::objects(self, prefix, keep).await? + sweep::uploads(self, prefix).await?)
    }
}
