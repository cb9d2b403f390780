//! Writing a layer.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use export_digest::ContentHasher;
use flate2::{Compression as Level, GzBuilder, write::GzEncoder};

use super::tar::{BLOCK, MAX_SIZE, header};
use super::{LayerKind, METADATA};
use crate::TrivyError;
use crate::assembled::{AssembledFile, Compression, HashedFile};
use crate::merge::Proceed;
use crate::summary::Member;

/// The level at which layers are compressed.
pub const GZIP_LEVEL: u32 = 6;
/// Bytes that are handed to the compressor at a time, always as many: what it makes of them may
/// depend on that.
const PIECE: usize = 64 * 1024;

/// The archive: hashed, compressed, hashed again.
struct Archive {
    content: ContentHasher,
    size: u64,
    gzip: GzEncoder<HashedFile>,
    piece: Vec<u8>,
    stored: PathBuf,
}

impl Archive {
    fn add(&mut self, mut bytes: &[u8]) -> Result<(), TrivyError> {
        while !bytes.is_empty() {
            let room = PIECE - self.piece.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.piece.extend_from_slice(now);
            bytes = later;
            if self.piece.len() == PIECE {
                self.compress()?;
            }
        }
        Ok(())
    }

    fn compress(&mut self) -> Result<(), TrivyError> {
        self.content.update(&self.piece);
        self.size += self.piece.len() as u64;
        self.gzip
            .write_all(&self.piece)
            .map_err(TrivyError::file("write", &self.stored))?;
        self.piece.clear();
        Ok(())
    }

    fn pad(&mut self, size: u64) -> Result<(), TrivyError> {
        let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
        if over > 0 {
            self.add([0; BLOCK].get(over..).unwrap_or_default())?;
        }
        Ok(())
    }
}

/// Writes the layer of `database` and `metadata` to `stored`; what it is, and its members.
pub(crate) fn write(
    kind: LayerKind,
    database: &Path,
    metadata: &[u8],
    stored: PathBuf,
    records: u64,
    proceed: Proceed<'_>,
) -> Result<(AssembledFile, Vec<Member>), TrivyError> {
    let mut file = File::open(database).map_err(TrivyError::file("open", database))?;
    let size = file
        .metadata()
        .map_err(TrivyError::file("read", database))?
        .len();
    if size > MAX_SIZE {
        return Err(TrivyError::MemberTooLarge {
            member: kind.member().to_owned(),
            size,
            max: MAX_SIZE,
        });
    }
    let mut archive = Archive {
        content: ContentHasher::new(),
        size: 0,
        gzip: GzBuilder::new()
            .mtime(0)
            .operating_system(255)
            .write(HashedFile::create(stored.clone())?, Level::new(GZIP_LEVEL)),
        piece: Vec::with_capacity(PIECE),
        stored,
    };
    archive.add(&header(kind.member(), size))?;
    let mut hasher = ContentHasher::new();
    let mut buffer = vec![0; PIECE];
    let mut left = size;
    while left > 0 {
        if !proceed() {
            return Err(TrivyError::Cancelled);
        }
        let want = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let bytes = buffer.get_mut(..want).unwrap_or_default();
        file.read_exact(bytes)
            .map_err(TrivyError::file("read", database))?;
        hasher.update(bytes);
        archive.add(bytes)?;
        left -= want as u64;
    }
    archive.pad(size)?;
    let mut members = vec![member(kind.member(), hasher, size)];
    let length = metadata.len() as u64;
    archive.add(&header(METADATA, length))?;
    archive.add(metadata)?;
    archive.pad(length)?;
    let mut hasher = ContentHasher::new();
    hasher.update(metadata);
    members.push(member(METADATA, hasher, length));
    archive.add(&[0; 2 * BLOCK])?;
    archive.compress()?;

    let Archive {
        content,
        size: content_size,
        gzip,
        stored,
        ..
    } = archive;
    let stored = gzip
        .finish()
        .map_err(TrivyError::file("write", &stored))?
        .finish(path(kind), kind.media_type(), records)?;
    let layer = AssembledFile {
        compression: Compression::Gzip { level: GZIP_LEVEL },
        content_size,
        content_sha256: content.finalize(),
        ..stored
    };
    Ok((layer, members))
}

fn path(kind: LayerKind) -> &'static str {
    match kind {
        LayerKind::Database => "payload/db.tar",
        LayerKind::Java => "payload/javadb.tar",
    }
}

fn member(name: &str, hasher: ContentHasher, size: u64) -> Member {
    Member {
        name: name.to_owned(),
        sha256: hex::encode(hasher.finalize()),
        size,
    }
}
