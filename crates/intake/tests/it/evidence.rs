//! Where the evidence set is.

use std::path::PathBuf;

/// A file of the evidence set: below `EXPORT_EVIDENCE`, or in `../shared/evidence` beside the
/// workspace. None, said on standard output, where the set is not there.
pub(crate) fn file(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("EXPORT_EVIDENCE").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../../shared/evidence"
            ))
        },
        PathBuf::from,
    );
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not there", path.display());
    None
}
