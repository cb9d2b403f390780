//! The stored ports on MongoDB.

mod connect;
mod failure;

pub use connect::connect;
