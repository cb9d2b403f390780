//! The age v1 format (<https://c2sp.org/age>), for X25519 recipients.
//!
//! A file has a random *file key* of 16 bytes. Its header holds that key once for every recipient, and an
//! authentication code made with it; its payload is a [stream](crate::stream) of 64 KiB chunks under a
//! key derived from it.
//!
//! Written here, on the primitives that the program has anyway, because the format is small, and because
//! the libraries for it bring a second generation of every cipher, and other formats' ciphers, with them.

mod encoding;
mod file_key;
mod header;
mod identity;
mod recipient;
mod x25519;

pub use file_key::FileKey;
pub use header::MAX_HEADER_BYTES;
pub use identity::{Identity, IdentityError, MAX_IDENTITIES};
pub use recipient::{Recipient, RecipientError};

pub(crate) use header::{EndOfHeader, Header, MAGIC, NONCE_BYTES, write};
pub(crate) use x25519::{KIND, unwrap};

/// Recipients a file, at most: so that every header that is written here is read here.
pub const MAX_RECIPIENTS: usize = 128;
