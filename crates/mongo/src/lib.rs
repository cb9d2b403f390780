//! The stored ports on MongoDB.

mod connect;
mod failure;
mod ledger;

pub use connect::connect;
pub use ledger::{MAX_APPEND_BYTES, MAX_APPEND_RECORDS, MongoLedger};
