//! How a phase, or the API, runs as a Lambda function.
//!
//! A function reads its settings when it starts, and says at once what is wrong with them; it opens
//! its backends with its first event, so that starting needs no network. Everything else is the
//! phase's.

#[cfg(feature = "http")]
mod gateway;
mod init;
mod queue;
mod sqs;
mod start;

#[cfg(feature = "http")]
pub use gateway::{Opened, serve_http};
pub use queue::serve_queue;
pub use start::{Invalid, variable};
