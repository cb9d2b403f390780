//! Whole runs, and what may go wrong on their way: whatever it is, they end the same.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // These are tests.

mod calls;
mod deadline;
mod failed;
mod messages;
mod slots;
mod support;
mod undelivered;
mod waits;
