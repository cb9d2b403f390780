//! Files of bbolt, the embedded key/value database: a bulk writer in one pass, and a reader.
//!
//! bbolt keeps a tree of buckets, each a B+ tree of keys, in one file of pages; its transactions copy
//! every page that they change. To build a file that is only ever read, that is work for nothing: the
//! pages are written many times, the file keeps the free ones, and its bytes depend on how the keys
//! were grouped into transactions. [`Writer`] takes keys in order and writes every page once, full, in
//! one pass and in little memory. Equal input and options give equal bytes, wherever it runs.
//!
//! [`Database`] reads such files, and those that bbolt wrote, without trusting them: a damaged or
//! hostile file gives an error, in time and memory linear in its size. [`Database::check`] says
//! everything that is wrong with one.
//!
//! The format is described in `docs/bbolt.md`; its source is `go.etcd.io/bbolt`, `internal/common`,
//! format version 2. Nothing here locks files, maps memory or changes a file that is there.
//!
//! ```
//! use std::io::Cursor;
//!
//! use export_bolt::{Database, Options, Writer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut writer = Writer::new(Cursor::new(Vec::new()), Options::default())?;
//! writer.bucket(b"fruit")?; // names and keys ascend
//! writer.put(b"apple", b"malus")?;
//! writer.bucket(b"citrus")?;
//! writer.put(b"lemon", b"limon")?;
//! writer.leave()?;
//! writer.put(b"pear", b"pyrus")?;
//! writer.leave()?;
//! let (summary, file) = writer.finish()?;
//! assert_eq!((summary.keys, summary.buckets), (3, 2));
//!
//! let database = Database::open(file.into_inner())?;
//! assert!(database.check()?.problems.is_empty());
//! let lemon = database.get(&[b"fruit", b"citrus"], b"lemon")?;
//! assert_eq!(lemon.as_deref(), Some(&b"limon"[..]));
//! # Ok(())
//! # }
//! ```

mod branch;
mod check;
mod entries;
mod error;
mod format;
mod leaf;
mod page;
mod pages;
mod reader;
mod source;
mod walk;
mod writer;

pub use check::{Problem, Report};
pub use entries::{Entries, Entry};
pub use error::{MetaFault, PageFault, ReadError, WriteError};
pub use format::{MAX_KEY, MAX_VALUE};
pub use reader::{Bucket, Database};
pub use source::{Seekable, Source};
pub use walk::{Step, Walk};
pub use writer::{Options, Summary, Writer};
