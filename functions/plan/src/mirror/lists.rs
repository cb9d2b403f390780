//! What a mirror's plan makes of the walk: the list of the tree, and of a delta the list of what has
//! changed, the parts of what is new, and the positions of their records.

use export_lifecycle::PhaseError;
use export_mirror::delta::{self, Difference, Merge, MergeError, Op};
use export_mirror::listing::{ListingHasher, ListingReader, Summary, write_line};
use export_model::{ErrorCode, IndexEntry, Kind};
use export_staging::{FrameWriter, Framed};

use super::base::Pieces;
use crate::cut::{Cut, Cutter};
use crate::plan::MAX_PARTS;

/// The comparison with a base, whose stored list is being read.
type Comparison = Merge<zstd::stream::read::Decoder<'static, std::io::BufReader<Pieces>>>;

/// Positions of one part's records, as JSON lines.
pub(super) type Keys = Vec<u8>;

/// Everything that is written along the walk.
pub(super) struct Lists<'a> {
    cutter: Cutter,
    /// Its digest is the tree's, so it is hashed once.
    listing: FrameWriter<'a>,
    hasher: ListingHasher,
    line: Vec<u8>,
    delta: Option<Delta<'a>>,
}

struct Delta<'a> {
    base: Comparison,
    changes: Framed<'a>,
    line: Vec<u8>,
    keys: Keys,
    /// Parts whose positions were given away.
    closed: usize,
    give: tokio::sync::mpsc::Sender<Keys>,
}

/// What came of the walk.
pub(super) struct Listed {
    pub(super) cut: Cut,
    pub(super) summary: Summary,
    /// Size and digest of the list, and of the list of changes.
    pub(super) listing: Content,
    pub(super) changes: Option<Content>,
}

/// Size and digest before compression.
pub(super) type Content = (u64, export_model::Sha256Digest);

impl<'a> Lists<'a> {
    pub(super) fn new(cutter: Cutter, listing: FrameWriter<'a>) -> Self {
        Self {
            cutter,
            listing,
            hasher: ListingHasher::default(),
            line: Vec::new(),
            delta: None,
        }
    }

    /// Makes it a delta from the tree that `base` lists; positions of each part's records go to
    /// `give`. Whoever gives `base` compares its digest.
    pub(super) fn beside(
        mut self,
        base: Pieces,
        changes: Framed<'a>,
        give: tokio::sync::mpsc::Sender<Keys>,
    ) -> Result<Self, PhaseError> {
        let decoder = zstd::stream::read::Decoder::new(base).map_err(|error| {
            PhaseError::permanent(
                ErrorCode::Internal,
                format!("starting to decompress: {error}"),
            )
        })?;
        self.delta = Some(Delta {
            base: Merge::new(ListingReader::of_known(decoder)),
            changes,
            line: Vec::new(),
            keys: Keys::new(),
            closed: 0,
            give,
        });
        Ok(self)
    }

    /// Goes on with another kind.
    pub(super) fn kind(&mut self, kind: Kind) -> Result<(), PhaseError> {
        self.cutter.next_kind(kind);
        match &mut self.delta {
            Some(delta) => delta.close(self.cutter.closed()),
            None => Ok(()),
        }
    }

    /// Takes the next lines of the index, of `kind`.
    pub(super) fn add(&mut self, kind: Kind, entries: Vec<IndexEntry>) -> Result<(), PhaseError> {
        for entry in entries {
            match &mut self.delta {
                None => {
                    self.line.clear();
                    write(&mut self.line, kind, &entry);
                    self.hasher.add(kind, entry.size, &self.line);
                    self.listing.write(&self.line)?;
                    self.cutter.add(entry);
                }
                Some(delta) => {
                    let is_new = delta.compare(
                        kind,
                        &entry,
                        &mut self.line,
                        &mut self.hasher,
                        &mut self.listing,
                    )?;
                    if is_new {
                        let position = entry.position.clone();
                        self.cutter.add(entry);
                        delta.close(self.cutter.closed())?;
                        delta.key(&position)?;
                    }
                }
            }
        }
        if self.cutter.len() > MAX_PARTS {
            let detail = format!("the run would have more than {MAX_PARTS} parts");
            return Err(PhaseError::permanent(ErrorCode::TooManyParts, detail));
        }
        Ok(())
    }

    /// Ends the walk.
    pub(super) fn finish(self) -> Result<Listed, PhaseError> {
        let cut = self.cutter.finish();
        let changes = match self.delta {
            None => None,
            Some(mut delta) => {
                delta.close(cut.parts.len())?;
                Some(delta.finish()?)
            }
        };
        let summary = self.hasher.finish();
        Ok(Listed {
            cut,
            listing: (self.listing.finish_file()?, summary.tree_digest),
            summary,
            changes,
        })
    }
}

impl Delta<'_> {
    /// Writes what a document of the new state changes; says whether its bytes are to be carried.
    fn compare(
        &mut self,
        kind: Kind,
        entry: &IndexEntry,
        line: &mut Vec<u8>,
        hasher: &mut ListingHasher,
        listing: &mut FrameWriter<'_>,
    ) -> Result<bool, PhaseError> {
        let mut is_new = false;
        let (changes, change) = (&mut self.changes, &mut self.line);
        let (position, sha256, size) = (&entry.position, &entry.record_sha256, entry.size);
        let mut told = |difference: Difference<'_>| -> Result<(), Stopped> {
            let op = match difference {
                Difference::Same(same) => {
                    // The line is the one that would be written.
                    hasher.add_entry(&same);
                    return Ok(listing.write(same.line)?);
                }
                Difference::Remove(gone) => {
                    change.clear();
                    delta::write_removal(change, &gone);
                    return Ok(changes.write(change)?);
                }
                Difference::Add => Op::Add,
                Difference::Change(_) => Op::Change,
            };
            is_new = true;
            let (subject, id) = (&position.subject_key, &position.id);
            change.clear();
            delta::write_line(change, op, kind, subject, id, sha256, size);
            changes.write(change)?;
            line.clear();
            write(line, kind, entry);
            hasher.add(kind, size, line);
            Ok(listing.write(line)?)
        };
        self.base.step(kind, position, sha256, size, &mut told)?;
        Ok(is_new)
    }

    fn key(&mut self, position: &export_model::Position) -> Result<(), PhaseError> {
        serde_json::to_writer(&mut self.keys, position).map_err(|error| {
            PhaseError::permanent(ErrorCode::Internal, format!("naming a record: {error}"))
        })?;
        self.keys.push(b'\n');
        Ok(())
    }

    /// Gives the positions of a part away that has ended since.
    fn close(&mut self, closed: usize) -> Result<(), PhaseError> {
        if closed == self.closed {
            return Ok(());
        }
        self.closed = closed;
        let keys = std::mem::take(&mut self.keys);
        // Whoever stores them has stopped, and says why.
        self.give
            .blocking_send(keys)
            .map_err(|_| PhaseError::Superseded)
    }

    fn finish(self) -> Result<Content, PhaseError> {
        let (mut changes, mut line) = (self.changes, self.line);
        let mut told = |difference: Difference<'_>| -> Result<(), Stopped> {
            if let Difference::Remove(gone) = difference {
                line.clear();
                delta::write_removal(&mut line, &gone);
                changes.write(&line)?;
            }
            Ok(())
        };
        self.base.finish(&mut told)?;
        changes.finish_file()
    }
}

fn write(line: &mut Vec<u8>, kind: Kind, entry: &IndexEntry) {
    let (subject, id) = (&entry.position.subject_key, &entry.position.id);
    write_line(line, kind, subject, id, &entry.record_sha256, entry.size);
}

/// Why a comparison ended.
struct Stopped(PhaseError);

impl From<PhaseError> for Stopped {
    fn from(error: PhaseError) -> Self {
        Self(error)
    }
}

impl From<MergeError> for Stopped {
    fn from(error: MergeError) -> Self {
        let code = match &error {
            MergeError::Base(_) => ErrorCode::Storage,
            _ => ErrorCode::Internal,
        };
        let mut detail = format!("comparing with the base's tree: {error}");
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            detail.push_str(&format!(": {error}"));
            cause = error.source();
        }
        Self(PhaseError::permanent(code, detail))
    }
}

impl From<Stopped> for PhaseError {
    fn from(Stopped(error): Stopped) -> Self {
        error
    }
}

#[cfg(test)]
#[path = "lists_tests.rs"]
mod tests;
