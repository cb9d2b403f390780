//! The AWS backends, against LocalStack (`AWS_ENDPOINT_URL`) and MinIO (`S3_ENDPOINT`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // These are tests.

mod cold;
mod key_wrap;
mod links;
mod objects;
mod proxy;
mod queue;
mod secret;
mod signer;
mod weather;
mod world;
