//! How much of an untrusted text is read.

/// No limit allows more than this, so that positions fit 32 bits even where numbers grow.
const MOST_BYTES: usize = 512 << 20;

/// Limits on one JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many arrays and objects may be open at once.
    pub depth: usize,
    /// Length of the text in bytes. More than 512 MiB counts as 512 MiB.
    pub bytes: usize,
}

impl Limits {
    /// The limit on size that is applied, in bytes.
    pub(crate) fn most_bytes(&self) -> usize {
        self.bytes.min(MOST_BYTES)
    }
}

impl Default for Limits {
    /// 512 levels, 64 MiB: what the ledger takes as one record.
    fn default() -> Self {
        Self {
            depth: 512,
            bytes: 64 << 20,
        }
    }
}
