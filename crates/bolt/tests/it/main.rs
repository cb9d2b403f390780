//! Files that are written, read back, damaged, and judged by bbolt itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod bbolt;
mod damaged;
mod exercise;
mod layout;
mod limits;
mod round_trip;
mod tree;
