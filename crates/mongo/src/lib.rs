//! The stored ports on MongoDB.

mod call;
mod connect;
mod document;
mod failure;
mod gate;
mod ledger;
mod schema;
mod state;

pub use connect::connect;
pub use gate::MongoGate;
pub use ledger::{MAX_APPEND_BYTES, MAX_APPEND_RECORDS, MongoLedger};
pub use schema::{check, migrate};
pub use state::MongoState;
