//! A file in parts, for media that are smaller than it.
//!
//! ```text
//! NAME.part-0001 …      the parts: just bytes of the file, one after the other
//! NAME.parts.json       the list: name, size and digest of the file and of each part (RFC 8785)
//! NAME.sha256           the file's digest as `sha256sum -c` reads it, for those without this program
//! ```
//!
//! Nothing here is signed, because what is cut up is: the digests find what media and people do to
//! files, and the bundle that comes of joining is verified as if it had never been in parts. Parts are
//! streamed, so that memory is a buffer whatever they hold. Both ways go on where they were
//! interrupted: a part is there whole, under its name, or not at all; and of a file that is being put
//! together as many parts are kept as are right.

mod error;
mod join;
mod list;
mod split;

pub use error::PartsError;
pub use join::{Joining, join};
pub use list::{MAX_PARTS, Part, PartList, SCHEMA, part_name};
pub use split::{Splitting, split};

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use export_model::Sha256Digest;
use sha2::{Digest as _, Sha256};

/// Bytes that are read at once.
const BUFFER: usize = 1 << 20;

/// A path with something after its name.
fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Hashes what `file` gives, at most `limit` bytes, with `also` hashing along; tells `each` of its
/// pieces.
fn hash(
    file: &mut impl Read,
    limit: u64,
    buffer: &mut [u8],
    also: &mut Sha256,
    each: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(u64, Sha256Digest), Piece> {
    let mut own = Sha256::new();
    let mut size = 0;
    while size < limit {
        let room = usize::try_from(limit - size).unwrap_or(usize::MAX);
        let room = room.min(buffer.len());
        let into = buffer.get_mut(..room).unwrap_or_default();
        let count = match file.read(into) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Piece::Read(error)),
        };
        let piece = buffer.get(..count).unwrap_or_default();
        own.update(piece);
        also.update(piece);
        each(piece).map_err(Piece::Taken)?;
        size += count as u64;
    }
    Ok((size, Sha256Digest(own.finalize().into())))
}

/// Which end of a copy failed.
enum Piece {
    Read(io::Error),
    Taken(io::Error),
}

/// Writes a small file so that it is there whole or not at all.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), PartsError> {
    let partial = with(path, ".partial");
    File::create(&partial)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .map_err(PartsError::writing(&partial))?;
    std::fs::rename(&partial, path).map_err(PartsError::writing(path))
}

#[cfg(test)]
mod tests;
