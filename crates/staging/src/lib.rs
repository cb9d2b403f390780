//! Content on its way to storage.
//!
//! Whoever writes a file of any size writes it into [`Framed`], which hashes it and cuts it into
//! frames; a [`FramePool`] compresses frames on all cores; [`write`] takes them in their order, seals them
//! where the run's files are sealed, hashes what is stored, and uploads it in parts. The three hand over through bounded channels, so that a
//! file of any size takes a few frames of memory.

mod frame_pool;
mod framed;
mod seal;
mod stored;

pub use frame_pool::{Buffers, FramePool, PendingFrame};
pub use framed::{FrameWriter, Framed};
pub use seal::Seal;
pub use stored::{Staged, write};
