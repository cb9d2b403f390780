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
/// The part of memory that is for slots: a line has about five times as many bytes.
const SLOTS_SHARE: usize = 6;

/// A line in the arena. `order` is how lines sort unless it is equal: the index, and the first
/// fifteen bytes after the head. A path follows every term, so there always are as many.
#[derive(Clone, Copy)]
struct Slot {
    order: u128,
    start: usize,
    length: u32,
    /// Bytes of the head.
    head: u32,
}

/// Takes lines in any order; gives each once, sorted.
pub(super) struct Sorter {
    scratch: PathBuf,
    arena: Vec<u8>,
    slots: Vec<Slot>,
    runs: Vec<File>,
}

impl Sorter {
    /// Sorts in about `budget` bytes of memory, and files in the folder `scratch` beyond that.
    pub(super) fn new(scratch: PathBuf, budget: usize) -> Self {
        let budget = budget.max(LEAST_BUDGET);
        // Never grown, so that nothing is there twice for a moment. What is not used costs nothing.
        let slots = budget / SLOTS_SHARE / size_of::<Slot>();
        Self {
            scratch,
            arena: Vec::with_capacity(budget - budget / SLOTS_SHARE),
            slots: Vec::with_capacity(slots),
            runs: Vec::new(),
        }
    }

    /// Adds the lines of a document for `indexes`.
    pub(super) fn push(
        &mut self,
        indexes: &[Index],
        record: &Record<'_>,
    ) -> Result<(), IndexError> {
        let path = DocumentPath::of(record.kind, &record.id);
        for &index in indexes {
            let mut done = Ok(());
            record.terms(index, &mut |term| {
                if done.is_ok() {
                    done = self.push_line(index, term, &path);
                }
            });
            done?;
        }
        Ok(())
    }

    fn push_line(
        &mut self,
        index: Index,
        term: &[u8],
        path: &DocumentPath,
    ) -> Result<(), IndexError> {
        // Control characters are escaped in every canonical term.
        if term.len() > MAX_TERM_BYTES || term.iter().any(|byte| *byte < b' ') {
            return Ok(());
        }
        let parts = [index.head(), term, BETWEEN, path.as_bytes(), TAIL];
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if self.slots.len() == self.slots.capacity()
            || self.arena.len() + length > self.arena.capacity()
        {
            self.spill()?;
        }
        let start = self.arena.len();
        for part in parts {
            self.arena.extend_from_slice(part);
        }
        let head = index.head().len();
        let mut order = [0; 16];
        let (tag, text) = order.split_at_mut(1);
        tag.fill(index as u8);
        for (to, from) in text.iter_mut().zip(self.arena.iter().skip(start + head)) {
            *to = *from;
        }
        self.slots.push(Slot {
            order: u128::from_be_bytes(order),
            start,
            length: length as u32,
            head: head as u32,
        });
        Ok(())
    }

    fn sort(&mut self) {
        let arena = &self.arena;
        let rest = |slot: &Slot| {
            let from = slot.start + slot.head as usize + 15;
            arena
                .get(from..slot.start + slot.length as usize)
                .unwrap_or_default()
        };
        self.slots
            .sort_unstable_by(|a, b| a.order.cmp(&b.order).then_with(|| rest(a).cmp(rest(b))));
        self.slots
            .dedup_by(|a, b| a.order == b.order && rest(a) == rest(b));
    }

    fn spill(&mut self) -> Result<(), IndexError> {
        if self.slots.is_empty() {
            return Ok(());
        }
        self.sort();
        let (mut run, failed) = self.run_file()?;
        for slot in &self.slots {
            let line = self
                .arena
                .get(slot.start..slot.start + slot.length as usize);
            run.write_all(line.unwrap_or_default()).map_err(&failed)?;
        }
        self.arena.clear();
        self.slots.clear();
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
            self.sort();
            return Ok(Sorted::Memory {
                sorter: self,
                at: 0,
            });
        }
        self.spill()?;
        open(self.runs).map(Sorted::Files)
    }
}

fn open(runs: Vec<File>) -> Result<Merge<File>, IndexError> {
    let sources = runs
        .into_iter()
        .map(|run| Source::new(run, RUN_BUFFER, "a run of sorted lines"));
    Merge::open(sources)
}

/// Sorted lines, one after the other.
pub(super) enum Sorted {
    Memory { sorter: Sorter, at: usize },
    Files(Merge<File>),
}

impl Sorted {
    /// The next line, with its line end; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, IndexError> {
        match self {
            Self::Files(merge) => merge.next(),
            Self::Memory { sorter, at } => {
                let Some(slot) = sorter.slots.get(*at) else {
                    return Ok(None);
                };
                *at += 1;
                let line = slot.start..slot.start + slot.length as usize;
                Ok(sorter.arena.get(line))
            }
        }
    }
}
