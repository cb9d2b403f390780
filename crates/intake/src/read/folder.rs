//! Folders: every file below, in order of names, links not followed.

use std::path::PathBuf;

use super::{Location, Place, ReadError, Reading};

impl Reading<'_, '_> {
    /// Reads the files below `root`. Names that begin with a dot are hidden, as in listings.
    pub(super) fn folder(&mut self, root: PathBuf) -> Result<(), ReadError> {
        // What is still to be read, the next one last: nesting takes no stack.
        let mut ahead = listing(root)?;
        while let Some(path) = ahead.pop() {
            let location = Location::file(&path);
            let about = std::fs::symlink_metadata(&path).map_err(|source| ReadError::Io {
                location: location.clone(),
                source,
            })?;
            if about.is_dir() {
                ahead.extend(listing(path)?);
            } else if about.is_file() {
                self.file(path, Place::Found)?;
            } else if about.is_symlink() {
                self.skip(location, "a link, which is not followed");
            } else {
                self.skip(location, "not a regular file");
            }
        }
        Ok(())
    }
}

/// What is in `folder`, in descending order of names.
fn listing(folder: PathBuf) -> Result<Vec<PathBuf>, ReadError> {
    let failed = |source| ReadError::Io {
        location: Location::file(&folder),
        source,
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort_unstable_by(|a, b| b.cmp(a));
    Ok(paths)
}
