//! Whole runs, and what may go wrong on their way: whatever it is, they end the same.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // These are tests.

mod assembling;
mod calls;
mod deadline;
mod failed;
mod idempotency;
mod messages;
mod mirrors;
mod profiles;
mod pruned;
mod quotas;
mod schedules;
mod slots;
#[allow(dead_code)] // What a scenario may need, whether one does or not.
mod support;
mod undelivered;
mod waits;
