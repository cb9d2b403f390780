//! Signed approvals: one tenant lets another export its evidence.
//!
//! An approval is a DSSE envelope around a small document ([`Approval`]) that names who grants what
//! to whom, for which kinds of profiles, within which selection, and until when. The granting
//! tenant signs it with a key of its own; the service that runs the export knows that key and asks
//! nobody else. So an approval can be made offline, by somebody who has no account where it is used.
//!
//! Everything here is bytes in, verdict out: no clock, no files. [`verify`] looks at one approval,
//! [`verify_all`] at everything that a request needs. What an approval that is good for one run
//! needs beyond that, a memory of being used, is the state's.

mod envelope;
mod policy;
mod refused;
mod terms;
mod verify;

pub use envelope::{CreateError, MAX_ENVELOPE_BYTES, PAYLOAD_TYPE, create, envelope, to_sign};
pub use policy::ApprovalPolicy;
pub use refused::Refused;
pub use terms::{Approval, MAX_NONCE_BYTES, SCHEMA, TermsError};
pub use verify::{Request, Verified, verify, verify_all};

#[cfg(test)]
mod tests;
