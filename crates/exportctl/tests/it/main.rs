//! What a user gets: the real program, on real files, in homes of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // These are tests,
#![allow(clippy::print_stderr, clippy::print_stdout)] // and say what they skip.

mod approvals;
mod documentation;
mod empty;
mod evidence;
mod first_steps;
mod full_disks;
mod homes;
mod hostile_bundles;
mod importing;
mod keys;
mod killed;
mod ledgers;
mod logins;
mod mirror_bases;
mod mirror_chain;
mod mirrors;
mod output;
mod profiles;
mod refused_input;
mod refused_records;
mod refused_requests;
mod remote;
mod revisions;
mod scanners;
mod sealed_keys;
mod sealed_paths;
mod sealing;
mod selecting;
mod serving;
mod support;
mod tenants;
mod verifying;
