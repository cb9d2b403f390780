//! The contract over real sockets: client and server on an embedded ledger, and both against others
//! that do not keep to it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod conformance;
mod disconnects;
mod documentation;
mod liars;
mod picking;
mod support;
