//! Canonical JSON, in the two forms that this project relies on.
//!
//! - [`jcs`]: RFC 8785 (the JSON Canonicalization Scheme) for documents that are authored here:
//!   manifests, provenance, indexes. Anyone can check their bytes with any RFC 8785 library.
//! - [`record`]: the form of evidence. It differs from RFC 8785 in two points, because raw
//!   evidence has to stay raw: numbers keep the digits that the publisher wrote, and members are
//!   sorted by code point (the order of their UTF-8 bytes).
//!
//! Every byte string that comes in is untrusted: size and nesting are limited, nothing recurses,
//! and nothing panics.

mod lex;

pub mod jcs;
pub mod record;
