//! Documents out of files, folders, archives and streams, one at a time and within bounds.
//!
//! - What a file is, is told by its first bytes, not by its name: `.zst`, `.gz` and zip archives
//!   open by themselves.
//! - A text is JSON lines if its first line is a whole JSON text, else it is one document. No line
//!   and no document is held beyond the limit: what is longer is refused unread.
//! - A file that was named has to be of a known format; in a folder or an archive others are
//!   skipped and listed. A file there that is called `.json` or `.jsonl` still has to be JSON.
//! - An archive is judged as a whole before its first document is handed out.
//!
//! What a document means is the sink's knowledge. It answers [`ErrorCode::UnknownFormat`] for what
//! it does not know; any other refusal ends the reading.

mod archive;
mod error;
mod folder;
mod location;
mod stream;
mod text;

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use export_canonical::record::Limits;
use export_model::ErrorCode;

use crate::Refusal;
pub use error::ReadError;
pub use location::Location;

/// Where documents are.
pub enum Input {
    /// A file or a folder.
    Path(PathBuf),
    /// A stream, such as standard input.
    Stream {
        /// What to call it in messages.
        name: String,
        /// Its bytes. Reads may be of any size; it is buffered here.
        reader: Box<dyn Read>,
    },
}

/// Takes the documents, in order: where each was found, and its bytes, as they are there.
pub type Sink<'a> = dyn FnMut(&Location, Vec<u8>) -> Result<(), Refusal> + 'a;

/// A file that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Which.
    pub location: Location,
    /// Why.
    pub reason: String,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadReport {
    /// Documents that the sink took.
    pub documents: u64,
    /// Their size in bytes, uncompressed.
    pub bytes: u64,
    /// Files of a folder or an archive that are of no known format, and links.
    pub skipped: Vec<Skipped>,
}

/// Hands every document of `input` to `sink`.
///
/// # Errors
/// The first thing that could not be read or was refused, with its place. What the sink took before
/// stays taken: whoever wants all or nothing keeps it back until this returns.
pub fn documents(
    input: Input,
    limits: &Limits,
    sink: &mut Sink<'_>,
) -> Result<ReadReport, ReadError> {
    read(input, limits, sink, false)
}

/// Hands every line of `input` that is not empty to `sink`, whatever is in it. Files in folders and
/// archives are read one after the other.
///
/// # Errors
/// As [`documents`].
pub fn lines(input: Input, limits: &Limits, sink: &mut Sink<'_>) -> Result<ReadReport, ReadError> {
    read(input, limits, sink, true)
}

fn read(
    input: Input,
    limits: &Limits,
    sink: &mut Sink<'_>,
    every_line: bool,
) -> Result<ReadReport, ReadError> {
    let mut reading = Reading {
        limits: *limits,
        every_line,
        sink,
        report: ReadReport::default(),
    };
    match input {
        Input::Stream { name, reader } => {
            reading.stream(reader, Location::stream(name), Place::Named)?;
        }
        Input::Path(path) => {
            let location = Location::file(&path);
            let about = std::fs::metadata(&path).map_err(|source| ReadError::Io {
                location: location.clone(),
                source,
            })?;
            if about.is_dir() {
                reading.folder(path)?;
            } else {
                reading.file(path, Place::Named)?;
            }
        }
    }
    Ok(reading.report)
}

/// Whether somebody asked for a file, or it just lies there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Named by the caller.
    Named,
    /// Found in a folder or an archive.
    Found,
}

struct Reading<'a, 'b> {
    limits: Limits,
    /// Whether each line is handed over by itself.
    every_line: bool,
    sink: &'a mut Sink<'b>,
    report: ReadReport,
}

impl Reading<'_, '_> {
    fn file(&mut self, path: PathBuf, place: Place) -> Result<(), ReadError> {
        let location = Location::file(&path);
        let mut file = File::open(&path).map_err(|source| ReadError::Io {
            location: location.clone(),
            source,
        })?;
        if archive::is_archive(&mut file).map_err(|source| ReadError::Io {
            location: location.clone(),
            source,
        })? {
            // Programs and office documents are zip archives too.
            if place == Place::Found && !location.is_called_zip() {
                self.skip(location, "a zip archive that is not called `.zip`");
                return Ok(());
            }
            self.archive(file, &location)
        } else {
            self.stream(Box::new(file), location, place)
        }
    }

    fn skip(&mut self, location: Location, reason: impl Into<String>) {
        self.report.skipped.push(Skipped {
            location,
            reason: reason.into(),
        });
    }

    /// Hands one document over.
    fn hand_over(&mut self, location: &Location, bytes: Vec<u8>) -> Result<(), Refusal> {
        let size = bytes.len() as u64;
        (self.sink)(location, bytes)?;
        self.report.documents += 1;
        self.report.bytes += size;
        Ok(())
    }

    /// Whether a file that failed to be what it seemed is only left out. `first` says that nothing
    /// of it was taken yet.
    fn is_skippable(place: Place, location: &Location, refusal: &Refusal, first: bool) -> bool {
        if place == Place::Named || !first {
            return false;
        }
        match refusal.code {
            ErrorCode::UnknownFormat => true,
            ErrorCode::NotJson | ErrorCode::InvalidUtf8 | ErrorCode::Compressed => {
                !location.is_called_json()
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
