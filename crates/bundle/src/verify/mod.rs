//! Verifying a bundle: bytes in, verdict out.
//!
//! One pass, in the order of the archive. The documents come first, so signatures are judged and
//! the manifest is known before the first payload byte; from then on every member's name and size
//! is compared with the manifest before its content is read, and its digest when it ends. Nothing
//! is looked up anywhere: trust is the keys that the caller gives.
//!
//! A [`Verifier`] is fed members one by one, so that any host can feed it: [`verify_archive`] does
//! from a stream, [`verify_folder`] from an unpacked folder. It goes on after a problem where that
//! tells more, and says what is wrong, in which file, and of which class:
//!
//! | code | meaning here |
//! |---|---|
//! | `NotABundle` | no archive, or no manifest that this version knows |
//! | `WrongKey` | signed, but by a key that is not trusted |
//! | `BadSignature` | a signature does not fit the document that it signs |
//! | `Altered` | a file is another one than was signed, or should not be there |
//! | `Incomplete` | a file is missing, or the input ends too early |
//! | `WrongIdentity` | it is sealed, and none of the keys that were given opens it |
//!
//! Of several, the first in this table is the report's own code.
//!
//! With [`VerifyOptions::deep`] the contents are looked into as well: decompressed digests, record
//! counts and order, the canonical form of every line, the guardrails, and the hashes of what went
//! in. A sealed bundle is verified by everybody as far as its stored bytes go, and by whoever has
//! [`VerifyOptions::keys`] of it like any other. That costs about 20 MiB a thread beyond the manifest; more than four threads do not help,
//! because the digest over a file's content is one sequence.

mod deep;
mod documents;
mod feed;
mod opening;
mod report;
mod signed;
mod verifier;

pub(crate) use documents::{DOCUMENT_LIMITS, Documents, named_key};
pub(crate) use feed::{Sink, feed_archive};
pub use feed::{VerifyError, verify_archive, verify_folder};
pub use opening::{Keys, SealedAs, Unseal};
pub use report::{Problem, Report, Summary, Verdict};
pub use signed::{SignedDocuments, SignedError, judge_signed, read_signed};
pub use verifier::{Flow, Verifier};

use export_signing::PublicKey;

/// Whose signatures count.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// The trusted keys. Without any, nothing is ever called verified.
    pub keys: Vec<PublicKey>,
}

/// How much is checked, and with what.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// Whether contents are looked into.
    pub deep: bool,
    /// Threads that look into contents, beside the one that reads; 0 counts as 1.
    pub threads: usize,
    /// What sealed bundles are opened with.
    pub keys: Keys,
}

#[cfg(test)]
mod tests;
