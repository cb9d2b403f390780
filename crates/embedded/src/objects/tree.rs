//! Folders under a root: making, listing, removing, and making all of it durable.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use export_ports::PortError;

use crate::failure::io_failed;

/// Whether there is nothing at a path (a parent that is a file, or missing, says so too).
pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Makes the names in a folder durable.
pub(super) fn flush(folder: &Path) -> Result<(), PortError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| io_failed("flushing", folder, error))
}

/// Makes the folder that `path` lies in, and all folders on the way, durably. `root` exists.
pub(super) fn make_parents(root: &Path, path: &Path) -> Result<(), PortError> {
    let Some(parent) = path.parent().filter(|parent| *parent != root) else {
        return Ok(());
    };
    if parent.is_dir() {
        return Ok(());
    }
    make_parents(root, parent)?;
    match fs::create_dir(parent) {
        Ok(()) => flush(parent.parent().unwrap_or(root)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(io_failed("creating", parent, error)),
    }
}

/// Removes the folders above `path` that are empty now, up to `root`, durably.
pub(super) fn prune(root: &Path, path: &Path) -> Result<(), PortError> {
    for folder in path.ancestors().skip(1) {
        if folder == root || !folder.starts_with(root) {
            return flush(root);
        }
        match fs::remove_dir(folder) {
            Ok(()) => {}
            Err(error) if is_missing(&error) => {}
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                return match flush(folder) {
                    // Somebody else removed it in between.
                    Err(error) if error.kind() == export_ports::PortErrorKind::NotFound => Ok(()),
                    outcome => outcome,
                };
            }
            Err(error) => return Err(io_failed("removing", folder, error)),
        }
    }
    Ok(())
}

/// Removes every file under `root/inside` but those of `keep`; says how many files there were. Somebody may add to it
/// or remove from it meanwhile.
pub(super) fn remove(
    root: &Path,
    inside: &Path,
    keep: &BTreeSet<PathBuf>,
) -> Result<u64, PortError> {
    let folder = root.join(inside);
    let removed = remove_folder(&folder, keep)?;
    prune(root, &folder.join("any"))?;
    Ok(removed)
}

fn remove_folder(folder: &Path, keep: &BTreeSet<PathBuf>) -> Result<u64, PortError> {
    let mut removed = 0;
    for (name, is_folder) in entries(folder)? {
        let path = folder.join(name);
        if is_folder {
            removed += remove_folder(&path, keep)?;
            // Not empty: something is kept in it, or was just added and goes with the next sweep.
            let _ = fs::remove_dir(&path);
        } else if !keep.contains(&path) {
            match fs::remove_file(&path) {
                Ok(()) => removed += 1,
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(io_failed("removing", &path, error)),
            }
        }
    }
    Ok(removed)
}

/// Names in a folder, and which are folders; none in a folder that is not there.
fn entries(folder: &Path) -> Result<Vec<(OsString, bool)>, PortError> {
    let failed = |error| io_failed("listing", folder, error);
    let mut found = Vec::new();
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if is_missing(&error) => return Ok(found),
        Err(error) => return Err(failed(error)),
    };
    for entry in listed {
        let entry = entry.map_err(failed)?;
        let is_folder = entry.file_type().map_err(failed)?.is_dir();
        found.push((entry.file_name(), is_folder));
    }
    Ok(found)
}

/// Keys and sizes under `root/inside`, by key, after `after`, at most `limit`.
pub(super) fn list(
    root: &Path,
    inside: &Path,
    after: &str,
    limit: usize,
) -> Result<Vec<(String, u64)>, PortError> {
    let mut found = Vec::new();
    if let Some(key) = inside.to_str() {
        list_folder(root, key, after, limit, &mut found)?;
    }
    Ok(found)
}

fn list_folder(
    root: &Path,
    key: &str,
    after: &str,
    limit: usize,
    found: &mut Vec<(String, u64)>,
) -> Result<(), PortError> {
    // A folder's name with its slash sorts among its neighbours as the keys inside it do.
    let mut names: Vec<_> = entries(&root.join(key))?
        .into_iter()
        .filter_map(|(name, is_folder)| {
            let slash = if is_folder { "/" } else { "" };
            Some(format!("{key}/{}{slash}", name.to_str()?))
        })
        .collect();
    names.sort_unstable();
    for name in names {
        if found.len() >= limit {
            break;
        }
        if let Some(folder) = name.strip_suffix('/') {
            if name.as_str() > after || after.starts_with(&name) {
                list_folder(root, folder, after, limit, found)?;
            }
        } else if name.as_str() > after {
            match fs::symlink_metadata(root.join(&name)) {
                Ok(file) => found.push((name, file.len())),
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(io_failed("looking up", &root.join(&name), error)),
            }
        }
    }
    Ok(())
}
