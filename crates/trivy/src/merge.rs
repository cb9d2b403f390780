//! Merging: all chunks of all runs as one sorted sequence.

use std::cmp::Ordering;
use std::path::Path;

use crate::TrivyError;
use crate::runs::{ChunkAt, ChunkStream, Scratch, ScratchChunk};

/// Chunks that are read at once. Each takes a window and buffers, about 250 KB, and an open file.
const MAX_STREAMS: usize = 128;
/// Rows between two looks at whether to go on.
const CHECK_EVERY: u32 = 4096;

/// `false` when the caller wants to stop.
pub(crate) type Proceed<'a> = &'a dyn Fn() -> bool;

/// A row's key and value.
pub(crate) type RowBytes<'a> = (&'a [u8], &'a [u8]);

/// The rows of several chunks, in order.
pub(crate) struct Merge<'a> {
    streams: Vec<ChunkStream>,
    /// A heap of indices into `streams`; the smallest row first.
    heap: Vec<usize>,
    /// The first stream's row has been handed out.
    taken: bool,
    until_check: u32,
    proceed: Proceed<'a>,
    /// Chunks that earlier rounds made.
    _rounds: Vec<Scratch>,
}

impl<'a> Merge<'a> {
    /// Opens `chunks`; where they are too many, merges some of them onto `scratch` first. `name` is
    /// one that no other merge on the same scratch has.
    pub(crate) fn open(
        chunks: Vec<ChunkAt>,
        scratch: &Path,
        name: &str,
        proceed: Proceed<'a>,
    ) -> Result<Self, TrivyError> {
        Self::open_within(chunks, scratch, name, proceed, MAX_STREAMS)
    }

    pub(crate) fn open_within(
        mut chunks: Vec<ChunkAt>,
        scratch: &Path,
        name: &str,
        proceed: Proceed<'a>,
        most: usize,
    ) -> Result<Self, TrivyError> {
        let mut made = Vec::new();
        let mut round = 0_u32;
        while chunks.len() > most {
            let mut fewer = Vec::new();
            let mut next = Vec::new();
            for (batch, several) in chunks.chunks(most.max(2)).enumerate() {
                let path = scratch.join(format!("{name}-{round}-{batch}.rows"));
                let mut out = ScratchChunk::create(path)?;
                let mut merge = Self::over(several, Vec::new(), proceed)?;
                while let Some((key, value)) = merge.next()? {
                    out.push(key, value)?;
                }
                let merged = out.finish()?;
                fewer.extend(merged.chunks());
                next.push(merged);
            }
            chunks = fewer;
            // The files of the round before are read to their end.
            made = next;
            round += 1;
        }
        Self::over(&chunks, made, proceed)
    }

    fn over(
        chunks: &[ChunkAt],
        rounds: Vec<Scratch>,
        proceed: Proceed<'a>,
    ) -> Result<Self, TrivyError> {
        let mut streams = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let mut stream = ChunkStream::open(chunk)?;
            if stream.advance()? {
                streams.push(stream);
            }
        }
        let mut merge = Self {
            heap: (0..streams.len()).collect(),
            streams,
            taken: false,
            until_check: 0,
            proceed,
            _rounds: rounds,
        };
        for at in (0..merge.heap.len() / 2).rev() {
            merge.sift(at);
        }
        Ok(merge)
    }

    /// The next row's key and value.
    pub(crate) fn next(&mut self) -> Result<Option<RowBytes<'_>>, TrivyError> {
        if self.until_check == 0 {
            if !(self.proceed)() {
                return Err(TrivyError::Cancelled);
            }
            self.until_check = CHECK_EVERY;
        }
        self.until_check -= 1;
        if self.taken {
            self.taken = false;
            let first = self.heap.first().copied();
            if let Some(stream) = first.and_then(|index| self.streams.get_mut(index))
                && !stream.advance()?
            {
                self.heap.swap_remove(0);
            }
            self.sift(0);
        }
        let first = self.heap.first().copied();
        Ok(first
            .and_then(|index| self.streams.get(index))
            .map(|stream| {
                self.taken = true;
                (stream.key.as_slice(), stream.value.as_slice())
            }))
    }

    fn order(&self, a: usize, b: usize) -> Ordering {
        match (self.streams.get(a), self.streams.get(b)) {
            (Some(first), Some(second)) => {
                (&first.key, &first.value, a).cmp(&(&second.key, &second.value, b))
            }
            _ => Ordering::Equal,
        }
    }

    fn sift(&mut self, mut at: usize) {
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if let (Some(&a), Some(&b)) = (self.heap.get(child), self.heap.get(least))
                    && self.order(a, b) == Ordering::Less
                {
                    least = child;
                }
            }
            if least == at {
                return;
            }
            self.heap.swap(at, least);
            at = least;
        }
    }
}

#[cfg(test)]
mod tests;
