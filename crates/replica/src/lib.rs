//! A folder that holds a mirror, at a site that nothing but media reaches.
//!
//! [`apply`](apply::apply) takes a bundle, verifies it by the key that the mirror holds to, decides whether
//! it continues what is here, and makes a new tree of it, beside the one that readers see. Then one
//! link is renamed: a reader sees the old tree or the new one, and a process that is killed leaves
//! either. [`verify`](verify::verify) checks everything from the signatures down to each byte;
//! [`status`](status::status) and [`log`](status::log) tell what is here and what made it.
//!
//! ```text
//! current -> versions/00000003        what readers follow
//! versions/00000003/                  manifests/, data/, indexes/
//! .mirror/mirror.json, key.pem        what it is of, and the key that it holds to
//! .mirror/chain/00000003/             the signed documents of what was applied, and the tree's listing
//! .mirror/lock                        one apply at a time
//! .mirror/staging/                    what is being built
//! ```
//!
//! The truth is where `current` points. Whatever is above it in the chain or among the versions is of an
//! apply that did not end, and removed by the next one. `mirror.json` repeats for people what the
//! signed documents beside the head say.
//!
//! The time, who applies, and what opens sealed members are handed in.

mod apply;
mod chain;
mod check;
mod claim;
mod commit;
mod delta;
mod derive;
mod differences;
mod error;
mod extras;
mod full;
mod indexing;
mod judge;
mod listing;
mod lock;
mod members;
mod open;
mod payload;
mod place;
mod pool;
mod sealed;
mod state;
mod status;
mod sync;
mod tree;
mod verify;
mod worker;

pub use apply::{Applied, Options, Step, apply};
pub use chain::{Derived, Entry, TreeCounts};
pub use claim::Claim;
pub use differences::{Differences, Named};
pub use error::Error;
pub use judge::{Here, Refusal};
pub use status::{Link, Status, log, status};
pub use verify::{Verified, VerifyOptions, verify};
