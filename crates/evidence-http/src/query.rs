//! A scan as parameters, and back.
//!
//! The names are those of selectors in the API. A list is a parameter that is repeated, in the
//! list's order. A nested set has its number before the name: `include.0.products`. What a list of
//! parameters cannot say by itself is said beside it: how many sets there are (`include=2`), and
//! which lists are there without a value (`empty=products`).

#[cfg(feature = "server")]
mod read;
#[cfg(feature = "client")]
mod write;

#[cfg(feature = "server")]
pub(crate) use read::{Parameters, Wrong};
#[cfg(feature = "client")]
pub(crate) use write::Form;

/// Names of a set's members.
const KINDS: &str = "kinds";
const ECOSYSTEMS: &str = "ecosystems";
const PRODUCTS: &str = "products";
const SBOM_SUBJECTS: &str = "sbom_subjects";
const IDENTIFIERS: &str = "identifiers";
const SOURCES: &str = "sources";
const RECORDED: &str = "recorded";
const RECORDED_FROM: &str = "recorded_from";
const RECORDED_TO: &str = "recorded_to";
const EMPTY: &str = "empty";

#[cfg(all(test, feature = "client", feature = "server"))]
mod tests;
