//! Laying a layer out as a scanner's cache has it.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;

use super::tar::{self, BLOCK};
use super::{LayerKind, METADATA};
use crate::TrivyError;

/// How large members may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnpackLimits {
    /// The database's bytes.
    pub database: u64,
    /// The metadata's bytes.
    pub metadata: u64,
}

impl Default for UnpackLimits {
    /// 8 GiB, all that a header can say, and 64 KiB.
    fn default() -> Self {
        Self {
            database: tar::MAX_SIZE,
            metadata: 64 * 1024,
        }
    }
}

/// What was laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// The database.
    pub database: PathBuf,
    /// Its bytes.
    pub database_size: u64,
    /// The metadata.
    pub metadata: PathBuf,
}

/// Lays a layer out below `cache`: `db/trivy.db` and `db/metadata.json`, or the same of `java-db`.
///
/// Both files are complete and on disk before the first gets its name, and each replaces the one that
/// was there at once; the metadata last, so that a scanner never takes an old database for a new one.
///
/// # Errors
/// [`TrivyError::Layer`] for anything but the two members in their order, [`TrivyError::MemberTooLarge`],
/// [`TrivyError::Source`] where `layer` stops, [`TrivyError::File`]. What was in the cache is untouched
/// then, unless giving the second name failed.
pub fn unpack(
    kind: LayerKind,
    layer: impl Read,
    cache: &Path,
    limits: UnpackLimits,
) -> Result<Unpacked, TrivyError> {
    let folder = cache.join(kind.cache_folder());
    fs::create_dir_all(&folder).map_err(TrivyError::file("create", &folder))?;
    let mut from = GzDecoder::new(std::io::BufReader::with_capacity(64 * 1024, layer));
    let database = Partial::new(&folder, kind.member());
    let metadata = Partial::new(&folder, METADATA);
    let database_size = member(&mut from, &database, limits.database)?;
    member(&mut from, &metadata, limits.metadata)?;
    end(&mut from)?;
    let unpacked = Unpacked {
        database: database.publish()?,
        database_size,
        metadata: metadata.publish()?,
    };
    File::open(&folder)
        .and_then(|folder| folder.sync_all())
        .map_err(TrivyError::file("write", &folder))?;
    Ok(unpacked)
}

/// A file that has not got its name yet, and is removed if it never does.
struct Partial {
    name: &'static str,
    partial: PathBuf,
    last: PathBuf,
}

impl Partial {
    fn new(folder: &Path, name: &'static str) -> Self {
        Self {
            name,
            partial: folder.join(format!(".{name}.partial")),
            last: folder.join(name),
        }
    }

    fn create(&self) -> Result<File, TrivyError> {
        // One that a stopped process has left, or somebody's link.
        match fs::remove_file(&self.partial) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(TrivyError::file("remove", &self.partial)(error));
            }
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        options
            .open(&self.partial)
            .map_err(TrivyError::file("create", &self.partial))
    }

    fn publish(&self) -> Result<PathBuf, TrivyError> {
        fs::rename(&self.partial, &self.last).map_err(TrivyError::file("rename", &self.partial))?;
        Ok(self.last.clone())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.partial);
    }
}

fn bad(reason: &str) -> TrivyError {
    TrivyError::Layer {
        reason: reason.to_owned(),
    }
}

/// Reads one member into its file; its size.
fn member(from: &mut impl Read, to: &Partial, limit: u64) -> Result<u64, TrivyError> {
    let mut block = [0; BLOCK];
    from.read_exact(&mut block).map_err(TrivyError::Source)?;
    let (name, size) = tar::parse(&block).map_err(bad)?;
    if name != to.name {
        return Err(TrivyError::Layer {
            reason: format!("a member {name:?} where {} should be", to.name),
        });
    }
    if size > limit {
        return Err(TrivyError::MemberTooLarge {
            member: name,
            size,
            max: limit,
        });
    }
    let file = to.create()?;
    let writing = |source| TrivyError::File {
        doing: "write",
        path: to.partial.clone(),
        source,
    };
    set_mode(&file).map_err(writing)?;
    let mut out = BufWriter::with_capacity(256 * 1024, file);
    let mut buffer = vec![0; 64 * 1024];
    let mut left = size;
    while left > 0 {
        let want = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let bytes = buffer.get_mut(..want).unwrap_or_default();
        from.read_exact(bytes).map_err(TrivyError::Source)?;
        out.write_all(bytes).map_err(writing)?;
        left -= want as u64;
    }
    let file = out
        .into_inner()
        .map_err(|error| writing(error.into_error()))?;
    file.sync_all().map_err(writing)?;
    let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
    if over > 0 {
        let padding = block.get_mut(over..).unwrap_or_default();
        from.read_exact(padding).map_err(TrivyError::Source)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(bad("there is something behind a member"));
        }
    }
    Ok(size)
}

/// 0644: the scanner opens the file for writing, and is not always who laid it out.
#[cfg(unix)]
fn set_mode(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn set_mode(_: &File) -> std::io::Result<()> {
    Ok(())
}

/// The archive ends: blocks of zeros, at most as many as pad it to tar's usual record of 10 KiB.
fn end<R: std::io::BufRead>(from: &mut GzDecoder<R>) -> Result<(), TrivyError> {
    let mut rest = Vec::new();
    from.by_ref()
        .take(2 * 10_240)
        .read_to_end(&mut rest)
        .map_err(TrivyError::Source)?;
    if rest.iter().any(|byte| *byte != 0) {
        return Err(bad("there is more in it than two members"));
    }
    if rest.len() < 2 * BLOCK || rest.len() == 2 * 10_240 {
        return Err(bad("it does not end where it should"));
    }
    let behind = from
        .get_mut()
        .fill_buf()
        .map_err(TrivyError::Source)?
        .is_empty();
    if behind {
        Ok(())
    } else {
        Err(bad("there is something behind it"))
    }
}
