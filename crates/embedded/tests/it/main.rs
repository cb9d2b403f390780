//! Integration tests of the embedded backends.
#![allow(clippy::unwrap_used, clippy::panic)] // These are tests.

mod conformance;
mod events;
mod fault;
mod home;
mod import;
mod migration;
mod signer;
