//! Zip archives, such as the ones that OSV publishes for each ecosystem.
//!
//! Nothing is ever written to disk here, so a member's name cannot do harm; but an archive with a
//! name such as `../x`, a link, two members of one name or an absurd size was made to harm some
//! tool, and is no source of evidence. The whole directory is checked before the first member is
//! read. Memory grows with the directory, which is a part of the file.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};

use export_model::ErrorCode;
use zip::ZipArchive;
use zip::result::ZipError;

use super::{Location, Place, ReadError, Reading};
use crate::refusal::excerpt;

/// A local file header, the end of an empty archive, a spanned archive
/// (PKWARE APPNOTE, sections 4.3.7, 4.3.16 and 8.5).
pub(super) const MAGICS: [&[u8]; 3] = [b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"];

/// How many times larger than the archive its members may be together. Evidence as JSON is 5 to 30
/// times larger.
const MOST_EXPANSION: u64 = 200;
/// What they may be in any case: 64 MiB.
const ALWAYS_ALLOWED: u64 = 64 << 20;

/// The error of a member that goes on where the archive says that it ends.
#[derive(Debug, thiserror::Error)]
#[error("longer than declared")]
pub(super) struct LongerThanDeclared;

/// Whether `file` is a zip archive. Leaves it at its beginning; a file that cannot be positioned,
/// such as a pipe, is none that could be read.
pub(super) fn is_archive(file: &mut File) -> io::Result<bool> {
    if !file.metadata()?.is_file() {
        return Ok(false);
    }
    let mut start = Vec::with_capacity(4);
    file.by_ref().take(4).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(MAGICS.contains(&start.as_slice()))
}

impl Reading<'_, '_> {
    /// Reads the members of a zip archive, in its own order.
    pub(super) fn archive(&mut self, file: File, location: &Location) -> Result<(), ReadError> {
        let io_failed = |source| ReadError::Io {
            location: location.clone(),
            source,
        };
        let size = file.metadata().map_err(io_failed)?.len();
        let mut archive = ZipArchive::new(BufReader::new(file))
            .map_err(|error| damaged(error, location.clone()))?;
        check(&archive, size, location)?;
        for index in 0..archive.len() {
            let member = archive
                .by_index(index)
                .map_err(|error| damaged(error, location.clone()))?;
            if member.is_dir() {
                continue;
            }
            let at = location.member(&String::from_utf8_lossy(member.name_raw()));
            let left = member.size();
            let bounded = Bounded {
                reader: member,
                left,
            };
            self.member(Box::new(bounded), at, Place::Found, true)?;
        }
        Ok(())
    }
}

/// Refuses an archive that was made to harm.
fn check<R: Read + Seek>(
    archive: &ZipArchive<R>,
    size: u64,
    location: &Location,
) -> Result<(), ReadError> {
    let allowed = size
        .saturating_mul(MOST_EXPANSION)
        .saturating_add(ALWAYS_ALLOWED);
    let unsafe_archive =
        |detail: String| ReadError::refused(location.clone(), ErrorCode::UnsafeArchive, detail);
    if archive.has_duplicate_names() {
        return Err(unsafe_archive(
            "the archive has two members of the same name".to_owned(),
        ));
    }
    let mut total = 0_u64;
    for index in 0..archive.len() {
        let member = archive
            .by_index_data(index)
            .map_err(|error| damaged(error, location.clone()))?;
        let raw = member.name_raw();
        let name = String::from_utf8_lossy(raw);
        let shown = excerpt(&name);
        if let Some(fault) = name_fault(&name) {
            return Err(unsafe_archive(format!("the member `{shown}` {fault}")));
        }
        let kind = member.unix_mode().unwrap_or(0) & 0o170_000;
        if !matches!(kind, 0 | 0o100_000 | 0o040_000) {
            return Err(unsafe_archive(format!(
                "the member `{shown}` is a link or a device"
            )));
        }
        if member.encrypted() {
            return Err(ReadError::refused(
                location.clone(),
                ErrorCode::Compressed,
                format!("the member `{shown}` is encrypted"),
            ));
        }
        total = total.saturating_add(member.size());
        if total > allowed {
            return Err(unsafe_archive(format!(
                "the member `{shown}` claims {} bytes; the whole archive has {size}",
                member.size()
            )));
        }
    }
    Ok(())
}

/// Why a member of this name could end up outside its folder.
fn name_fault(name: &str) -> Option<&'static str> {
    let bytes = name.as_bytes();
    if name.is_empty() || bytes.contains(&0) {
        Some("has no usable name")
    } else if bytes.starts_with(b"/") || bytes.starts_with(b"\\") || bytes.get(1) == Some(&b':') {
        Some("has an absolute path")
    } else if name.split(['/', '\\']).any(|part| part == "..") {
        Some("points outside the archive's folder")
    } else {
        None
    }
}

fn damaged(error: ZipError, location: Location) -> ReadError {
    match error {
        ZipError::Io(source) if source.raw_os_error().is_some() => {
            ReadError::Io { location, source }
        }
        other => ReadError::refused(
            location,
            ErrorCode::Compressed,
            format!("the zip archive cannot be read: {other}"),
        ),
    }
}

/// Ends with an error where the member is longer than the directory says.
struct Bounded<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| io::Error::other(LongerThanDeclared))?;
        Ok(count)
    }
}
