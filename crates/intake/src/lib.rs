//! The ledger's door: what comes in, in which form, and what is turned away.
//!
//! - [`read`] finds documents in files, folders, archives and streams, within bounds;
//! - [`wrap`] makes ledger records of the public formats (OSV, CycloneDX, SPDX, OpenVEX, CSAF),
//!   deriving nothing;
//! - [`maven`] sorts the lines of a Maven index into records of one artifact each;
//! - [`admit`](admit()) is the one door: everything that becomes a record passes it, wrapped or not;
//! - [`guardrails`] are the rules that hold for raw evidence, at the door and in every export;
//! - [`generate`] makes test data of any size.
//!
//! Every byte that comes in is untrusted. Nothing here reads a clock, the environment or the
//! network; only [`read`] opens files, and [`maven`] files without a name in a folder that it is given.

pub mod admit;
pub mod generate;
pub mod guardrails;
pub mod maven;
pub mod read;
pub mod wrap;

mod identity;
mod refusal;

pub use admit::{Admitted, admit, admit_document};
pub use refusal::Refusal;
