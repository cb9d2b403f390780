//! The ledger and the policy engine over HTTP: one small contract, a client and a server.
//!
//! The contract is described in `docs/evidence-http.md`, for whoever serves a ledger of another kind.
//! What it is about is a read that breaks: every line of a page says where to go on, a page says
//! itself that it is whole, and a record comes with its size and digest. So a connection that is cut
//! costs what was on its way, and is never mistaken for the end.
//!
//! - `client` ([`HttpLedger`]) makes the ports of a ledger that is elsewhere. It believes nothing:
//!   order, sizes and digests are checked as lines come.
//! - `server` ([`router`]) puts the contract around any ports.

#[cfg(feature = "client")]
mod client;
mod cursor;
mod query;
#[cfg(feature = "server")]
mod server;
mod wire;

#[cfg(feature = "client")]
pub use client::{
    AccessToken, ClientCredentials, ClientSettings, FileToken, HttpLedger, InvalidSettings,
    TokenSource,
};
#[cfg(feature = "server")]
pub use server::{LedgerService, router};
pub use wire::BASE;
