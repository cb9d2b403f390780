//! What stands in front of every HTTP service of ours.
//!
//! A service mounts [`observe`] around its routes, and its handlers ask the [`Door`] who sent a
//! request. So a token, its proof and the requests of a minute are checked in one way, every refusal
//! is a problem document, and every request has its line in the access log, whichever service it is
//! for. Nothing here knows how connections are accepted.

mod body;
mod door;
mod gate;
mod notes;
mod observe;
#[cfg(feature = "openapi")]
mod openapi;
mod problem;
mod resource;

pub use body::{read, wants};
pub use door::{Authority, Door};
pub use notes::Notes;
pub use observe::observe;
#[cfg(feature = "openapi")]
pub use openapi::json;
pub use problem::{PROBLEM_JSON, Problem, ProblemDocument, nothing_here, status, wrong_method};
pub use resource::resource_metadata;
