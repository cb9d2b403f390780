//! A run's life as transactions.
//!
//! The phases decide what happens next; this crate makes it happen effectively once. A step is
//! taken by leasing its row of work ([`take`]); every transition is one transaction over the run,
//! its events and its work ([`transact`]), retried when somebody else changed a row first; what
//! the transaction made necessary is sent afterwards, and sent again by a [`tick`] where the
//! sender died in between.

mod admission;
mod base;
mod cancel;
mod draft;
mod error;
mod lease;
mod prune;
mod refuse;
mod sealing;
mod submit;
mod tick;
mod usage;
mod watermark;

pub use admission::admit;
pub use base::pruned as base_pruned;
pub use cancel::{Swept, cancel, retry, sweep};
pub use draft::{Committed, Draft, transact};
pub use error::PhaseError;
pub use lease::{Budget, Held, Taken, lease_millis, take};
pub use refuse::{Refused, again, refuse};
pub use sealing::check_encryption;
pub use submit::{Prepared, Submission, find_profile, prepare, submit, usable_profiles};
pub use tick::{recover, tick};
pub use usage::{Reservation, quota_state, reserve_run};
pub use watermark::{NoSuchState, watermark};
