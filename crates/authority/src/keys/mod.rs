//! The Authority's public keys: the set, where it comes from, and how long it is believed.

mod cache;
mod file;
#[cfg(feature = "http")]
mod http;
mod set;
mod source;

pub use cache::{KeyCache, KeysUnavailable};
pub use file::FileJwks;
#[cfg(feature = "http")]
pub use http::{HttpJwks, HttpJwksError};
pub(crate) use set::KeyLookup;
pub use set::{Keys, KeysError, MAX_KEYS, MAX_SET_BYTES};
pub use source::{FetchError, Fetched, JwksSource};
