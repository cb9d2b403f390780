//! Pages on their way to the file, in the order of their numbers.

use std::io::{self, Seek, SeekFrom, Write};

use crate::error::WriteError;
use crate::format::{FREELIST, HEADER, META_PAGE, Meta, PageHeader};

/// Fewer system calls, and still in the processor's cache.
const BUFFER: usize = 1 << 20;
/// bbolt reads 4096 bytes at once to find the size of the pages, and takes no file that has fewer.
const SHORTEST: u64 = 4096;
/// Two meta pages and the freelist.
const RESERVED: u64 = 3;

/// Pages that are written one after the other. The first three come last: until they are there, no
/// reader takes the file for a database.
#[derive(Debug)]
pub(crate) struct Pages<W> {
    sink: W,
    page_size: usize,
    buffer: Vec<u8>,
    /// The first page that is in the buffer, for messages.
    buffered: u64,
    next: u64,
    /// A write failed: pages are missing, and no meta page may say otherwise.
    failed: bool,
}

impl<W: Write + Seek> Pages<W> {
    pub(crate) fn new(sink: W, page_size: u32) -> Self {
        let page_size = page_size as usize;
        let reserved = RESERVED as usize * page_size;
        let mut buffer = Vec::with_capacity(BUFFER + page_size);
        buffer.resize(reserved, 0);
        Self {
            sink,
            page_size,
            buffer,
            buffered: 0,
            next: RESERVED,
            failed: false,
        }
    }

    pub(crate) fn page_size(&self) -> usize {
        self.page_size
    }

    /// Writes a page of `count` elements, and as many more as it needs; its number.
    pub(crate) fn write(
        &mut self,
        flags: u16,
        count: usize,
        elements: impl Iterator<Item = [u8; 16]>,
        data: &[u8],
    ) -> Result<u64, WriteError> {
        self.check()?;
        let id = self.next;
        let size = HEADER + count * 16 + data.len();
        let pages = size.div_ceil(self.page_size);
        self.buffer
            .extend_from_slice(&header(id, flags, count, pages));
        for element in elements {
            self.buffer.extend_from_slice(&element);
        }
        if data.len() < BUFFER {
            self.buffer.extend_from_slice(data);
        } else {
            self.flush()?;
            let written = self.sink.write_all(data);
            self.settle(written)?;
        }
        self.buffer
            .resize(self.buffer.len() + pages * self.page_size - size, 0);
        self.next += pages as u64;
        if self.buffer.len() >= BUFFER {
            self.flush()?;
        }
        Ok(id)
    }

    /// Ends the file: `root` is the page of the root bucket. How many pages it has.
    pub(crate) fn finish(mut self, root: u64) -> Result<(u64, W), WriteError> {
        self.check()?;
        // What is missing to the shortest file are free pages, so that every page is accounted for.
        let used = self.next;
        while self.next * (self.page_size as u64) < SHORTEST {
            self.buffer.resize(self.buffer.len() + self.page_size, 0);
            self.next += 1;
        }
        self.flush()?;
        let mut first = Vec::with_capacity(RESERVED as usize * self.page_size);
        for txid in 0..2 {
            let meta = Meta {
                page_size: self.page_size as u32,
                root,
                sequence: 0,
                freelist: 2,
                high_water: self.next,
                txid,
            };
            first.extend_from_slice(&header(txid, META_PAGE, 0, 1));
            first.extend_from_slice(&meta.encode());
            first.resize((txid as usize + 1) * self.page_size, 0);
        }
        first.extend_from_slice(&header(2, FREELIST, (self.next - used) as usize, 1));
        for page in used..self.next {
            first.extend_from_slice(&page.to_le_bytes());
        }
        first.resize(RESERVED as usize * self.page_size, 0);
        self.buffered = 0;
        let written = self
            .sink
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.sink.write_all(&first))
            .and_then(|()| self.sink.flush());
        self.settle(written)?;
        Ok((self.next, self.sink))
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        let written = self.sink.write_all(&self.buffer);
        self.settle(written)?;
        self.buffer.clear();
        self.buffered = self.next;
        Ok(())
    }

    fn check(&self) -> Result<(), WriteError> {
        if self.failed {
            return Err(self.error(io::Error::other("a write before this one failed")));
        }
        Ok(())
    }

    fn settle(&mut self, written: io::Result<()>) -> Result<(), WriteError> {
        self.failed |= written.is_err();
        written.map_err(|source| self.error(source))
    }

    fn error(&self, source: io::Error) -> WriteError {
        WriteError::Io {
            page: self.buffered,
            source,
        }
    }
}

fn header(id: u64, flags: u16, count: usize, pages: usize) -> [u8; HEADER] {
    PageHeader {
        id,
        flags,
        count: count as u16,
        overflow: (pages - 1) as u32,
    }
    .encode()
}
