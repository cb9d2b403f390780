//! How what was built becomes what readers see.
//!
//! Everything is on disk before anything is renamed, and readers see nothing of it before `current`
//! is: the one step that counts is a rename of one link. What a process leaves that is killed before
//! that is above the head, and gone with the next apply.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use export_bundle::paths::DOCUMENTS;

use crate::apply::{Step, Work};
use crate::chain::{Entry, VerifiedEntry, numbered};
use crate::error::{Error, writing};
use crate::place::{ENTRY, KEY, LISTING, Place, target};
use crate::state::Description;
use crate::sync;

/// Removes what an apply that did not end has left. `head` is what readers see.
pub(crate) fn clean(place: &Place, head: u64) -> Result<(), Error> {
    remove(&place.staging())?;
    for dir in [place.versions(), place.chain()] {
        for version in numbered(&dir)? {
            if version > head {
                remove(&dir.join(crate::place::number(version)))?;
            }
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(writing(path)(error)),
        _ => Ok(()),
    }
}

/// Puts an entry, its documents and the key that signed them into staging.
pub(crate) fn write_entry(
    work: &Work<'_>,
    documents: &[Vec<u8>; 5],
    verified: &VerifiedEntry,
) -> Result<(), Error> {
    let dir = work.entry();
    let put = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        fs::write(&path, bytes).map_err(writing(&path))
    };
    for (name, bytes) in DOCUMENTS.iter().zip(documents) {
        put(name, bytes)?;
    }
    put(KEY, verified.key.to_pem().as_bytes())?;
    put(ENTRY, &verified.entry.to_bytes()?)
}

/// Makes what is in staging the version of `verified`, and what readers see.
pub(crate) fn commit(work: &Work<'_>, verified: &VerifiedEntry) -> Result<(), Error> {
    let place = work.place;
    let version = verified.entry.version;
    let next = place.next();
    symlink(target(version), &next).map_err(writing(&next))?;
    for dir in [place.versions(), place.chain()] {
        fs::create_dir_all(&dir).map_err(writing(&dir))?;
    }
    describe(place, verified, true)?;
    sync::file_system(place.root())?;
    work.step(Step::Synced);
    rename(&work.entry(), &place.entry(version))?;
    sync::directory(&place.chain())?;
    work.step(Step::EntryInPlace);
    rename(&work.tree(), &place.version(version))?;
    sync::directory(&place.versions())?;
    work.step(Step::TreeInPlace);
    rename(&next, &place.current())?;
    sync::directory(place.root())?;
    work.step(Step::Committed);
    Ok(())
}

/// Writes what the mirror says of itself; only where it says nothing yet, if `first`.
pub(crate) fn describe(place: &Place, head: &VerifiedEntry, first: bool) -> Result<(), Error> {
    let description = Description::of(head).to_bytes()?;
    let pem = head.key.to_pem();
    for (path, bytes) in [
        (place.key(), pem.as_bytes()),
        (place.description(), description.as_slice()),
    ] {
        match fs::read(&path) {
            Ok(found) if first || found == bytes => continue,
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(crate::error::reading(&path)(error));
            }
            _ => {}
        }
        let beside = place.staging().join("description");
        fs::write(&beside, bytes).map_err(writing(&beside))?;
        rename(&beside, &path)?;
    }
    Ok(())
}

/// Removes trees but the newest `keep`, and listings that no tree and no delta needs any more.
pub(crate) fn prune(place: &Place, head: &Entry, keep: u64) -> Result<Vec<u64>, Error> {
    let oldest = (head.version + 1).saturating_sub(keep.max(1));
    let mut removed: Vec<_> = numbered(&place.versions())?
        .into_iter()
        .filter(|version| *version < oldest)
        .collect();
    removed.sort_unstable();
    for version in &removed {
        // Half a tree is never where whole ones are.
        let old = place.staging().join(format!("old-{version}"));
        rename(&place.version(*version), &old)?;
        remove(&old)?;
    }
    let listings = (head.version + 1).saturating_sub(keep.max(2));
    for version in numbered(&place.chain())? {
        if version < listings {
            let path = place.entry(version).join(LISTING);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(writing(&path)(error));
                }
                _ => {}
            }
        }
    }
    Ok(removed)
}

fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(writing(to))
}
