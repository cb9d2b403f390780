//! Trivy's databases, made of evidence.
//!
//! A record of the ledger is mapped, by itself, to rows: what it says of packages, of vulnerabilities,
//! of jars, and what of it could not be said in Trivy's words. Rows are sorted part by part; merging
//! the parts settles what two sources say differently, and writes the files that the scanner opens.
//!
//! [`runs::RunWriter`] sorts the rows of a part; [`assemble_database`] and [`assemble_java`] make a
//! payload of the runs of all parts; [`layer`] lays a payload out for a scanner; [`diff::Diff`]
//! compares two databases.

mod assembled;
mod db;
pub mod diff;
mod error;
mod full;
mod java;
pub mod layer;
pub mod listing;
pub mod map;
mod merge;
mod metadata;
pub mod row;
pub mod runs;
mod settle;
mod source;
pub mod summary;
#[cfg(test)]
mod test_rows;
pub mod version;
mod vex;

pub use assembled::{Assembled, AssembledFile, Compression, Summary};
pub use db::assemble_database;
pub use error::TrivyError;
pub use java::assemble_java;
pub use metadata::{DATABASE_SCHEMA, JAVA_SCHEMA, Metadata};
