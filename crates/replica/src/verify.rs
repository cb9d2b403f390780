//! Checking a mirror from its signed documents down to every byte of its tree.

use std::fs;
use std::path::Path;

use export_mirror::index::Index;
use export_mirror::listing::{manifest_file, manifest_path};
use export_model::{Kind, Sha256Digest};
use export_signing::{Fingerprint, PublicKey};
use serde::Serialize;

use crate::chain::{Entry, VerifiedEntry};
use crate::check;
use crate::differences::Differences;
use crate::error::{Error, reading, writing};
use crate::indexing::{self, Gathered};
use crate::place::Place;
use crate::state::State;
use crate::status::{Link, links};
use crate::tree::Tree;

/// How a mirror is checked.
#[derive(Clone, Copy)]
pub struct VerifyOptions<'a> {
    /// The keys that may have signed what is there; none for the one that the mirror holds to.
    pub keys: &'a [PublicKey],
    /// A folder for what is needed meanwhile: the indexes are made anew there, and compared. It is
    /// empty, and is emptied.
    pub scratch: &'a Path,
    /// Threads that hash, beside the one that reads; 0 counts as 1.
    pub threads: usize,
    /// Told of how many documents were checked.
    pub observe: Option<&'a (dyn Fn(u64) + Sync)>,
}

/// What a check of a mirror found.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// What readers see.
    pub head: Entry,
    /// How the tree differs from what was applied.
    pub tree: Differences,
    /// Every version, oldest first, and whether its documents are what was signed.
    pub chain: Vec<Link>,
    /// Whether the key that signed the head is one of those that were given, where some were.
    pub trusted: bool,
    /// The key that signed the head.
    pub key: Fingerprint,
}

impl Verified {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.tree.is_empty() && self.trusted && self.chain.iter().all(|link| link.problem.is_none())
    }
}

/// Checks the mirror in `dir`: the chain by the signatures, the listing by the chain, every document by
/// the listing, and indexes and manifests by the documents. Takes no lock: what readers see is never
/// changed, and a version that is removed meanwhile is an error of reading.
///
/// # Errors
/// When it cannot be checked: there is no mirror, or the head's own documents or its listing are damaged.
pub fn verify(dir: &Path, options: &VerifyOptions<'_>) -> Result<Verified, Error> {
    let place = Place::new(dir);
    let State { head, chain } = State::require(&place)?;
    let VerifiedEntry { entry, key, .. } = head;
    let indexes = indexes_of(&entry);
    let workers = options.threads.clamp(1, 64);
    let gathered = Gathered::whole(&indexes, options.scratch, workers);
    let (mut found, summary, gathered) =
        check::documents(&place, &entry, gathered, &mut |documents| {
            if let Some(observe) = options.observe {
                observe(documents);
            }
        })?;
    let tree = Tree::open(&place.version(entry.version))?;
    for kind in Kind::ALL {
        let tally = summary.tally(kind);
        if tally.documents > 0 {
            let bytes = manifest_file(kind, &tally);
            let expected = Sha256Digest::of(&bytes);
            compare(
                &tree,
                &manifest_path(kind),
                &expected,
                bytes.len() as u64,
                &mut found,
            )?;
        }
    }
    // Documents that differ make other indexes; that is no news.
    if found.is_empty() {
        compare_indexes(&tree, gathered, &indexes, options.scratch, &mut found)?;
    }
    let trusted =
        options.keys.is_empty() || options.keys.iter().any(|k| k.fingerprint() == entry.key);
    Ok(Verified {
        chain: links(&place, &chain),
        tree: found,
        trusted,
        key: key.fingerprint(),
        head: entry,
    })
}

/// The indexes that a version has.
pub(crate) fn indexes_of(entry: &Entry) -> Vec<Index> {
    Index::ALL
        .into_iter()
        .filter(|index| {
            let path = export_mirror::index::path(index.lines_file());
            entry.derived.contains_key(&path)
        })
        .collect()
}

fn compare_indexes(
    tree: &Tree,
    gathered: Vec<Gathered>,
    indexes: &[Index],
    scratch: &Path,
    found: &mut Differences,
) -> Result<(), Error> {
    let made = scratch.join("indexes");
    indexing::finish(gathered, indexes, None, &made, scratch)?;
    for index in indexes {
        for file in [index.lines_file(), index.offsets_file()] {
            let at = made.join(file);
            let (sha256, size) = digest_of(&at)?;
            let path = export_mirror::index::path(file);
            compare(tree, &path, &sha256, size, found)?;
        }
    }
    match fs::remove_dir_all(&made) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(writing(&made)(error)),
        _ => Ok(()),
    }
}

fn digest_of(path: &Path) -> Result<(Sha256Digest, u64), Error> {
    use sha2::{Digest, Sha256};
    let mut file = fs::File::open(path).map_err(reading(path))?;
    let mut sha = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    let mut size = 0;
    loop {
        let read = std::io::Read::read(&mut file, &mut buffer).map_err(reading(path))?;
        if read == 0 {
            return Ok((Sha256Digest(sha.finalize().into()), size));
        }
        sha.update(buffer.get(..read).unwrap_or_default());
        size += read as u64;
    }
}

fn compare(
    tree: &Tree,
    path: &str,
    sha256: &Sha256Digest,
    size: u64,
    found: &mut Differences,
) -> Result<(), Error> {
    let named = found
        .changed
        .first
        .iter()
        .chain(&found.missing.first)
        .any(|own| own == path);
    let checked = tree.check(path, sha256, size, &mut Vec::new(), false)?;
    if checked.is_err() && !named {
        found.changed.add(path);
    }
    Ok(())
}
