//! Commands that work with a service (`--server`), by its HTTP API.
//!
//! What is asked for and what is shown are the same as on a home, so both are made elsewhere; here
//! is what lies between: who one is at the service, requests with their proofs, and events and
//! bundles that survive connections which break.

mod address;
mod credentials;
mod discovery;
mod download;
mod follow;
mod http;
mod login;
mod patience;
mod proof;
mod random;
mod run;
mod runs;
mod sse;
mod trouble;

pub(crate) use address::{Address, segment};
pub(crate) use http::Client;
pub(crate) use login::{login, logout};
pub(crate) use proof::execute as proof;
pub(crate) use run::execute as run;
pub(crate) use runs::execute as runs;
pub(crate) use trouble::document;
