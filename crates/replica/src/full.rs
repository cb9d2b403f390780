//! A tree out of a full export.

use std::io::Read;

use export_mirror::layer::LayerReader;
use export_model::{Kind, Sha256Digest};
use sha2::{Digest, Sha256};

use crate::apply::{Built, Work, workers};
use crate::chain::TreeCounts;
use crate::claim::Claim;
use crate::derive::{Aside, derive};
use crate::error::Error;
use crate::listing::{ListingWriter, Order};
use crate::members::Member;
use crate::payload::{Content, Payload};
use crate::place::LISTING;
use crate::pool::{self, Batch, Feeder, Task};
use crate::tree::Tree;
use crate::worker::{Worker, slice};

/// Builds the tree that `payload` holds in staging.
pub(crate) fn build<R: Read>(
    payload: &mut Payload<R>,
    claim: &Claim,
    work: &Work<'_>,
) -> Result<Built, Error> {
    let tree = Tree::create(&work.tree())?;
    let mut listing = ListingWriter::create(&work.entry().join(LISTING))?;
    let mut workers = workers(work.whole(), Some(&tree), None);
    let mut order = Order::default();
    let mut aside = Aside::default();
    let mut listed = None;
    let mut documents = 0;
    pool::run(
        &mut workers,
        Worker::work,
        &mut |batch: &Batch| {
            for line in &batch.lines {
                let subject = slice(&batch.names, &line.subject_key);
                let id = slice(&batch.names, &line.id);
                if !order.follows(line.kind, subject, id) {
                    return Err(Error::Altered {
                        path: "payload/layers".to_owned(),
                        what: format!("hold the {} `{id}` out of order or twice", line.kind),
                    });
                }
                let bytes = batch.line_bytes.get(line.line.clone());
                listing.add(line.kind, line.size, bytes.unwrap_or_default())?;
            }
            documents += batch.lines.len() as u64;
            work.told(documents);
            Ok(())
        },
        |feeder| {
            while let Some(path) = payload.next_path() {
                let path = path.to_owned();
                match Member::of(&path) {
                    Some(Member::Documents(kind)) => {
                        payload.read(|content| layer(content, kind, feeder))?;
                    }
                    Some(Member::Listing) => {
                        listed = Some(payload.read(digest)?);
                    }
                    Some(Member::Manifests | Member::Snapshot) => {
                        payload.read(|content| aside.take(content))?;
                    }
                    Some(Member::Indexes | Member::Other) => payload.skip()?,
                    Some(Member::Delta | Member::Digests) | None => {
                        return Err(unexpected(path));
                    }
                }
            }
            Ok(())
        },
    )?;
    let summary = listing.finish()?;
    let signed = claim.tree_digest;
    let differs = |path: &str, found: Sha256Digest| Error::Altered {
        path: path.to_owned(),
        what: format!("makes the tree {found}, but {signed} was signed"),
    };
    if summary.tree_digest != signed {
        return Err(differs("payload/layers", summary.tree_digest));
    }
    match listed {
        None => {
            return Err(Error::Incomplete {
                what: "`payload/tree.jsonl.zst` is missing".to_owned(),
            });
        }
        Some(found) if found != signed => return Err(differs("payload/tree.jsonl", found)),
        Some(_) => {}
    }
    aside.compare(&summary, true)?;
    let gathered = workers.into_iter().map(|worker| worker.gathered).collect();
    let derived = derive(&tree, &summary, gathered, None, work)?;
    let policy_snapshot = aside.write_snapshot(&tree)?;
    Ok(Built {
        counts: TreeCounts::of(&summary),
        policy_snapshot,
        derived,
    })
}

/// Hands the documents of a layer to workers.
fn layer(content: &mut Content<'_>, kind: Kind, feeder: &mut Feeder<'_>) -> Result<(), Error> {
    let limit = content.size();
    let mut batch = feeder.batch();
    let mut reader = LayerReader::new(&mut *content, limit);
    loop {
        let member = match reader.next() {
            Ok(Some(member)) => member,
            Ok(None) => break,
            Err(error) => return Err(content.wrong(&error)),
        };
        if export_mirror::path::kind_of(member.path) != Some(kind) {
            return Err(Error::Altered {
                path: member.path.to_owned(),
                what: format!("is in a layer of kind {kind}, where it does not belong"),
            });
        }
        if batch.is_full_with(member.bytes.len()) {
            feeder.flush(&mut batch)?;
        }
        let size = member.bytes.len() as u64;
        // A worker will know the digest.
        let unknown = Sha256Digest([0; 32]);
        batch.push(Task::Write, member.path, member.bytes, unknown, size);
        if batch.is_full() {
            feeder.flush(&mut batch)?;
        }
    }
    feeder.submit(batch)
}

fn digest(content: &mut Content<'_>) -> Result<Sha256Digest, Error> {
    let mut sha = Sha256::new();
    let mut buffer = vec![0; 128 << 10];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => return Ok(Sha256Digest(sha.finalize().into())),
            Ok(read) => sha.update(buffer.get(..read).unwrap_or_default()),
            Err(error) => return Err(content.wrong(&error)),
        }
    }
}

/// A member that such a bundle does not have.
pub(crate) fn unexpected(path: String) -> Error {
    Error::Altered {
        path,
        what: "does not belong in such an export of a mirror".to_owned(),
    }
}
