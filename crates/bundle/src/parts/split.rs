//! Splitting.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use export_model::Sha256Digest;
use sha2::{Digest, Sha256};

use super::index::{PartEntry, PartsIndex};
use super::{MAX_PARTS, PartsError, part_name, reading, writing};
use crate::frames::read_some;

const BUFFER_BYTES: usize = 256 << 10;

/// What was split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The list of its parts.
    pub index: PartsIndex,
    /// Where the list is.
    pub path: PathBuf,
    /// How many parts were there already.
    pub kept: u64,
}

/// Splits the file at `path` into parts of `part_bytes` in the folder `into`. A part that is there and
/// right is kept; one that is not is written anew.
///
/// # Errors
/// When the sizes do not fit, or a file cannot be read or written.
pub fn split(path: &Path, part_bytes: u64, into: &Path) -> Result<Split, PartsError> {
    let mut file = File::open(path).map_err(reading(path))?;
    let size = file.metadata().map_err(reading(path))?.len();
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| PartsError::NotAPart {
            path: path.to_owned(),
        })?;
    let count = size
        .checked_div(part_bytes)
        .map_or(u64::MAX, |_| size.div_ceil(part_bytes.max(1)).max(1));
    if count > MAX_PARTS {
        return Err(PartsError::Size {
            bytes: size,
            part_bytes,
        });
    }
    let mut whole = Sha256::new();
    let mut parts = Vec::new();
    let mut kept = 0;
    for number in 1..=count {
        let at = into.join(part_name(name, number));
        let bytes = part_bytes.min(size - (number - 1) * part_bytes);
        let (sha256, was_there) = part(&mut file, path, bytes, &at, &mut whole)?;
        kept += u64::from(was_there);
        parts.push(PartEntry {
            name: part_name(name, number),
            size: bytes,
            sha256,
        });
    }
    let sha256 = Sha256Digest(whole.finalize().into());
    let index = PartsIndex::new(name, size, sha256, parts);
    let list = into.join(format!("{name}.parts.json"));
    replace(&list, &index.to_bytes(&list)?)?;
    let line = format!("{}  {name}\n", sha256.hex());
    replace(&into.join(format!("{name}.sha256")), line.as_bytes())?;
    Ok(Split {
        index,
        path: list,
        kept,
    })
}

/// Writes a part beside its name, unless what is there is the same; then it takes the name.
fn part(
    file: &mut File,
    path: &Path,
    bytes: u64,
    at: &Path,
    whole: &mut Sha256,
) -> Result<(Sha256Digest, bool), PartsError> {
    let there = match File::open(at) {
        Ok(there) if there.metadata().map_err(reading(at))?.len() == bytes => Some(there),
        _ => None,
    };
    let mut sha = Sha256::new();
    if let Some(mut there) = there {
        use io::{Seek, SeekFrom};
        let start = file.stream_position().map_err(reading(path))?;
        let before = whole.clone();
        let same = copy(file, path, bytes, |block| {
            whole.update(block);
            sha.update(block);
            let mut own = vec![0; block.len()];
            there.read_exact(&mut own).map_err(reading(at))?;
            Ok(own == block)
        })?;
        if same {
            return Ok((Sha256Digest(sha.finalize().into()), true));
        }
        file.seek(SeekFrom::Start(start)).map_err(reading(path))?;
        (*whole, sha) = (before, Sha256::new());
    }
    let beside = beside(at);
    let mut out = File::create(&beside)
        .map(|file| BufWriter::with_capacity(BUFFER_BYTES, file))
        .map_err(writing(&beside))?;
    copy(file, path, bytes, |block| {
        whole.update(block);
        sha.update(block);
        out.write_all(block).map_err(writing(&beside))?;
        Ok(true)
    })?;
    out.into_inner()
        .map_err(io::IntoInnerError::into_error)
        .and_then(|file| file.sync_all())
        .map_err(writing(&beside))?;
    fs::rename(&beside, at).map_err(writing(at))?;
    Ok((Sha256Digest(sha.finalize().into()), false))
}

/// Gives `each` so many bytes of a file, in blocks, until it says that it wants no more.
fn copy(
    file: &mut File,
    path: &Path,
    bytes: u64,
    mut each: impl FnMut(&[u8]) -> Result<bool, PartsError>,
) -> Result<bool, PartsError> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut left = bytes;
    while left > 0 {
        let most = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(BUFFER_BYTES);
        let room = buffer.get_mut(..most).unwrap_or_default();
        let read = read_some(file, room).map_err(reading(path))?;
        if read == 0 {
            return Err(reading(path)(io::ErrorKind::UnexpectedEof.into()));
        }
        if !each(buffer.get(..read).unwrap_or_default())? {
            return Ok(false);
        }
        left -= read as u64;
    }
    Ok(true)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), PartsError> {
    let beside = beside(path);
    fs::write(&beside, bytes).map_err(writing(&beside))?;
    fs::rename(&beside, path).map_err(writing(path))
}
