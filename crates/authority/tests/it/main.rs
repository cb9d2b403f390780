//! What a sender, a client and a host get from this crate.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod arbitrary;
mod client;
mod dev;
mod key_cache;
mod key_set;
mod negatives;
mod positives;
mod referee;
mod vectors;
mod world;
