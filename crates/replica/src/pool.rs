//! Documents worked on by several threads, in batches, and given back in the order they came.
//!
//! One thread reads the bundle or a listing, which is a sequence; hashing documents and writing files
//! is not. What is in flight is bounded in bytes, so memory does not grow with the tree.

use std::collections::BTreeMap;
use std::ops::Range;
use std::thread;

use crossbeam_channel::{Receiver, Sender, TryRecvError, unbounded};
use export_model::{Kind, Sha256Digest};

use crate::differences::Differences;
use crate::error::Error;

/// A batch is full with so many bytes of documents …
const BATCH_BYTES: usize = 1 << 20;
/// … or so many documents.
const BATCH_DOCUMENTS: usize = 512;
/// Bytes of batches that are in flight, but that one batch always may be.
const IN_FLIGHT_BYTES: usize = 24 << 20;
/// Batches that are in flight.
const IN_FLIGHT_BATCHES: usize = 16;

/// A document, by ranges of its batch.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) task: Task,
    pub(crate) path: Range<usize>,
    pub(crate) bytes: Range<usize>,
    pub(crate) sha256: Sha256Digest,
    pub(crate) size: u64,
}

/// What is to be done about a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Its bytes are written, and say themselves which document they are.
    Write,
    /// Its bytes, whose digest is known, are written.
    WriteKnown,
    /// It is what the old tree has, and is taken over.
    Keep,
    /// The old tree has it, and the new one will not, or not with these bytes.
    Retire,
    /// It should be in the old tree, and nothing is done about it.
    Check,
}

/// A line of the new listing.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    pub(crate) line: Range<usize>,
    pub(crate) subject_key: Range<usize>,
    pub(crate) id: Range<usize>,
}

/// Consecutive documents.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    number: u64,
    pub(crate) items: Vec<Item>,
    /// Paths of `items`.
    pub(crate) paths: String,
    /// Contents of `items`.
    pub(crate) bytes: Vec<u8>,
    /// What a worker made of them: lines of the listing, where it was asked for.
    pub(crate) lines: Vec<Line>,
    pub(crate) line_bytes: Vec<u8>,
    /// Subjects and ids of `lines`.
    pub(crate) names: String,
    /// And how the old tree differs from what it should be.
    pub(crate) found: Differences,
}

impl Batch {
    /// Adds a document.
    pub(crate) fn push(
        &mut self,
        task: Task,
        path: &str,
        bytes: &[u8],
        sha256: Sha256Digest,
        size: u64,
    ) {
        let (start, content) = (self.paths.len(), self.bytes.len());
        self.paths.push_str(path);
        self.bytes.extend_from_slice(bytes);
        self.items.push(Item {
            task,
            path: start..self.paths.len(),
            bytes: content..self.bytes.len(),
            sha256,
            size,
        });
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_BYTES || self.items.len() >= BATCH_DOCUMENTS
    }

    /// Whether a document of `bytes` would make it larger than need be.
    pub(crate) fn is_full_with(&self, bytes: usize) -> bool {
        !self.items.is_empty() && self.bytes.len().saturating_add(bytes) > BATCH_BYTES
    }

    fn clear(&mut self) {
        self.items.clear();
        self.paths.clear();
        self.bytes.clear();
        // A document of 64 MiB is rare; its buffer is not kept for all others.
        self.bytes.shrink_to(2 * BATCH_BYTES);
        self.lines.clear();
        self.line_bytes.clear();
        self.names.clear();
        self.found = Differences::default();
    }
}

/// Gives batches to workers, and takes them back in order.
pub(crate) struct Feeder<'s> {
    to: Sender<Batch>,
    from: Receiver<Result<Batch, Error>>,
    waiting: BTreeMap<u64, Batch>,
    free: Vec<Batch>,
    sent: u64,
    taken: u64,
    bytes: usize,
    done: &'s mut dyn FnMut(&Batch) -> Result<(), Error>,
}

impl Feeder<'_> {
    /// An empty batch.
    pub(crate) fn batch(&mut self) -> Batch {
        self.free.pop().unwrap_or_default()
    }

    /// Hands on what is in a batch, and empties it.
    pub(crate) fn flush(&mut self, batch: &mut Batch) -> Result<(), Error> {
        let empty = self.batch();
        self.submit(std::mem::replace(batch, empty))
    }

    /// Hands a batch to whichever worker is free, when there is room for it.
    pub(crate) fn submit(&mut self, mut batch: Batch) -> Result<(), Error> {
        while self.sent > self.taken
            && (self.bytes + batch.bytes.len() > IN_FLIGHT_BYTES
                || self.sent - self.taken >= IN_FLIGHT_BATCHES as u64)
        {
            self.receive()?;
        }
        batch.number = self.sent;
        self.sent += 1;
        self.bytes += batch.bytes.len();
        if self.to.send(batch).is_err() {
            // Workers only stop early when one of them failed, and then that is waiting here.
            while self.sent > self.taken {
                self.receive()?;
            }
            return Err(Error::Internal("all workers are gone"));
        }
        loop {
            match self.from.try_recv() {
                Ok(batch) => self.accept(batch?)?,
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return Ok(()),
            }
        }
    }

    /// Waits until everything that was submitted has come back.
    pub(crate) fn drain(&mut self) -> Result<(), Error> {
        while self.sent > self.taken {
            self.receive()?;
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<(), Error> {
        let batch = self
            .from
            .recv()
            .map_err(|_| Error::Internal("a worker is gone"))??;
        self.accept(batch)
    }

    fn accept(&mut self, batch: Batch) -> Result<(), Error> {
        self.waiting.insert(batch.number, batch);
        while let Some(mut batch) = self.waiting.remove(&self.taken) {
            self.taken += 1;
            self.bytes -= batch.bytes.len();
            (self.done)(&batch)?;
            batch.clear();
            self.free.push(batch);
        }
        Ok(())
    }
}

/// Runs `feed` beside so many workers as there are `states`, each with its own. `work` is done to
/// every batch, and `done` is told of each in the order in which they were submitted.
pub(crate) fn run<S: Send, T>(
    states: &mut [S],
    work: impl Fn(&mut S, &mut Batch) -> Result<(), Error> + Sync,
    done: &mut dyn FnMut(&Batch) -> Result<(), Error>,
    feed: impl FnOnce(&mut Feeder<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let (to, batches) = unbounded::<Batch>();
    let (results, from) = unbounded();
    thread::scope(|scope| {
        for state in states {
            let (batches, results, work) = (batches.clone(), results.clone(), &work);
            scope.spawn(move || {
                for mut batch in batches {
                    let worked = work(state, &mut batch).map(|()| batch);
                    let failed = worked.is_err();
                    if results.send(worked).is_err() || failed {
                        return;
                    }
                }
            });
        }
        drop((batches, results));
        let mut feeder = Feeder {
            to,
            from,
            waiting: BTreeMap::new(),
            free: Vec::new(),
            sent: 0,
            taken: 0,
            bytes: 0,
            done,
        };
        let fed = feed(&mut feeder)?;
        feeder.drain()?;
        Ok(fed)
    })
}
