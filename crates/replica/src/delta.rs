//! A tree out of the one that is here and a delta.
//!
//! Files that stay are shared with the version before. Each of them is hashed on the way, because the
//! result has a signed digest and whatever is taken over has to be what that digest is about.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Read};
use std::path::Path;

use export_mirror::ListingError;
use export_mirror::delta::{Apply, ApplyError, DeltaReader, Op, Step};
use export_mirror::layer::LayerReader;
use export_mirror::listing::Summary;
use export_model::Sha256Digest;
use sha2::{Digest, Sha256};

use crate::apply::{Built, Work, workers};
use crate::chain::{Entry, TreeCounts};
use crate::claim::Claim;
use crate::derive::{Aside, derive};
use crate::differences::Differences;
use crate::error::{Error, reading, writing};
use crate::full::unexpected;
use crate::listing::{ListingWriter, open};
use crate::members::Member;
use crate::payload::{Content, Payload, with_causes};
use crate::place::LISTING;
use crate::pool::{self, Batch, Feeder, Task};
use crate::tree::Tree;
use crate::worker::Worker;
use crate::{derive, extras};

/// The most bytes of `delta.json` that are read.
const MAX_DIGESTS_BYTES: u64 = 4096;

/// Builds the tree that `payload` makes of the one at `head` in staging.
pub(crate) fn build<R: Read>(
    payload: &mut Payload<R>,
    claim: &Claim,
    head: &Entry,
    work: &Work<'_>,
) -> Result<Built, Error> {
    let new = Tree::create(&work.tree())?;
    let old = Tree::open(&work.place.version(head.version))?;
    let spool = work.scratch().join("delta.jsonl");
    let mut workers = workers(work.change(head), Some(&new), Some(&old));

    let mut digests = None;
    let mut kept = None;
    let mut aside = Aside::default();
    while let Some(path) = payload.next_path() {
        let path = path.to_owned();
        match Member::of(&path) {
            Some(Member::Digests) => {
                digests = Some(payload.read(|content| content.all(MAX_DIGESTS_BYTES))?);
            }
            Some(Member::Delta) => {
                payload.read(|content| keep(content, &spool))?;
                check_digests(digests.as_deref(), claim)?;
                kept = Some(take_over(&spool, claim, head, work, &old, &mut workers)?);
            }
            Some(Member::Documents(_)) => break,
            Some(Member::Manifests | Member::Snapshot) => {
                payload.read(|content| aside.take(content))?;
            }
            Some(Member::Indexes | Member::Other) => payload.skip()?,
            Some(Member::Listing) | None => return Err(unexpected(path)),
        }
    }
    let Some((summary, mut counts)) = kept else {
        return Err(Error::Incomplete {
            what: "`payload/delta.jsonl.zst` is missing".to_owned(),
        });
    };
    let unchanged = summary.documents - counts.added - counts.changed;
    let mut changes = Changes::open(&spool)?;
    let mut documents = unchanged;
    pool::run(
        &mut workers,
        Worker::work,
        &mut |batch: &Batch| {
            documents += batch.items.len() as u64;
            work.told(documents);
            Ok(())
        },
        |feeder| {
            while let Some(path) = payload.next_path() {
                let path = path.to_owned();
                match Member::of(&path) {
                    Some(Member::Documents(_)) => {
                        payload.read(|content| layer(content, &mut changes, feeder))?;
                    }
                    Some(Member::Manifests | Member::Snapshot) => {
                        payload.read(|content| aside.take(content))?;
                    }
                    Some(Member::Indexes | Member::Other) => payload.skip()?,
                    _ => return Err(unexpected(path)),
                }
            }
            Ok(())
        },
    )?;
    if let Some(missing) = changes.next()? {
        return Err(Error::Incomplete {
            what: format!(
                "`{}` is in the delta, but in none of its layers",
                missing.path
            ),
        });
    }
    aside.compare(&summary, false)?;
    let gathered = workers.into_iter().map(|worker| worker.gathered).collect();
    let derived = derive(&new, &summary, gathered, Some(&old), work)?;
    let policy_snapshot = aside.write_snapshot(&new)?;
    let of_tree = TreeCounts::of(&summary);
    counts.documents = of_tree.documents;
    counts.bytes = of_tree.bytes;
    counts.by_kind = of_tree.by_kind;
    Ok(Built {
        counts,
        policy_snapshot,
        derived,
    })
}

/// The delta is needed twice: for what it says of the tree, and for what its layers have to hold.
fn keep(content: &mut Content<'_>, spool: &Path) -> Result<(), Error> {
    let mut out = File::create_new(spool)
        .map(|file| BufWriter::with_capacity(128 << 10, file))
        .map_err(writing(spool))?;
    let mut buffer = vec![0; 128 << 10];
    loop {
        let read = match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) => return Err(content.wrong(&error)),
        };
        io::Write::write_all(&mut out, buffer.get(..read).unwrap_or_default())
            .map_err(writing(spool))?;
    }
    io::Write::flush(&mut out).map_err(writing(spool))
}

/// What the delta says of its two trees has to be what was judged.
fn check_digests(found: Option<&[u8]>, claim: &Claim) -> Result<(), Error> {
    let Some(found) = found else {
        return Err(Error::Incomplete {
            what: "`payload/delta.json` is missing".to_owned(),
        });
    };
    let base = claim
        .base
        .as_ref()
        .ok_or(Error::Internal("a delta has a base"))?;
    let expected = derive::digests(&base.tree_digest, &claim.tree_digest);
    if found == expected {
        return Ok(());
    }
    Err(Error::Altered {
        path: "payload/delta.json".to_owned(),
        what: "names other trees than export.json".to_owned(),
    })
}

/// Takes over what stays, and checks that everything that is there is what it should be.
fn take_over(
    spool: &Path,
    claim: &Claim,
    head: &Entry,
    work: &Work<'_>,
    old: &Tree,
    workers: &mut [Worker<'_>],
) -> Result<(Summary, TreeCounts), Error> {
    let base_listing = work.place.entry(head.version).join(LISTING);
    let mut listing = ListingWriter::create(&work.entry().join(LISTING))?;
    let delta = File::open(spool).map_err(reading(spool))?;
    let mut apply = Apply::new(open(&base_listing)?, DeltaReader::new(delta));
    let mut base = Sha256::new();
    let mut counts = TreeCounts::default();
    let mut found = Differences::default();
    let mut documents = 0;
    pool::run(
        workers,
        Worker::work,
        &mut |batch: &Batch| {
            found.merge(batch.found.clone());
            documents += batch.items.len() as u64;
            work.told(documents);
            Ok(())
        },
        |feeder| {
            let mut batch = feeder.batch();
            let mut line = Vec::new();
            loop {
                let step = match apply.next() {
                    Ok(Some(step)) => step,
                    Ok(None) => break,
                    Err(error) => return Err(misfit(error, &base_listing, &head.tree_digest)),
                };
                match step {
                    Step::Keep(entry) => {
                        base.update(entry.line);
                        batch.push(Task::Keep, entry.path, &[], entry.sha256, entry.size);
                    }
                    Step::Change { old, .. } => {
                        counts.changed += 1;
                        base.update(old.line);
                        batch.push(Task::Retire, old.path, &[], old.sha256, old.size);
                    }
                    Step::Remove(entry) => {
                        counts.removed += 1;
                        base.update(entry.line);
                        batch.push(Task::Retire, entry.path, &[], entry.sha256, entry.size);
                    }
                    Step::Add(_) => counts.added += 1,
                }
                if let Some(entry) = step.result() {
                    line.clear();
                    step.write_result(&mut line);
                    listing.add(entry.kind, entry.size, &line)?;
                }
                if batch.is_full() {
                    feeder.flush(&mut batch)?;
                }
            }
            feeder.submit(batch)
        },
    )?;
    let digest = Sha256Digest(base.finalize().into());
    if digest != head.tree_digest {
        return Err(Error::Damaged {
            path: base_listing,
            what: format!(
                "its digest is {digest}, but {} was signed",
                head.tree_digest
            ),
        });
    }
    let known: BTreeSet<&str> = derive::known(head, old, &mut found)?;
    extras::find(
        old,
        &base_listing,
        head.counts.documents,
        &known,
        &mut found,
    )?;
    if !found.is_empty() {
        return Err(Error::Edited {
            path: old.path().to_owned(),
            found,
        });
    }
    let summary = listing.finish()?;
    if summary.tree_digest != claim.tree_digest {
        return Err(Error::Altered {
            path: "payload/delta.jsonl".to_owned(),
            what: format!(
                "makes the tree {}, but {} was signed",
                summary.tree_digest, claim.tree_digest
            ),
        });
    }
    Ok((summary, counts))
}

/// The delta cannot be applied to the listing that it was made for: one of them is not what it was.
fn misfit(error: ApplyError, listing: &Path, signed: &Sha256Digest) -> Error {
    let read = match &error {
        ApplyError::Read(read) => Some(is_of_listing(read)),
        _ => None,
    };
    let damaged = match read {
        Some(of_listing) => of_listing,
        None => digest_of(listing).is_none_or(|digest| digest != *signed),
    };
    if damaged {
        return Error::Damaged {
            path: listing.to_owned(),
            what: format!("it is not the one that was signed: {}", with_causes(&error)),
        };
    }
    Error::Altered {
        path: "payload/delta.jsonl".to_owned(),
        what: format!("cannot be applied: {}", with_causes(&error)),
    }
}

/// The digest of a listing that was kept; none where it cannot be read.
fn digest_of(listing: &Path) -> Option<Sha256Digest> {
    let mut lines = open(listing).ok()?;
    let mut sha = Sha256::new();
    while let Some(entry) = lines.next().ok()? {
        sha.update(entry.line);
    }
    Some(Sha256Digest(sha.finalize().into()))
}

fn is_of_listing(error: &ListingError) -> bool {
    match error {
        ListingError::Read { what, .. } | ListingError::Line { what, .. } => *what == "listing",
        _ => false,
    }
}

/// What a delta's layers have to hold, in order.
struct Changes {
    reader: DeltaReader<File>,
}

/// A document that comes or changes.
struct Coming {
    path: String,
    sha256: Sha256Digest,
    size: u64,
}

impl Changes {
    fn open(spool: &Path) -> Result<Self, Error> {
        let file = File::open(spool).map_err(reading(spool))?;
        Ok(Self {
            reader: DeltaReader::new(file),
        })
    }

    fn next(&mut self) -> Result<Option<Coming>, Error> {
        loop {
            let change = self.reader.next().map_err(|error| Error::Altered {
                path: "payload/delta.jsonl".to_owned(),
                what: with_causes(&error),
            })?;
            let Some(change) = change else {
                return Ok(None);
            };
            if change.op != Op::Remove {
                return Ok(Some(Coming {
                    path: change.entry.path.to_owned(),
                    sha256: change.entry.sha256,
                    size: change.entry.size,
                }));
            }
        }
    }
}

/// Hands the documents of a layer to workers, if they are those that the delta says.
fn layer(
    content: &mut Content<'_>,
    changes: &mut Changes,
    feeder: &mut Feeder<'_>,
) -> Result<(), Error> {
    let limit = content.size();
    let mut batch = feeder.batch();
    let mut reader = LayerReader::new(&mut *content, limit);
    loop {
        let member = match reader.next() {
            Ok(Some(member)) => member,
            Ok(None) => break,
            Err(error) => return Err(content.wrong(&error)),
        };
        let size = member.bytes.len() as u64;
        let coming = changes
            .next()?
            .filter(|coming| coming.path == member.path && coming.size == size);
        let Some(coming) = coming else {
            return Err(Error::Altered {
                path: member.path.to_owned(),
                what: format!("is not what the delta has next, or not of {size} bytes"),
            });
        };
        if batch.is_full_with(member.bytes.len()) {
            feeder.flush(&mut batch)?;
        }
        batch.push(
            Task::WriteKnown,
            member.path,
            member.bytes,
            coming.sha256,
            size,
        );
        if batch.is_full() {
            feeder.flush(&mut batch)?;
        }
    }
    feeder.submit(batch)
}
