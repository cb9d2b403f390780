//! Putting a file together again.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use export_model::Sha256Digest;
use sha2::{Digest as _, Sha256};

use super::list::list_name;
use super::{BUFFER, Part, PartList, PartsError, Piece, hash, with};

/// What was put together.
#[derive(Clone, Debug)]
pub struct Joining {
    /// What it was cut into.
    pub list: PartList,
    /// Where it lies.
    pub path: PathBuf,
    /// Parts that an earlier attempt had joined.
    pub resumed: u64,
}

/// Joins parts to the file `out` (where there is none, under its own name beside the first of them), by
/// the list that is among `given` or beside the first of them; tells
/// `observe` how many bytes of how many are dealt with. What is joined lies in `OUT.partial` until it is
/// whole; where that is there, its parts are checked and not needed again, so that parts can be joined
/// as they come.
///
/// # Errors
/// When the list or a part is missing or is not what was cut, or something cannot be read or written.
/// What is right of it is kept.
pub fn join(
    given: &[PathBuf],
    out: Option<&Path>,
    observe: &mut dyn FnMut(u64, u64),
) -> Result<Joining, PartsError> {
    let (list, given) = list_of(given)?;
    let beside = given.first().map(|first| first.with_file_name(&list.name));
    let path = out.map(Path::to_path_buf).or(beside);
    let path = path.unwrap_or_else(|| PathBuf::from(&list.name));
    let out = path.as_path();
    let given = arranged(&list, given)?;
    let partial = with(out, ".partial");
    let target = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&partial)
        .map_err(PartsError::writing(&partial))?;
    let mut joined = Joined {
        list: &list,
        partial: &partial,
        target,
        buffer: vec![0; BUFFER],
        whole: Sha256::new(),
        parts: 0,
        size: 0,
        observe,
    };
    joined.resume()?;
    let resumed = joined.parts as u64;
    while let Some(part) = list.parts.get(joined.parts) {
        let Some(path) = given.get(&joined.parts) else {
            let missing = (joined.parts..list.parts.len()).filter(|at| !given.contains_key(at));
            return Err(PartsError::Missing {
                first: part.name.clone(),
                count: missing.count(),
                total: list.parts.len(),
            });
        };
        joined.add(part, path)?;
    }
    let Joined { target, whole, .. } = joined;
    if Sha256Digest(whole.finalize().into()) != list.sha256 {
        let path = out.to_owned();
        return Err(PartsError::Whole { path });
    }
    target.sync_all().map_err(PartsError::writing(&partial))?;
    std::fs::rename(&partial, out).map_err(PartsError::writing(out))?;
    Ok(Joining {
        list,
        path,
        resumed,
    })
}

/// The list, and what was given beside it.
fn list_of(given: &[PathBuf]) -> Result<(PartList, Vec<&PathBuf>), PartsError> {
    let is_list = |path: &&PathBuf| named(path).is_some_and(|name| name.ends_with(".parts.json"));
    let (lists, parts): (Vec<_>, Vec<_>) = given.iter().partition(is_list);
    let beside = || {
        let first = parts.first()?;
        let name = named(first)?;
        let name = name.rfind(".part-").and_then(|at| name.get(..at));
        Some(first.with_file_name(list_name(name.unwrap_or("NAME"))))
    };
    let path = match lists.first() {
        Some(path) => (*path).clone(),
        None => beside().unwrap_or_default(),
    };
    Ok((PartList::read(&path)?, parts))
}

fn named(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

/// Which file is which part: by name where all have names of parts, whatever their order; else by the
/// order in which they were given.
fn arranged<'a>(
    list: &PartList,
    given: Vec<&'a PathBuf>,
) -> Result<BTreeMap<usize, &'a Path>, PartsError> {
    let places: BTreeMap<&str, usize> = list
        .parts
        .iter()
        .enumerate()
        .map(|(at, part)| (part.name.as_str(), at))
        .collect();
    let by_name: Vec<_> = given
        .iter()
        .map(|path| named(path).and_then(|name| places.get(name).copied()))
        .collect();
    let any = by_name.iter().any(Option::is_some);
    let mut arranged = BTreeMap::new();
    for (at, (path, place)) in given.into_iter().zip(by_name).enumerate() {
        let place = match place {
            Some(place) => place,
            None if !any && at < list.parts.len() => at,
            None => {
                return Err(PartsError::Foreign {
                    path: path.clone(),
                    whole: list.name.clone(),
                });
            }
        };
        arranged.insert(place, path.as_path());
    }
    Ok(arranged)
}

struct Joined<'a> {
    list: &'a PartList,
    partial: &'a Path,
    target: File,
    buffer: Vec<u8>,
    whole: Sha256,
    /// Parts that are in the target, and their bytes.
    parts: usize,
    size: u64,
    observe: &'a mut dyn FnMut(u64, u64),
}

impl Joined<'_> {
    /// Keeps as many parts of an earlier attempt as are right.
    fn resume(&mut self) -> Result<(), PartsError> {
        for part in &self.list.parts {
            let mut whole = self.whole.clone();
            let (mut size, total) = (self.size, self.list.size);
            let observe = &mut *self.observe;
            let read = hash(
                &mut self.target,
                part.size,
                &mut self.buffer,
                &mut whole,
                &mut |piece| {
                    size += piece.len() as u64;
                    observe(size, total);
                    Ok(())
                },
            );
            let (size, sha256) = match read {
                Ok(read) => read,
                Err(Piece::Read(error) | Piece::Taken(error)) => {
                    return Err(PartsError::reading(self.partial)(error));
                }
            };
            // An empty file's only part is always there; what else ends early has to come again.
            if size < part.size || sha256 != part.sha256 || part.size == 0 {
                break;
            }
            self.whole = whole;
            self.parts += 1;
            self.size += size;
        }
        self.cut()
    }

    /// Forgets whatever is behind the parts that are right.
    fn cut(&mut self) -> Result<(), PartsError> {
        let size = self.size;
        self.target
            .set_len(size)
            .and_then(|()| self.target.seek(SeekFrom::Start(size)))
            .map(drop)
            .map_err(PartsError::writing(self.partial))
    }

    /// Adds the next part.
    fn add(&mut self, part: &Part, path: &Path) -> Result<(), PartsError> {
        let mut source = File::open(path).map_err(PartsError::reading(path))?;
        let mut whole = self.whole.clone();
        let (mut done, total) = (self.size, self.list.size);
        let (target, observe) = (&mut self.target, &mut *self.observe);
        // One more byte than any part has is enough to know which it is, or that it is none.
        let largest = self.list.parts.iter().map(|part| part.size).max();
        let copied = hash(
            &mut source,
            largest.unwrap_or(0).saturating_add(1),
            &mut self.buffer,
            &mut whole,
            &mut |piece| {
                done += piece.len() as u64;
                observe(done.min(total), total);
                target.write_all(piece)
            },
        );
        let outcome = match copied {
            Ok((size, sha256)) if (size, sha256) == (part.size, part.sha256) => {
                self.whole = whole;
                self.parts += 1;
                self.size += size;
                return Ok(());
            }
            Ok((size, sha256)) => self.other(part, path, size, sha256),
            Err(Piece::Read(error)) => PartsError::reading(path)(error),
            Err(Piece::Taken(error)) => PartsError::writing(self.partial)(error),
        };
        self.cut()?;
        Err(outcome)
    }

    /// What a file is that is not the part it should be.
    fn other(&self, part: &Part, path: &Path, size: u64, sha256: Sha256Digest) -> PartsError {
        let is_it = |one: &&Part| (one.size, one.sha256) == (size, sha256);
        match self.list.parts.iter().find(is_it) {
            Some(found) => PartsError::Order {
                path: path.to_owned(),
                found: found.name.clone(),
                expected: part.name.clone(),
            },
            None => PartsError::Altered {
                path: path.to_owned(),
                name: part.name.clone(),
            },
        }
    }
}
