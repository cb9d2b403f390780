//! Streams: what is compressed is opened, by its first bytes.

use std::io::{self, BufReader, Cursor, Read};

use export_model::ErrorCode;
use flate2::read::MultiGzDecoder;

use super::{Location, Place, ReadError, Reading, archive};
use crate::Refusal;

/// How much is read at once.
const BUFFER: usize = 256 * 1024;
/// The largest window that a zstd frame may ask for (128 MiB), as `zstd` itself allows by default.
const WINDOW_LOG_MAX: u32 = 27;

/// What a stream is, by its first bytes.
enum Packing {
    Plain,
    /// RFC 8878, section 3.1.
    Zstd,
    /// RFC 1952, section 2.3.1.
    Gzip,
    Zip,
}

impl Packing {
    fn of(start: &[u8]) -> Self {
        match start {
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0x1f, 0x8b, ..] => Self::Gzip,
            _ if archive::MAGICS.iter().any(|magic| start.starts_with(magic)) => Self::Zip,
            _ => Self::Plain,
        }
    }
}

impl Reading<'_, '_> {
    /// Reads a stream that is no archive.
    pub(super) fn stream(
        &mut self,
        reader: Box<dyn Read + '_>,
        location: Location,
        place: Place,
    ) -> Result<(), ReadError> {
        self.member(reader, location, place, false)
    }

    /// As [`Reading::stream`]; `packed` says that the bytes come out of a decompressor already, so
    /// that its complaints are about the input.
    pub(super) fn member(
        &mut self,
        mut reader: Box<dyn Read + '_>,
        location: Location,
        place: Place,
        packed: bool,
    ) -> Result<(), ReadError> {
        let mut start = Vec::with_capacity(4);
        reader
            .by_ref()
            .take(4)
            .read_to_end(&mut start)
            .map_err(|error| failed(error, &location, packed))?;
        let packing = Packing::of(&start);
        let whole = Cursor::new(start).chain(reader);
        match packing {
            Packing::Plain => {
                let mut text = BufReader::with_capacity(BUFFER, whole);
                self.text(&mut text, location, place, packed)
            }
            Packing::Gzip => {
                let unpacked = MultiGzDecoder::new(BufReader::with_capacity(BUFFER, whole));
                let mut text = BufReader::with_capacity(BUFFER, unpacked);
                self.text(&mut text, location, place, true)
            }
            Packing::Zstd => {
                let io = |source| ReadError::Io {
                    location: location.clone(),
                    source,
                };
                let mut unpacked = zstd::stream::read::Decoder::new(whole).map_err(io)?;
                unpacked.window_log_max(WINDOW_LOG_MAX).map_err(io)?;
                let mut text = BufReader::with_capacity(BUFFER, unpacked);
                self.text(&mut text, location, place, true)
            }
            Packing::Zip => {
                let refusal = Refusal::new(
                    ErrorCode::UnknownFormat,
                    "a zip archive can only be read from a file of its own, not from a stream or \
                     out of another archive",
                );
                if place == Place::Found {
                    self.skip(location, refusal.detail);
                    return Ok(());
                }
                Err(ReadError::Refused { location, refusal })
            }
        }
    }
}

/// What a failed read says: a decompressor's complaint is about the input, anything else about the
/// environment.
pub(super) fn failed(error: io::Error, location: &Location, packed: bool) -> ReadError {
    if error
        .get_ref()
        .is_some_and(|inner| inner.is::<archive::LongerThanDeclared>())
    {
        return ReadError::refused(
            location.clone(),
            ErrorCode::UnsafeArchive,
            "the member is larger than the archive says",
        );
    }
    if !packed || error.raw_os_error().is_some() {
        return ReadError::Io {
            location: location.clone(),
            source: error,
        };
    }
    ReadError::refused(
        location.clone(),
        ErrorCode::Compressed,
        match error.kind() {
            io::ErrorKind::UnexpectedEof => "the compressed data ends too early".to_owned(),
            _ => format!("the compressed data is damaged: {error}"),
        },
    )
}
