//! The listing that is kept beside a version.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use export_mirror::listing::{ListingHasher, ListingReader, Summary};
use export_model::Kind;

use crate::error::{Error, reading, writing};

/// The most that a frame of a listing may ask to be kept in memory, as a power of two: 8 MiB.
const WINDOW_LOG: u32 = 23;

/// Writes a listing, compressed, and says what it amounts to.
pub(crate) struct ListingWriter {
    path: PathBuf,
    out: zstd::Encoder<'static, BufWriter<File>>,
    hasher: ListingHasher,
}

impl ListingWriter {
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let out = File::create_new(path)
            .and_then(|file| zstd::Encoder::new(BufWriter::with_capacity(128 << 10, file), 1))
            .map_err(writing(path))?;
        Ok(Self {
            path: path.to_owned(),
            out,
            hasher: ListingHasher::default(),
        })
    }

    /// Adds a line, with its line end.
    pub(crate) fn add(&mut self, kind: Kind, size: u64, line: &[u8]) -> Result<(), Error> {
        self.hasher.add(kind, size, line);
        self.out.write_all(line).map_err(writing(&self.path))
    }

    pub(crate) fn finish(self) -> Result<Summary, Error> {
        let Self { path, out, hasher } = self;
        out.finish()
            .and_then(|mut file| file.flush())
            .map_err(writing(&path))?;
        Ok(hasher.finish())
    }
}

/// A reader of a listing that was kept.
pub(crate) fn open(path: &Path) -> Result<ListingReader<Decoder>, Error> {
    let decoder = File::open(path).and_then(zstd::Decoder::new).and_then(
        |mut decoder: Decoder| -> std::io::Result<Decoder> {
            decoder.window_log_max(WINDOW_LOG)?;
            Ok(decoder)
        },
    );
    Ok(ListingReader::new(decoder.map_err(reading(path))?))
}

/// What decompresses a listing.
pub(crate) type Decoder = zstd::Decoder<'static, std::io::BufReader<File>>;

/// Tells documents that are out of order.
#[derive(Default)]
pub(crate) struct Order {
    last: Option<(Kind, String, String)>,
}

impl Order {
    /// Says whether the document comes after the one before it.
    pub(crate) fn follows(&mut self, kind: Kind, subject_key: &str, id: &str) -> bool {
        match &mut self.last {
            None => {
                self.last = Some((kind, subject_key.to_owned(), id.to_owned()));
                true
            }
            Some((last, subject, own)) => {
                if (*last, subject.as_str(), own.as_str()) >= (kind, subject_key, id) {
                    return false;
                }
                *last = kind;
                subject.clear();
                subject.push_str(subject_key);
                own.clear();
                own.push_str(id);
                true
            }
        }
    }
}
