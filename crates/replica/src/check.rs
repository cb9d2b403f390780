//! Whether a tree is what was applied.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use export_mirror::listing::{ListingHasher, Summary};
use export_model::Sha256Digest;

use crate::apply::workers;
use crate::chain::Entry;
use crate::derive;
use crate::differences::Differences;
use crate::error::Error;
use crate::extras;
use crate::indexing::Gathered;
use crate::listing::open;
use crate::payload::with_causes;
use crate::place::{LISTING, Place};
use crate::pool::{self, Batch, Task};
use crate::tree::Tree;
use crate::worker::Worker;

/// How the tree of an entry differs from what was applied, by the digests that were noted then.
pub(crate) fn tree(place: &Place, entry: &Entry, threads: usize) -> Result<Differences, Error> {
    let nothing = (0..threads.max(1)).map(|_| Gathered::Nothing).collect();
    let (found, _, _) = documents(place, entry, nothing, &mut |_| {})?;
    Ok(found)
}

/// The same; also gives what the listing amounts to, and what was gathered of the documents.
pub(crate) fn documents(
    place: &Place,
    entry: &Entry,
    gathered: Vec<Gathered>,
    told: &mut dyn FnMut(u64),
) -> Result<(Differences, Summary, Vec<Gathered>), Error> {
    let old = Tree::open(&place.version(entry.version))?;
    let path = place.entry(entry.version).join(LISTING);
    let mut listing = open(&path)?;
    let mut hasher = ListingHasher::default();
    let mut whole = Sha256::new();
    let mut found = Differences::default();
    let mut workers = workers(gathered, None, Some(&old));
    let mut documents = 0;
    pool::run(
        &mut workers,
        Worker::work,
        &mut |batch: &Batch| {
            found.merge(batch.found.clone());
            documents += batch.items.len() as u64;
            told(documents);
            Ok(())
        },
        |feeder| {
            let mut batch = feeder.batch();
            while let Some(line) = listing.next().map_err(|error| Error::Damaged {
                path: path.clone(),
                what: with_causes(&error),
            })? {
                hasher.add_entry(&line);
                whole.update(line.line);
                batch.push(Task::Check, line.path, &[], line.sha256, line.size);
                if batch.is_full() {
                    feeder.flush(&mut batch)?;
                }
            }
            feeder.submit(batch)
        },
    )?;
    let digest = Sha256Digest(whole.finalize().into());
    if digest != entry.tree_digest {
        return Err(Error::Damaged {
            path,
            what: format!(
                "its digest is {digest}, but {} was signed",
                entry.tree_digest
            ),
        });
    }
    let known: BTreeSet<&str> = derive::known(entry, &old, &mut found)?;
    extras::find(&old, &path, documents, &known, &mut found)?;
    let gathered = workers.into_iter().map(|worker| worker.gathered).collect();
    Ok((found, hasher.finish(), gathered))
}
