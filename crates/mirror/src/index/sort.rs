//! Sorting more lines than memory holds: sorted runs in files without a name, and one merge.

use std::fs::File;
use std::io::{BufWriter, Seek as _, Write as _};
use std::path::PathBuf;

use super::merge::{Merge, Source};
use super::{BETWEEN, Index, IndexError, MAX_TERM_BYTES, TAIL};
use crate::path::DocumentPath;
use crate::terms::Record;

/// Runs that are merged at once; more become one first.
const MOST_RUNS: usize = 64;
/// Bytes that are read of a run at once.
const RUN_BUFFER: usize = 64 << 10;
/// Least memory: below it, files would be many and small.
const LEAST_BUDGET: usize = 4 << 10;
/// The part of memory that is for slots, in fifths: a line has about as many bytes of its own.
const SLOTS_FIFTHS: usize = 2;
/// Bytes of a term that a slot holds.
const ORDER_BYTES: usize = 15;

/// A line: a term in the arena, and a document. `order` is how lines sort unless it is equal: the
/// index, and the first fifteen bytes of the term and the quote that ends it.
#[derive(Clone, Copy)]
struct Slot {
    order: u128,
    term: u32,
    /// Which document; once they are sorted, counted by their paths.
    document: u32,
    term_bytes: u16,
    index: Index,
}

/// A document that was added. `order` is how paths sort unless it is equal.
#[derive(Clone, Copy)]
struct Document {
    path: u32,
    path_bytes: u8,
    order: u16,
}

/// Takes lines in any order; gives each once, sorted.
pub(super) struct Sorter {
    scratch: PathBuf,
    lines: Lines,
    runs: Vec<File>,
}

/// What is in memory.
pub(super) struct Lines {
    arena: Vec<u8>,
    slots: Vec<Slot>,
    documents: Vec<Document>,
}

impl Sorter {
    /// Sorts in about `budget` bytes of memory, and files in the folder `scratch` beyond that.
    pub(super) fn new(scratch: PathBuf, budget: usize) -> Self {
        let budget = budget.clamp(LEAST_BUDGET, u32::MAX as usize);
        // Never grown, so that nothing is there twice for a moment. What is not used costs nothing.
        let slots = budget / 5 * SLOTS_FIFTHS;
        let count = slots / (size_of::<Slot>() + size_of::<Document>());
        Self {
            scratch,
            lines: Lines {
                arena: Vec::with_capacity(budget - slots),
                slots: Vec::with_capacity(count),
                documents: Vec::with_capacity(count),
            },
            runs: Vec::new(),
        }
    }

    /// Adds the lines of a document that lies at `path` for `indexes`.
    pub(super) fn push(
        &mut self,
        indexes: &[Index],
        record: &Record<'_>,
        path: &DocumentPath,
    ) -> Result<(), IndexError> {
        if !self.lines.has_room(path.as_bytes().len()) {
            self.spill()?;
        }
        let mut document = self.lines.document(path);
        for &index in indexes {
            let mut done = Ok(());
            record.terms(index, &mut |term| {
                // Control characters are escaped in every canonical term.
                let is_one = term.len() <= MAX_TERM_BYTES && term.iter().all(|byte| *byte >= b' ');
                if done.is_err() || !is_one {
                    return;
                }
                if !self.lines.has_room(term.len()) {
                    done = self.spill();
                    document = self.lines.document(path);
                }
                self.lines.push(index, term, document);
            });
            done?;
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<(), IndexError> {
        if self.lines.slots.is_empty() {
            self.lines.clear();
            return Ok(());
        }
        self.lines.sort();
        let (mut run, failed) = self.run_file()?;
        let mut line = Vec::new();
        for slot in &self.lines.slots {
            self.lines.write(slot, &mut line);
            run.write_all(&line).map_err(&failed)?;
        }
        self.lines.clear();
        self.keep(run)?;
        if self.runs.len() >= MOST_RUNS {
            let mut merge = open(std::mem::take(&mut self.runs))?;
            let (mut run, failed) = self.run_file()?;
            while let Some(line) = merge.next()? {
                run.write_all(line).map_err(&failed)?;
            }
            self.keep(run)?;
        }
        Ok(())
    }

    fn run_file(
        &self,
    ) -> Result<
        (
            BufWriter<File>,
            impl Fn(std::io::Error) -> IndexError + use<>,
        ),
        IndexError,
    > {
        let failed = IndexError::file("write sorted lines in", &self.scratch);
        let file = tempfile::tempfile_in(&self.scratch).map_err(&failed)?;
        Ok((BufWriter::with_capacity(256 << 10, file), failed))
    }

    fn keep(&mut self, run: BufWriter<File>) -> Result<(), IndexError> {
        let failed = IndexError::file("write sorted lines in", &self.scratch);
        let mut file = run
            .into_inner()
            .map_err(|error| failed(error.into_error()))?;
        file.rewind().map_err(failed)?;
        self.runs.push(file);
        Ok(())
    }

    /// Every line, sorted, each once.
    pub(super) fn finish(mut self) -> Result<Sorted, IndexError> {
        if self.runs.is_empty() {
            self.lines.sort();
            return Ok(Sorted::Memory {
                lines: self.lines,
                at: 0,
                line: Vec::new(),
            });
        }
        self.spill()?;
        open(self.runs).map(Sorted::Files)
    }
}

impl Lines {
    fn has_room(&self, bytes: usize) -> bool {
        self.slots.len() < self.slots.capacity()
            && self.documents.len() < self.documents.capacity()
            && self.arena.len() + bytes <= self.arena.capacity()
    }

    fn clear(&mut self) {
        self.arena.clear();
        self.slots.clear();
        self.documents.clear();
    }

    /// Keeps bytes; says where.
    fn keep(&mut self, bytes: &[u8]) -> u32 {
        let at = self.arena.len() as u32;
        self.arena.extend_from_slice(bytes);
        at
    }

    /// Adds a document; says which it is.
    fn document(&mut self, path: &DocumentPath) -> u32 {
        let document = Document {
            path: self.keep(path.as_bytes()),
            path_bytes: path.as_bytes().len() as u8,
            order: path.order(),
        };
        self.documents.push(document);
        self.documents.len() as u32 - 1
    }

    fn push(&mut self, index: Index, term: &[u8], document: u32) {
        let tag = u128::from(index as u8) << 120;
        let slot = Slot {
            order: tag | order(term) >> 8,
            term: self.keep(term),
            document,
            term_bytes: term.len() as u16,
            index,
        };
        self.slots.push(slot);
    }

    fn bytes(&self, start: u32, length: usize) -> &[u8] {
        let start = start as usize;
        self.arena.get(start..start + length).unwrap_or_default()
    }

    fn term(&self, slot: &Slot) -> &[u8] {
        self.bytes(slot.term, usize::from(slot.term_bytes))
    }

    fn path(&self, document: &Document) -> &[u8] {
        self.bytes(document.path, usize::from(document.path_bytes))
    }

    /// Sorts the lines by their bytes, each once.
    fn sort(&mut self) {
        self.sort_documents();
        let mut slots = std::mem::take(&mut self.slots);
        slots.sort_unstable_by_key(|slot| slot.order);
        self.sort_equal(&mut slots, ORDER_BYTES);
        slots.dedup_by(|a, b| {
            (a.index, a.document) == (b.index, b.document) && self.term(a) == self.term(b)
        });
        self.slots = slots;
    }

    /// Sorts slots on, which are sorted by the index and the first `sorted` bytes of their terms. Where
    /// those are equal, each slot gets the next bytes of its term: a term is looked up once for every
    /// sixteen bytes, not for every comparison.
    fn sort_equal(&self, slots: &mut [Slot], sorted: usize) {
        for same in slots.chunk_by_mut(|a, b| a.order == b.order) {
            match same {
                [] | [_] => {}
                // The quote that ends a term was among the bytes: they are all of it.
                [first, ..] if usize::from(first.term_bytes) < sorted => {
                    same.sort_unstable_by_key(|slot| slot.document);
                }
                same => {
                    for slot in &mut *same {
                        let rest = self.term(slot).get(sorted..).unwrap_or_default();
                        slot.order = order(rest);
                    }
                    same.sort_unstable_by_key(|slot| slot.order);
                    self.sort_equal(same, sorted + 16);
                }
            }
        }
    }

    /// Sorts documents by their paths, so that whether a line comes before another of the same term is
    /// one comparison of numbers. Those that have the same path are one afterwards.
    fn sort_documents(&mut self) {
        let mut sorted: Vec<(u16, u32)> = (0..)
            .zip(&self.documents)
            .map(|(number, document)| (document.order, number))
            .collect();
        sorted.sort_unstable();
        let path = |(_, number): &(u16, u32)| {
            let document = self.documents.get(*number as usize);
            document.map_or(&[][..], |document| self.path(document))
        };
        // They come in the order of their ids mostly, and so do the names of files in one folder: a sort
        // that sees that has little to do.
        for folder in sorted.chunk_by_mut(|a, b| a.0 == b.0) {
            folder.sort_by(|a, b| path(a).cmp(path(b)));
        }
        let mut places = vec![0; sorted.len()];
        let mut documents: Vec<Document> = Vec::with_capacity(self.documents.capacity());
        for (_, number) in sorted {
            let Some(document) = self.documents.get(number as usize) else {
                continue;
            };
            if documents.last().map(|last| self.path(last)) != Some(self.path(document)) {
                documents.push(*document);
            }
            if let Some(place) = places.get_mut(number as usize) {
                *place = documents.len() as u32 - 1;
            }
        }
        for slot in &mut self.slots {
            slot.document = places
                .get(slot.document as usize)
                .copied()
                .unwrap_or_default();
        }
        self.documents = documents;
    }

    /// Writes a line over what `line` holds.
    fn write(&self, slot: &Slot, line: &mut Vec<u8>) {
        line.clear();
        let document = self.documents.get(slot.document as usize);
        let path = document.map_or(&[][..], |document| self.path(document));
        for part in [slot.index.head(), self.term(slot), BETWEEN, path, TAIL] {
            line.extend_from_slice(part);
        }
    }
}

/// A number that compares as `text` does with the quote that ends it, as far as there is room for it.
fn order(text: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(text.iter().chain(b"\"")) {
        *to = *from;
    }
    u128::from_be_bytes(bytes)
}

fn open(runs: Vec<File>) -> Result<Merge<File>, IndexError> {
    let sources = runs
        .into_iter()
        .map(|run| Source::new(run, RUN_BUFFER, "a run of sorted lines"));
    Merge::open(sources)
}

/// Sorted lines, one after the other.
pub(super) enum Sorted {
    Memory {
        lines: Lines,
        at: usize,
        line: Vec<u8>,
    },
    Files(Merge<File>),
}

impl Sorted {
    /// The next line, with its line end; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, IndexError> {
        match self {
            Self::Files(merge) => merge.next(),
            Self::Memory { lines, at, line } => {
                let Some(slot) = lines.slots.get(*at) else {
                    return Ok(None);
                };
                *at += 1;
                lines.write(slot, line);
                Ok(Some(line))
            }
        }
    }
}
