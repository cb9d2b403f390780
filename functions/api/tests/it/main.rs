//! The API as its clients have it: over real sockets, on the real embedded backends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // These are tests,
#![allow(clippy::print_stderr)] // and say what they skip.

mod access;
mod approvals;
mod bodies;
mod credentials;
mod document;
mod downloads;
mod events;
mod interrupted;
mod links;
mod mirrors;
mod profiles;
mod quotas;
mod runs;
mod schedules;
mod support;
mod verify;
