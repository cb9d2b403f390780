//! What the crate's users get, with others' programs and vectors as referees.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod age_command;
mod envelopes;
mod golden;
mod keys;
mod pieces;
mod tampering;
mod vectors;
mod world;
