//! Planning a mirror: its list of documents is written along the walk, without reading any of them.
//!
//! Three things go on at once, handing over through bounded channels: the index is walked, a thread
//! compares and lists what it gives, and frames of the lists are compressed and stored. A delta's
//! thread reads the list of the base's tree beside the walk, so that what has not changed costs a
//! line and nothing else.

mod base;
mod lists;

use std::sync::Arc;

use bytes::Bytes;
use export_lifecycle::{Held, PhaseError};
use export_model::{
    AssembledCompression, AssembledFile, ErrorCode, IndexEntry, Kind, MirrorTree, ObjectKey, Run,
    Sha256Digest, StagedFile, TreeTally,
};
use export_ports::Ports;
use export_staging::{FramePool, FrameWriter, Framed, Seal, Staged};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use self::lists::{Content, Keys, Listed, Lists};
use crate::cut::{Cut, Cutter};

/// Path of the list of a mirror's tree.
const TREE: &str = "payload/tree.jsonl.zst";
/// Path of the list of what has changed.
const CHANGES: &str = "payload/delta.jsonl.zst";
/// A delta's list of its whole tree is the service's own, so it is in nobody's way but the plan's.
const OWN_TREE: &str = "tree.jsonl.zst";
const OWN_LEVEL: i32 = -3;
/// Pages of the index that wait to be listed.
const WAITING: usize = 1;

/// What the walk gives to the thread that lists.
enum Walked {
    Kind(Kind),
    Entries(Kind, Vec<IndexEntry>),
}

/// What is planned.
pub(crate) struct Mirror {
    pub(crate) cut: Cut,
    /// Of a delta: for each part, which records are in it.
    pub(crate) keys: Vec<StagedFile>,
    pub(crate) tree: MirrorTree,
}

/// A mirror being planned.
pub(crate) struct Planning {
    walked: mpsc::Sender<Walked>,
    listing: JoinHandle<Result<Listed, PhaseError>>,
    tree: Storing,
    changes: Option<Storing>,
    keys: Option<JoinHandle<Result<Vec<StagedFile>, PhaseError>>>,
    base: Option<JoinHandle<Result<(), PhaseError>>>,
}

/// A file on its way to storage.
struct Storing {
    path: String,
    object: ObjectKey,
    level: i32,
    writing: JoinHandle<Result<Staged, PhaseError>>,
}

impl Planning {
    /// Begins, before the walk does.
    pub(crate) async fn begin(
        ports: &Ports,
        held: &Held,
        run: &Run,
        cutter: Cutter,
    ) -> Result<Self, PhaseError> {
        let base = base::listing(ports, run).await?;
        let pool = Arc::new(FramePool::new(1));
        let level = export_mirror::LISTS_LEVEL;
        let (walked, pages) = mpsc::channel(WAITING);
        let seal = Seal::of(ports, run).await?;
        let (path, own_level) = match (&base, seal.is_sealed()) {
            (None, false) => (TREE, level),
            // A list that is carried sealed is read here all the same, when a delta is planned.
            (None, true) => (OWN_TREE, level),
            (Some(_), _) => (OWN_TREE, OWN_LEVEL),
        };
        let own = Seal::default();
        let (tree, tree_frames) = store(ports, held, run, &pool, (path, &own), own_level)?;
        let (mut changes, mut keys, mut reading, mut delta) = (None, None, None, None);
        if let Some(listing) = base {
            let (storing, frames) = store(ports, held, run, &pool, (CHANGES, &seal), level)?;
            let (give, given) = mpsc::channel(1);
            let (pieces, task) = base::read(ports, listing);
            keys = Some(tokio::spawn(store_keys(
                ports.clone(),
                run.clone(),
                held.token().to_owned(),
                given,
            )));
            changes = Some(storing);
            reading = Some(task);
            delta = Some((pieces, frames, give));
        }
        let listing = tokio::task::spawn_blocking(move || {
            let lists = Lists::new(
                cutter,
                FrameWriter::new(&pool, Some(own_level), tree_frames),
            );
            let lists = match delta {
                None => lists,
                Some((pieces, frames, give)) => {
                    lists.beside(pieces, Framed::new(&pool, Some(level), frames), give)?
                }
            };
            list(lists, pages)
        });
        Ok(Self {
            walked,
            listing,
            tree,
            changes,
            keys,
            base: reading,
        })
    }

    /// Goes on with another kind.
    pub(crate) async fn kind(&self, kind: Kind) -> Result<(), PhaseError> {
        self.send(Walked::Kind(kind)).await
    }

    /// Takes the next page of the walk.
    pub(crate) async fn page(
        &self,
        kind: Kind,
        entries: Vec<IndexEntry>,
    ) -> Result<(), PhaseError> {
        self.send(Walked::Entries(kind, entries)).await
    }

    /// Whoever lists has stopped where this fails; [`Planning::finish`] says why.
    async fn send(&self, walked: Walked) -> Result<(), PhaseError> {
        let sent = self.walked.send(walked).await;
        sent.map_err(|_| PhaseError::Superseded)
    }

    /// Ends the walk, or gives it up: `walked` says whether all of it was told.
    pub(crate) async fn finish(self, walked: Result<(), PhaseError>) -> Result<Mirror, PhaseError> {
        drop(self.walked);
        let listed = joined(self.listing.await);
        let read = match self.base {
            Some(reading) => joined(reading.await),
            None => Ok(()),
        };
        let keys = match self.keys {
            Some(keys) => joined(keys.await),
            None => Ok(Vec::new()),
        };
        let tree = self.tree.staged().await;
        let changes = match self.changes {
            Some(changes) => changes.staged().await.map(Some),
            None => Ok(None),
        };
        let (listed, keys, tree, changes) = match (walked, listed, read, keys, tree, changes) {
            (Ok(()), Ok(listed), Ok(()), Ok(keys), Ok(tree), Ok(changes)) => {
                (listed, keys, tree, changes)
            }
            (walked, listed, read, keys, tree, changes) => {
                let mut errors = vec![walked.err(), read.err(), keys.err(), listed.err()];
                for staged in [tree.map(Some), changes] {
                    match staged {
                        Ok(Some((_, staged))) => staged.abort().await,
                        Ok(None) => {}
                        Err(error) => errors.push(Some(error)),
                    }
                }
                return Err(reason(errors.into_iter().flatten()));
            }
        };
        let listing = complete(tree, listed.listing).await?;
        let changes = match (changes, listed.changes) {
            (Some(changes), Some(content)) => Some(complete(changes, content).await?),
            _ => None,
        };
        let tallies = listed.summary.kinds.iter().map(|(kind, tally)| TreeTally {
            kind: *kind,
            documents: tally.documents,
            bytes: tally.bytes,
            digest: tally.digest,
        });
        Ok(Mirror {
            cut: listed.cut,
            keys,
            tree: MirrorTree {
                digest: listed.summary.tree_digest,
                tallies: tallies.collect(),
                listing: Some(listing),
                changes,
            },
        })
    }
}

/// Why planning stopped. Whoever only lost whom it hands to (`Superseded`) does not know why; told in
/// place of the reason it would end the step, and leave its run waiting for good.
fn reason(errors: impl Iterator<Item = PhaseError>) -> PhaseError {
    let mut known = errors.filter(|error| !matches!(error, PhaseError::Superseded));
    known.next().unwrap_or(PhaseError::Superseded)
}

/// Lists what is walked until there is no more.
fn list(mut lists: Lists<'_>, mut pages: mpsc::Receiver<Walked>) -> Result<Listed, PhaseError> {
    while let Some(walked) = pages.blocking_recv() {
        match walked {
            Walked::Kind(kind) => lists.kind(kind)?,
            Walked::Entries(kind, entries) => lists.add(kind, entries)?,
        }
    }
    lists.finish()
}

fn store(
    ports: &Ports,
    held: &Held,
    run: &Run,
    pool: &Arc<FramePool>,
    (path, seal): (&str, &Seal),
    level: i32,
) -> Result<(Storing, mpsc::Sender<export_staging::PendingFrame>), PhaseError> {
    let path = seal.path(path);
    let object = key(run, held.token(), &path)?;
    let sealer = seal.sealer(&path)?;
    let (send, frames) = mpsc::channel(1);
    let (ports, pool) = (ports.clone(), Arc::clone(pool));
    let writing = export_staging::write(ports, pool, object.clone(), frames, sealer);
    let storing = Storing {
        path,
        object,
        level,
        writing: tokio::spawn(writing),
    };
    Ok((storing, send))
}

fn key(run: &Run, token: &str, path: &str) -> Result<ObjectKey, PhaseError> {
    ObjectKey::new(&run.key, token, path)
        .map_err(|error| PhaseError::permanent(ErrorCode::Internal, error.to_string()))
}

impl Storing {
    async fn staged(self) -> Result<(AssembledFile, Staged), PhaseError> {
        let staged = joined(self.writing.await)?;
        let file = AssembledFile {
            path: self.path,
            object: self.object,
            size: staged.size,
            sha256: staged.sha256,
            content_size: 0,
            content_sha256: staged.sha256,
            media_type: "application/x-ndjson".to_owned(),
            compression: Some(AssembledCompression::Zstd { level: self.level }),
        };
        Ok((file, staged))
    }
}

async fn complete(
    (file, staged): (AssembledFile, Staged),
    (content_size, content_sha256): Content,
) -> Result<AssembledFile, PhaseError> {
    staged.complete().await?;
    Ok(AssembledFile {
        content_size,
        content_sha256,
        ..file
    })
}

/// Stores the positions of each part's records.
async fn store_keys(
    ports: Ports,
    run: Run,
    token: String,
    mut given: mpsc::Receiver<Keys>,
) -> Result<Vec<StagedFile>, PhaseError> {
    let mut files: Vec<StagedFile> = Vec::new();
    while let Some(keys) = given.recv().await {
        let object = key(&run, &token, &format!("keys/part-{:05}.jsonl", files.len()))?;
        let (size, sha256) = (keys.len() as u64, Sha256Digest::of(&keys));
        ports.objects.put(&object, Bytes::from(keys)).await?;
        files.push(StagedFile {
            object,
            size,
            sha256,
        });
    }
    Ok(files)
}

fn joined<T>(
    outcome: Result<Result<T, PhaseError>, tokio::task::JoinError>,
) -> Result<T, PhaseError> {
    outcome.unwrap_or_else(|stopped| {
        let detail = format!("planning a mirror stopped: {stopped}");
        Err(PhaseError::permanent(ErrorCode::Internal, detail))
    })
}
