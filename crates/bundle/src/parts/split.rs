//! Cutting a file into parts.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use export_model::Sha256Digest;
use sha2::{Digest as _, Sha256};

use super::list::check_name;
use super::{
    BUFFER, MAX_PARTS, Part, PartList, PartsError, Piece, SCHEMA, hash, part_name, with,
    write_whole,
};

/// What was cut.
#[derive(Clone, Debug)]
pub struct Splitting {
    /// The list, as it was written.
    pub list: PartList,
    /// Parts that were there already, and are right.
    pub kept: u64,
}

/// Cuts `file` into parts of `part_size` bytes, the last one of less, in the folder `to`; tells
/// `observe` how many bytes of the file it has dealt with. Parts that are there already are compared and
/// kept; what is there under their names and differs is replaced. The list is written last.
///
/// # Errors
/// When something cannot be read or written, the file changes meanwhile, it would make more than
/// [`MAX_PARTS`] parts, or parts of an earlier cut are in the way.
pub fn split(
    file: &Path,
    part_size: u64,
    to: &Path,
    observe: &mut dyn FnMut(u64),
) -> Result<Splitting, PartsError> {
    let name = name_of(file)?;
    let mut source = File::open(file).map_err(PartsError::reading(file))?;
    let found = source.metadata().map_err(PartsError::reading(file))?;
    if !found.is_file() {
        return Err(wrong(file, "is no regular file"));
    }
    let (size, part_size) = (found.len(), part_size.max(1));
    let count = usize::try_from(size.div_ceil(part_size).max(1)).unwrap_or(usize::MAX);
    if count > MAX_PARTS {
        return Err(PartsError::TooMany {
            path: file.to_owned(),
            size,
            part_size,
        });
    }
    std::fs::create_dir_all(to).map_err(PartsError::writing(to))?;
    let leftover = to.join(part_name(&name, count + 1));
    if std::fs::symlink_metadata(&leftover).is_ok() {
        return Err(PartsError::Leftover { path: leftover });
    }
    let mut cutting = Cutting {
        file,
        source: &mut source,
        buffer: vec![0; BUFFER],
        whole: Sha256::new(),
        done: 0,
        observe,
    };
    let (mut parts, mut kept) = (Vec::new(), 0);
    for number in 1..=count {
        let name = part_name(&name, number);
        let size = part_size.min(size - cutting.done);
        let (sha256, was_there) = cutting.part(&to.join(&name), size)?;
        kept += u64::from(was_there);
        parts.push(Part { name, size, sha256 });
    }
    let whole = cutting.end()?;
    let list = PartList {
        schema: SCHEMA.to_owned(),
        name,
        size,
        sha256: Sha256Digest(whole.finalize().into()),
        parts,
    };
    let path = to.join(list.file_name());
    let bytes = list.to_bytes().map_err(|what| PartsError::List {
        path: path.clone(),
        what,
    })?;
    let sum = format!("{}  {}\n", list.sha256.hex(), list.name);
    write_whole(&to.join(format!("{}.sha256", list.name)), sum.as_bytes())?;
    write_whole(&path, &bytes)?;
    Ok(Splitting { list, kept })
}

fn name_of(file: &Path) -> Result<String, PartsError> {
    let wrong = |why| PartsError::Name {
        path: file.to_owned(),
        why,
    };
    let name = file.file_name().ok_or_else(|| wrong("it has none"))?;
    let name = name.to_str().ok_or_else(|| wrong("it is not UTF-8"))?;
    check_name(name).map_err(wrong)?;
    Ok(name.to_owned())
}

fn wrong(path: &Path, what: &'static str) -> PartsError {
    PartsError::Source {
        path: path.to_owned(),
        what,
    }
}

const SHRANK: &str = "became shorter while it was read; cut it again";
const GREW: &str = "became longer while it was read; cut it again";

struct Cutting<'a> {
    file: &'a Path,
    source: &'a mut File,
    buffer: Vec<u8>,
    whole: Sha256,
    /// Bytes of the file that are in parts.
    done: u64,
    observe: &'a mut dyn FnMut(u64),
}

impl Cutting<'_> {
    /// Makes the next part, or finds that it is there.
    fn part(&mut self, path: &Path, size: u64) -> Result<(Sha256Digest, bool), PartsError> {
        if let Some(sha256) = self.existing(path, size)? {
            return Ok((sha256, true));
        }
        let partial = with(path, ".partial");
        let mut out = File::create(&partial).map_err(PartsError::writing(&partial))?;
        let sha256 = self.pass(size, &mut |piece| out.write_all(piece), &partial)?;
        out.sync_all().map_err(PartsError::writing(&partial))?;
        std::fs::rename(&partial, path).map_err(PartsError::writing(path))?;
        Ok((sha256, false))
    }

    /// Compares the next part with what is there under its name; if it differs in anything, goes back
    /// to where it began.
    fn existing(&mut self, path: &Path, size: u64) -> Result<Option<Sha256Digest>, PartsError> {
        let found = match OpenOptions::new().read(true).open(path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(PartsError::reading(path)(error)),
        };
        let meta = found.metadata().map_err(PartsError::reading(path))?;
        if !meta.is_file() || meta.len() != size {
            return Ok(None);
        }
        let (before, done) = (self.whole.clone(), self.done);
        let (mut found, mut same, mut other) = (found, true, vec![0; BUFFER]);
        let mut compare = |piece: &[u8]| {
            if same {
                let there = other.get_mut(..piece.len()).unwrap_or_default();
                // What cannot be read any more differs.
                same = found.read_exact(there).is_ok() && there == piece;
            }
            Ok(())
        };
        let sha256 = self.pass(size, &mut compare, path)?;
        if same {
            return Ok(Some(sha256));
        }
        self.whole = before;
        self.done = done;
        let back = self.source.seek(SeekFrom::Start(done));
        back.map_err(PartsError::reading(self.file))?;
        Ok(None)
    }

    /// Reads the next `size` bytes of the file.
    fn pass(
        &mut self,
        size: u64,
        each: &mut dyn FnMut(&[u8]) -> io::Result<()>,
        to: &Path,
    ) -> Result<Sha256Digest, PartsError> {
        let (mut done, observe) = (self.done, &mut *self.observe);
        let mut told = |piece: &[u8]| {
            done += piece.len() as u64;
            observe(done);
            each(piece)
        };
        let passed = hash(
            self.source,
            size,
            &mut self.buffer,
            &mut self.whole,
            &mut told,
        );
        let (count, sha256) = passed.map_err(|piece| match piece {
            Piece::Read(source) => PartsError::Read {
                path: PathBuf::from(self.file),
                source,
            },
            Piece::Taken(source) => PartsError::writing(to)(source),
        })?;
        self.done += count;
        if count < size {
            return Err(wrong(self.file, SHRANK));
        }
        Ok(sha256)
    }

    /// The digest of all of it; there must be no more.
    fn end(self) -> Result<Sha256, PartsError> {
        let more = self.source.read(&mut [0]);
        match more.map_err(PartsError::reading(self.file))? {
            0 => Ok(self.whole),
            _ => Err(wrong(self.file, GREW)),
        }
    }
}
