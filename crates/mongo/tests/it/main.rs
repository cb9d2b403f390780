//! The backends on a real server.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // These are tests.

mod ledger;
