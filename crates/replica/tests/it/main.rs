//! Mirrors at a site: what is applied, what is refused, and what a kill leaves.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    missing_docs
)]

mod archives;
mod chain;
mod disks;
mod edited;
mod kills;
mod readers;
mod refusals;
mod speed;
mod support;
