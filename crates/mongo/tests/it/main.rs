//! Integration tests of the ports on MongoDB.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)] // These are tests.

mod conformance;
mod damage;
mod events;
mod indexes;
mod leases;
mod ledger;
mod lost_answer;
mod migration;
mod restart;
mod server;
mod unavailable;
