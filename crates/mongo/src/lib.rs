//! The stored ports on MongoDB.

mod call;
mod connect;
mod document;
mod failure;
mod gate;
mod schema;
mod state;

pub use connect::connect;
pub use gate::MongoGate;
pub use schema::{check, migrate};
pub use state::MongoState;
