//! What assembling leaves: files on scratch, with all that a manifest says of them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use export_digest::ContentHasher;
use serde::Serialize;

use crate::TrivyError;
use crate::summary::{DatabaseSummary, JavaSummary};

/// The files of a payload.
#[derive(Clone, Debug)]
pub struct Assembled {
    /// Sorted by path.
    pub files: Vec<AssembledFile>,
    /// What `payload/summary.json` says.
    pub summary: Summary,
}

/// A summary, of either database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Summary {
    /// Of `trivy:db`.
    Database(DatabaseSummary),
    /// Of `trivy:java-db`.
    Java(JavaSummary),
}

/// How a file's content is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// It is not.
    None,
    /// RFC 1952, in one member without a name or a time.
    Gzip {
        /// zlib's level.
        level: u32,
    },
}

/// A file of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssembledFile {
    /// Its path in the bundle, without a suffix for its compression: `payload/db.tar`.
    pub path: String,
    /// Where its stored bytes are on scratch.
    pub stored: PathBuf,
    /// How they are compressed.
    pub compression: Compression,
    /// Stored bytes.
    pub size: u64,
    /// SHA-256 of the stored bytes.
    pub sha256: [u8; 32],
    /// Bytes before compression.
    pub content_size: u64,
    /// SHA-256 of the bytes before compression.
    pub content_sha256: [u8; 32],
    /// Of the stored bytes.
    pub media_type: &'static str,
    /// Advisories or jars in a database, statements, lines; 0 for a summary.
    pub records: u64,
}

/// A file that is written and hashed at once.
pub(crate) struct HashedFile {
    path: PathBuf,
    out: BufWriter<File>,
    hasher: ContentHasher,
    size: u64,
}

impl HashedFile {
    pub(crate) fn create(path: PathBuf) -> Result<Self, TrivyError> {
        let file = File::create(&path).map_err(TrivyError::file("create", &path))?;
        Ok(Self {
            path,
            out: BufWriter::with_capacity(256 * 1024, file),
            hasher: ContentHasher::new(),
            size: 0,
        })
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) -> Result<(), TrivyError> {
        self.write_all(bytes)
            .map_err(TrivyError::file("write", &self.path))
    }

    /// The file, its bytes being its content.
    pub(crate) fn finish(
        mut self,
        path: &str,
        media_type: &'static str,
        records: u64,
    ) -> Result<AssembledFile, TrivyError> {
        self.out
            .flush()
            .map_err(TrivyError::file("write", &self.path))?;
        let sha256 = self.hasher.finalize();
        Ok(AssembledFile {
            path: path.to_owned(),
            stored: self.path,
            compression: Compression::None,
            size: self.size,
            sha256,
            content_size: self.size,
            content_sha256: sha256,
            media_type,
            records,
        })
    }
}

impl Write for HashedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write_all(bytes)?;
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes a summary.
pub(crate) fn summary_file(
    scratch: &Path,
    summary: &impl Serialize,
) -> Result<AssembledFile, TrivyError> {
    let bytes = canonical("the summary", summary)?;
    let mut file = HashedFile::create(scratch.join("summary.json"))?;
    file.add(&bytes)?;
    file.finish("payload/summary.json", "application/json", 0)
}

/// RFC 8785.
pub(crate) fn canonical(
    document: &'static str,
    value: &impl Serialize,
) -> Result<Vec<u8>, TrivyError> {
    export_canonical::jcs::to_jcs(value)
        .map_err(|source| TrivyError::Canonical { document, source })
}
