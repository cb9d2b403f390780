//! Joining.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use export_model::Sha256Digest;
use sha2::{Digest, Sha256};

use super::index::{PartEntry, PartsIndex};
use super::{PartsError, reading, writing};
use crate::frames::read_some;

const BUFFER_BYTES: usize = 256 << 10;

/// What was joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Where it is.
    pub path: PathBuf,
    /// Its digest.
    pub sha256: Sha256Digest,
    /// How many parts had been joined before.
    pub resumed: u64,
}

/// Joins `parts` to the file `out`. They are given in order, all or only the first of them, and the rest
/// is looked for beside it; the list of parts lies beside the first, or beside any of them.
///
/// # Errors
/// When a part is missing, altered, out of order, or of another file; when a file cannot be read or
/// written. What was joined until then is kept as `OUT.partial`, and taken up again.
pub fn join(parts: &[PathBuf], out: &Path) -> Result<Joined, PartsError> {
    let (index, files) = find(parts)?;
    let mut name = out.as_os_str().to_owned();
    name.push(".partial");
    let partial = PathBuf::from(name);
    if out.exists() {
        let mut sha = Sha256::new();
        let mut file = File::open(out).map_err(reading(out))?;
        pass(&mut file, out, |block| {
            sha.update(block);
            Ok(())
        })?;
        if Sha256Digest(sha.finalize().into()) == index.sha256 {
            return Ok(Joined {
                path: out.to_owned(),
                sha256: index.sha256,
                resumed: index.parts.len() as u64,
            });
        }
        return Err(PartsError::Exists {
            path: out.to_owned(),
        });
    }
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&partial)
        .map_err(writing(&partial))?;
    let mut whole = Sha256::new();
    let resumed = take_up(&index, &mut file, &partial, &mut whole)?;
    let count = index.parts.len() as u64;
    for (number, (entry, path)) in (1..).zip(index.parts.iter().zip(&files)) {
        if number <= resumed {
            continue;
        }
        append(
            entry,
            path,
            (number, count),
            &mut file,
            &partial,
            &mut whole,
        )?;
    }
    let sha256 = Sha256Digest(whole.finalize().into());
    if sha256 != index.sha256 {
        return Err(PartsError::Whole {
            found: sha256,
            expected: index.sha256,
        });
    }
    file.sync_all().map_err(writing(&partial))?;
    fs::rename(&partial, out).map_err(writing(out))?;
    Ok(Joined {
        path: out.to_owned(),
        sha256,
        resumed,
    })
}

/// The list, and where each part is.
fn find(given: &[PathBuf]) -> Result<(PartsIndex, Vec<PathBuf>), PartsError> {
    let Some(first) = given.first() else {
        return Err(PartsError::NotAPart {
            path: PathBuf::new(),
        });
    };
    let mut numbers: Vec<(u64, &PathBuf)> = Vec::new();
    let mut name = None;
    for path in given {
        let (own, number) =
            parse(path).ok_or_else(|| PartsError::NotAPart { path: path.clone() })?;
        if *name.get_or_insert(own) != own {
            return Err(PartsError::OtherFile {
                path: path.clone(),
                first: first.clone(),
            });
        }
        if let Some((_, before)) = numbers.last().filter(|(last, _)| *last >= number) {
            return Err(PartsError::Order {
                path: path.clone(),
                before: (*before).clone(),
            });
        }
        numbers.push((number, path));
    }
    let name = name.unwrap_or_default();
    let list = format!("{name}.parts.json");
    // Parts may come from several media; the list is on any of them.
    let list = given
        .iter()
        .map(|path| path.with_file_name(&list))
        .find(|path| path.exists())
        .unwrap_or_else(|| first.with_file_name(&list));
    let index = PartsIndex::read(&list)?;
    if index.name != name {
        return Err(PartsError::Index {
            path: list,
            what: format!("it is of `{}`", index.name.escape_debug()),
        });
    }
    let files = (1..)
        .zip(&index.parts)
        .map(|(number, entry)| {
            let given = numbers.iter().find(|(own, _)| *own == number);
            given.map_or_else(
                || first.with_file_name(&entry.name),
                |(_, path)| (*path).clone(),
            )
        })
        .collect();
    Ok((index, files))
}

/// The file that a part is of, and its number.
fn parse(path: &Path) -> Option<(&str, u64)> {
    let (name, number) = path.file_name()?.to_str()?.rsplit_once(".part-")?;
    let digits = number.len() >= 4 && number.bytes().all(|digit| digit.is_ascii_digit());
    let number = digits.then(|| number.parse().ok())??;
    (!name.is_empty() && number > 0).then_some((name, number))
}

/// How many parts are in what was joined before; anything after them is cut off.
fn take_up(
    index: &PartsIndex,
    file: &mut File,
    partial: &Path,
    whole: &mut Sha256,
) -> Result<u64, PartsError> {
    use io::{Seek, SeekFrom};
    let there = file.metadata().map_err(reading(partial))?.len();
    let (mut good, mut parts) = (0, 0);
    for entry in &index.parts {
        if good + entry.size > there {
            break;
        }
        let (mut sha, mut with) = (Sha256::new(), whole.clone());
        let mut of_part = Read::take(&mut *file, entry.size);
        pass(&mut of_part, partial, |block| {
            sha.update(block);
            with.update(block);
            Ok(())
        })?;
        if Sha256Digest(sha.finalize().into()) != entry.sha256 {
            break;
        }
        *whole = with;
        good += entry.size;
        parts += 1;
    }
    file.set_len(good).map_err(writing(partial))?;
    file.seek(SeekFrom::Start(good)).map_err(writing(partial))?;
    Ok(parts)
}

fn append(
    entry: &PartEntry,
    path: &Path,
    (number, count): (u64, u64),
    out: &mut File,
    partial: &Path,
    whole: &mut Sha256,
) -> Result<(), PartsError> {
    let mut part = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(PartsError::Missing {
                path: path.to_owned(),
                number,
                count,
            });
        }
        other => other.map_err(reading(path))?,
    };
    let altered = |what: String| PartsError::Altered {
        path: path.to_owned(),
        what,
    };
    let size = part.metadata().map_err(reading(path))?.len();
    if size != entry.size {
        return Err(altered(format!(
            "it has {size} bytes instead of {}",
            entry.size
        )));
    }
    let mut sha = Sha256::new();
    pass(&mut part, path, |block| {
        sha.update(block);
        whole.update(block);
        out.write_all(block).map_err(writing(partial))
    })?;
    let digest = Sha256Digest(sha.finalize().into());
    if digest != entry.sha256 {
        return Err(altered(format!(
            "its digest is {digest} instead of {}",
            entry.sha256
        )));
    }
    Ok(())
}

fn pass(
    reader: &mut impl Read,
    path: &Path,
    mut each: impl FnMut(&[u8]) -> Result<(), PartsError>,
) -> Result<(), PartsError> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = read_some(reader, &mut buffer).map_err(reading(path))?;
        if read == 0 {
            return Ok(());
        }
        each(buffer.get(..read).unwrap_or_default())?;
    }
}
