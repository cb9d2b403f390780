//! SHA-256 of a stream and of each record in it, in one pass.
//!
//! A payload file's content and every record in it have digests of their own, over the same bytes.
//! Computed one after the other they cost twice. One SHA-256 leaves the processor idle most of the
//! time, because each round waits for the one before (FIPS 180-4, 6.2.2); two that have nothing to
//! do with each other fill those gaps. On x86-64 processors with the SHA extensions
//! [`ContentHasher`] therefore computes both in lockstep; elsewhere it does the usual.
//!
//! ```
//! let mut content = export_digest::ContentHasher::new();
//! let record = content.update_with_digest(b"abc");
//! assert_eq!(record[..4], [0xba, 0x78, 0x16, 0xbf]);
//! content.update(b"\n");
//! let content: [u8; 32] = content.finalize();
//! # assert_eq!(content[..4], [0xed, 0xea, 0xaf, 0xf3]);
//! ```

#[cfg(target_arch = "x86_64")]
mod lanes;
#[cfg(target_arch = "x86_64")]
mod x86;

use sha2::{Digest as _, Sha256};

/// A running SHA-256 over a stream of records.
#[derive(Clone)]
pub struct ContentHasher(Backend);

#[derive(Clone)]
enum Backend {
    Portable(Sha256),
    #[cfg(target_arch = "x86_64")]
    Lanes(lanes::Stream),
}

impl Default for ContentHasher {
    fn default() -> Self {
        Self::new()
    }
}

impl ContentHasher {
    /// The hash of nothing yet, on the fastest way that this processor has.
    #[must_use]
    pub fn new() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(kernel) = x86::Kernel::detect() {
            return Self(Backend::Lanes(lanes::Stream::new(kernel)));
        }
        Self::portable()
    }

    /// The same, without anything that only some processors have.
    #[must_use]
    pub fn portable() -> Self {
        Self(Backend::Portable(Sha256::new()))
    }

    /// Adds bytes to the stream.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Backend::Portable(hash) => hash.update(bytes),
            #[cfg(target_arch = "x86_64")]
            Backend::Lanes(stream) => stream.update(bytes),
        }
    }

    /// Adds a record to the stream; gives the record's own digest.
    pub fn update_with_digest(&mut self, record: &[u8]) -> [u8; 32] {
        match &mut self.0 {
            Backend::Portable(hash) => {
                hash.update(record);
                Sha256::digest(record).into()
            }
            #[cfg(target_arch = "x86_64")]
            Backend::Lanes(stream) => stream.update_with_digest(record),
        }
    }

    /// The digest of the whole stream.
    #[must_use]
    pub fn finalize(self) -> [u8; 32] {
        match self.0 {
            Backend::Portable(hash) => hash.finalize().into(),
            #[cfg(target_arch = "x86_64")]
            Backend::Lanes(stream) => stream.finalize(),
        }
    }
}

#[cfg(test)]
mod tests;
