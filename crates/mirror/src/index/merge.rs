//! Sorted lines of many sources as those of one.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::io::{BufRead as _, BufReader, Read};

use super::{Index, IndexError, MOST_LINE, TAIL};

/// Sorted lines of one reader, of which each is looked at.
pub(super) struct Source<R> {
    reader: BufReader<R>,
    what: &'static str,
    line: Vec<u8>,
    last: Vec<u8>,
    number: u64,
}

impl<R: Read> Source<R> {
    pub(super) fn new(reader: R, buffer: usize, what: &'static str) -> Self {
        Self {
            reader: BufReader::with_capacity(buffer, reader),
            what,
            line: Vec::new(),
            last: Vec::new(),
            number: 0,
        }
    }

    /// Goes to the next line; false at the end.
    pub(super) fn advance(&mut self) -> Result<bool, IndexError> {
        std::mem::swap(&mut self.line, &mut self.last);
        self.line.clear();
        let read = (&mut self.reader)
            .take(MOST_LINE as u64)
            .read_until(b'\n', &mut self.line)
            .map_err(IndexError::Read)?;
        if read == 0 {
            return Ok(false);
        }
        self.number += 1;
        if !self.line.ends_with(TAIL) || Index::of_line(&self.line).is_none() {
            return Err(self.damaged("it is no line of an index"));
        }
        if self.line <= self.last {
            return Err(self.damaged("it is not after the line before it"));
        }
        Ok(true)
    }

    /// The line that was read last, with its line end; empty at the end.
    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }

    fn damaged(&self, fault: &'static str) -> IndexError {
        IndexError::Damaged {
            what: self.what.to_owned(),
            line: self.number,
            fault,
        }
    }
}

/// A source by its current line.
struct Ranked<R>(Source<R>);

impl<R> PartialEq for Ranked<R> {
    fn eq(&self, other: &Self) -> bool {
        self.0.line == other.0.line
    }
}

impl<R> Eq for Ranked<R> {}

impl<R> PartialOrd for Ranked<R> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<R> Ord for Ranked<R> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.line.cmp(&other.0.line)
    }
}

/// The lines of all sources, sorted, each once.
pub(super) struct Merge<R> {
    heap: BinaryHeap<Reverse<Ranked<R>>>,
    line: Vec<u8>,
}

impl<R: Read> Merge<R> {
    pub(super) fn open(sources: impl IntoIterator<Item = Source<R>>) -> Result<Self, IndexError> {
        let mut heap = BinaryHeap::new();
        for mut source in sources {
            if source.advance()? {
                heap.push(Reverse(Ranked(source)));
            }
        }
        Ok(Self {
            heap,
            line: Vec::new(),
        })
    }

    /// The next line, with its line end; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, IndexError> {
        while let Some(mut top) = self.heap.peek_mut() {
            let source = &mut top.0.0;
            let fresh = source.line != self.line;
            if fresh {
                self.line.clear();
                self.line.extend_from_slice(&source.line);
            }
            if !source.advance()? {
                PeekMut::pop(top);
            }
            if fresh {
                return Ok(Some(&self.line));
            }
        }
        Ok(None)
    }
}
