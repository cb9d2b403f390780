//! Trivy's databases, made of evidence.
//!
//! A record of the ledger is mapped, by itself, to rows: what it says of packages, of vulnerabilities,
//! of jars, and what of it could not be said in Trivy's words. Rows are sorted part by part; merging
//! the parts settles what two sources say differently, and writes the files that the scanner opens.

pub mod map;
pub mod row;
mod source;
pub mod version;
