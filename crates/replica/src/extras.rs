//! Files in a tree that nobody applied.
//!
//! That every file that should be there is there is found out one by one. So extra ones are there just
//! where there are more files than that, and only then their names are looked for, which takes sixteen
//! bytes of memory for every document of a share of the tree.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use export_model::Sha256Digest;

use crate::differences::Differences;
use crate::error::{Error, reading};
use crate::listing::open;
use crate::payload::with_causes;
use crate::tree::Tree;

/// Documents whose names are held at once while extra files are looked for.
const HELD: u64 = 2_000_000;

/// Adds the files of `tree` to `found` that are neither among the `documents` of its listing nor
/// `known`. Those that are missing have been found already, so that their number is known.
pub(crate) fn find(
    tree: &Tree,
    listing: &Path,
    documents: u64,
    known: &BTreeSet<&str>,
    found: &mut Differences,
) -> Result<(), Error> {
    let mut files = 0;
    walk(tree.path(), &mut |_| files += 1)?;
    let expected = (documents + known.len() as u64).saturating_sub(found.missing.count);
    if files == expected {
        return Ok(());
    }
    let shares = documents.div_ceil(HELD).max(1);
    for share in 0..shares {
        let mut held = Vec::new();
        let mut lines = open(listing)?;
        while let Some(entry) = lines.next().map_err(|error| Error::Damaged {
            path: listing.to_owned(),
            what: with_causes(&error),
        })? {
            let name = short(entry.path.as_bytes());
            if in_share(name, share, shares) {
                held.push(name);
            }
        }
        held.sort_unstable();
        walk(tree.path(), &mut |path| {
            let name = path.strip_prefix(tree.path()).unwrap_or(path);
            let key = short(name.as_os_str().as_bytes());
            let listed = held.binary_search(&key).is_ok()
                || name.to_str().is_some_and(|name| known.contains(name));
            if in_share(key, share, shares) && !listed {
                found.extra.add(&name.to_string_lossy());
            }
        })?;
    }
    found.extra.first.sort();
    Ok(())
}

fn short(name: &[u8]) -> u128 {
    let Sha256Digest(digest) = Sha256Digest::of(name);
    digest
        .iter()
        .take(16)
        .fold(0, |sum, byte| (sum << 8) | u128::from(*byte))
}

fn in_share(name: u128, share: u64, shares: u64) -> bool {
    name % u128::from(shares) == u128::from(share)
}

/// Tells of everything below `root` that is no folder.
fn walk(root: &Path, each: &mut dyn FnMut(&Path)) -> Result<(), Error> {
    let mut folders: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(reading(&folder))? {
            let entry = entry.map_err(reading(&folder))?;
            let kind = entry.file_type().map_err(reading(&folder))?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else {
                each(&entry.path());
            }
        }
    }
    Ok(())
}
