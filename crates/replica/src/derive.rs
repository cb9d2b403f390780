//! What a tree has beside its documents: manifests, indexes, and the policy snapshot.
//!
//! Manifests and indexes follow from the documents, so they are made here and never copied from a
//! bundle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;

use export_mirror::delta::DeltaFile;
use export_mirror::index;
use export_mirror::layer::LayerReader;
use export_mirror::listing::{Summary, manifest_file, manifest_path};
use export_model::{Kind, Sha256Digest};
use sha2::{Digest, Sha256};

use crate::apply::Work;
use crate::chain::{Derived, Entry, TreeCounts};
use crate::differences::Differences;
use crate::error::{Error, reading};
use crate::indexing::{self, Gathered};
use crate::members::Member;
use crate::payload::Content;
use crate::place::SNAPSHOT;
use crate::tree::{Fault, Tree};

/// The most bytes of a manifest of a kind.
const MAX_MANIFEST_BYTES: usize = 4096;

/// Small members of a payload that are needed when the documents are known.
#[derive(Debug, Default)]
pub(crate) struct Aside {
    manifests: Option<BTreeMap<String, Vec<u8>>>,
    snapshot: Option<Vec<u8>>,
}

impl Aside {
    /// Takes a layer of manifests, or the policy snapshot.
    pub(crate) fn take(&mut self, content: &mut Content<'_>) -> Result<(), Error> {
        if Member::of(content.path()) == Some(Member::Snapshot) {
            self.snapshot = Some(content.all(export_mirror::MAX_DOCUMENT_BYTES)?);
            return Ok(());
        }
        let mut manifests = self.manifests.take().unwrap_or_default();
        let limit = content.size();
        let mut reader = LayerReader::new(&mut *content, limit);
        loop {
            let member = match reader.next() {
                Ok(Some(member)) => member,
                Ok(None) => break,
                Err(error) => return Err(content.wrong(&error)),
            };
            let known = Kind::ALL
                .iter()
                .any(|kind| manifest_path(*kind) == member.path);
            let fresh = known
                && member.bytes.len() <= MAX_MANIFEST_BYTES
                && manifests
                    .insert(member.path.to_owned(), member.bytes.to_vec())
                    .is_none();
            if !fresh {
                return Err(Error::Altered {
                    path: member.path.to_owned(),
                    what: "is no manifest of a kind, or there twice".to_owned(),
                });
            }
        }
        self.manifests = Some(manifests);
        Ok(())
    }

    /// Compares the manifests that came with what the documents amount to.
    pub(crate) fn compare(&self, summary: &Summary, required: bool) -> Result<(), Error> {
        let Some(shipped) = &self.manifests else {
            return if required {
                Err(Error::Incomplete {
                    what: "its layer of manifests is missing".to_owned(),
                })
            } else {
                Ok(())
            };
        };
        for kind in Kind::ALL {
            let path = manifest_path(kind);
            let tally = summary.tally(kind);
            let same = match shipped.get(&path) {
                Some(bytes) => *bytes == manifest_file(kind, &tally),
                None => tally.documents == 0,
            };
            if !same {
                return Err(Error::Altered {
                    path,
                    what: format!("says something else of kind {kind} than its documents"),
                });
            }
        }
        Ok(())
    }

    /// Writes the policy snapshot, where there is one; gives its digest.
    pub(crate) fn write_snapshot(&self, tree: &Tree) -> Result<Option<Sha256Digest>, Error> {
        let Some(snapshot) = &self.snapshot else {
            return Ok(None);
        };
        tree.write(SNAPSHOT, snapshot)?;
        Ok(Some(Sha256Digest::of(snapshot)))
    }
}

/// Writes the manifests and indexes of a tree; gives what was written.
pub(crate) fn derive(
    tree: &Tree,
    summary: &Summary,
    gathered: Vec<Gathered>,
    old: Option<&Tree>,
    work: &Work<'_>,
) -> Result<BTreeMap<String, Derived>, Error> {
    let mut derived = BTreeMap::new();
    for (kind, tally) in &summary.kinds {
        let (path, bytes) = (manifest_path(*kind), manifest_file(*kind, tally));
        tree.write(&path, &bytes)?;
        derived.insert(
            path,
            Derived {
                sha256: Sha256Digest::of(&bytes),
                size: bytes.len() as u64,
            },
        );
    }
    let indexes = work.indexes.as_slice();
    let old = old.map(|old| old.path().join("indexes"));
    let into = tree.path().join("indexes");
    indexing::finish(gathered, indexes, old.as_deref(), &into, &work.scratch())?;
    for one in indexes {
        for file in [one.lines_file(), one.offsets_file()] {
            let path = index::path(file);
            let found = measure(tree, &path)?;
            derived.insert(path, found);
        }
    }
    Ok(derived)
}

fn measure(tree: &Tree, path: &str) -> Result<Derived, Error> {
    let at = tree.path().join(path);
    let mut file = File::open(&at).map_err(reading(&at))?;
    let mut sha = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    let mut size = 0;
    loop {
        let read = file.read(&mut buffer).map_err(reading(&at))?;
        if read == 0 {
            break;
        }
        sha.update(buffer.get(..read).unwrap_or_default());
        size += read as u64;
    }
    Ok(Derived {
        sha256: Sha256Digest(sha.finalize().into()),
        size,
    })
}

/// The names in a version's tree beside its documents. What is not what was written is added to
/// `found`.
pub(crate) fn known<'e>(
    entry: &'e Entry,
    tree: &Tree,
    found: &mut Differences,
) -> Result<BTreeSet<&'e str>, Error> {
    let mut known = BTreeSet::new();
    let mut buffer = Vec::new();
    let mut note = |path: &str, fault| match fault {
        Fault::Changed => found.changed.add(path),
        Fault::Missing => found.missing.add(path),
    };
    for (path, derived) in &entry.derived {
        known.insert(path.as_str());
        let checked = tree.check(path, &derived.sha256, derived.size, &mut buffer, false)?;
        if let Err(fault) = checked {
            note(path, fault);
        }
    }
    if let Some(sha256) = &entry.policy_snapshot {
        known.insert(SNAPSHOT);
        let size = match tree.read(SNAPSHOT)? {
            Ok(file) => file.metadata().map_or(0, |metadata| metadata.len()),
            Err(_) => 0,
        };
        if let Err(fault) = tree.check(SNAPSHOT, sha256, size, &mut buffer, false)? {
            note(SNAPSHOT, fault);
        }
    }
    Ok(known)
}

/// `delta.json` of a delta from one tree to another.
pub(crate) fn digests(base: &Sha256Digest, result: &Sha256Digest) -> Vec<u8> {
    DeltaFile {
        base_tree_digest: *base,
        result_tree_digest: *result,
    }
    .to_bytes()
}

impl TreeCounts {
    /// What a listing amounts to.
    pub(crate) fn of(summary: &Summary) -> Self {
        Self {
            documents: summary.documents,
            bytes: summary.bytes,
            by_kind: summary
                .kinds
                .iter()
                .map(|(kind, tally)| (*kind, tally.documents))
                .collect(),
            ..Self::default()
        }
    }
}
