//! AWS backends: objects on S3, queues on SQS, a signer and the wrapping of data keys on KMS, secrets from Secrets
//! Manager.
//!
//! One [`Aws`] is built from [`AwsSettings`] and gives every backend. Building it, and any backend,
//! asks nobody anything: credentials are looked for, and certificates read, when the first call is
//! made, so that a function that starts cold pays only for what it uses.
//!
//! The same code serves whatever speaks the same protocols (MinIO, LocalStack): an endpoint in the
//! settings is all that differs.

mod aws;
mod clock;
mod credentials;
mod failure;
mod http;
mod key_uri;
mod key_wrap;
mod objects;
mod queue;
mod secret;
mod settings;
mod signer;

pub use aws::Aws;
pub use key_uri::KmsKeyUri;
pub use key_wrap::KmsKeyWrap;
pub use objects::{Bucket, S3Objects};
pub use queue::{MAX_MESSAGE_BYTES, QueueUrl, QueueUrls, SqsQueue};
pub use secret::Secret;
pub use settings::{
    ATTEMPTS, AwsSettings, CallLimits, FIRST_BACKOFF, MAX_BACKOFF, StaticCredentials, Timeouts,
};
pub use signer::KmsSigner;
