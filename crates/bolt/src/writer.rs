//! The bulk writer.

use std::io::{Seek, Write};

use crate::branch::Branches;
use crate::error::WriteError;
use crate::format::{MAX_KEY, MAX_VALUE, is_page_size};
use crate::leaf::Leaf;
use crate::pages::Pages;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes in a page: a power of two from 512 to 65536. bbolt takes any of them, on any machine;
    /// 4096 is what it chooses itself on most.
    pub page_size: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { page_size: 4096 }
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Pages, all of them.
    pub pages: u64,
    /// The file's length.
    pub bytes: u64,
    /// Keys that have a value.
    pub keys: u64,
    /// Buckets, at any depth; the root is not counted.
    pub buckets: u64,
}

/// A bucket that is open.
#[derive(Debug, Default)]
struct Frame {
    name: Vec<u8>,
    sequence: u64,
    leaf: Leaf,
    /// The last key, once its leaf is written and no other begun.
    last: Vec<u8>,
    branches: Branches,
    has_buckets: bool,
}

impl Frame {
    fn after_last(&self, key: &[u8]) -> Result<(), WriteError> {
        let last = self.leaf.last_key().unwrap_or(&self.last);
        if key > last {
            Ok(())
        } else {
            Err(WriteError::order(last, key))
        }
    }

    /// Writes the leaf if what comes next does not go into it.
    fn make_room<W: Write + Seek>(
        &mut self,
        length: usize,
        pages: &mut Pages<W>,
    ) -> Result<(), WriteError> {
        if self.leaf.takes(length, pages.page_size()) {
            return Ok(());
        }
        self.last.clear();
        self.last
            .extend_from_slice(self.leaf.last_key().unwrap_or_default());
        self.flush_leaf(pages)
    }

    fn flush_leaf<W: Write + Seek>(&mut self, pages: &mut Pages<W>) -> Result<(), WriteError> {
        let first = self.leaf.first_key().to_vec();
        let page = self.leaf.flush(pages)?;
        self.branches.add(&first, page, pages)
    }

    /// Writes what is left of the bucket; the page of its root.
    fn root<W: Write + Seek>(&mut self, pages: &mut Pages<W>) -> Result<u64, WriteError> {
        if self.branches.is_empty() {
            return self.leaf.flush(pages);
        }
        self.flush_leaf(pages)?;
        self.branches.finish(pages)
    }

    /// As a new one, with its memory.
    fn reset(&mut self, name: &[u8]) {
        self.name.clear();
        self.name.extend_from_slice(name);
        self.sequence = 0;
        self.leaf.clear();
        self.last.clear();
        self.has_buckets = false;
    }
}

/// Writes a database in one pass.
///
/// Buckets and keys come in order: those of a bucket ascend by their bytes, a nested bucket's name
/// among the keys. Memory is one leaf and one branch per level for every open bucket, and a buffer of
/// 1 MiB: it depends on the depth, and on the longest value, not on how many keys there are. Keys and
/// values are copied once, into the leaf; nothing is allocated for them.
///
/// The sink has to be empty. Until [`Writer::finish`] has returned, what it holds is no database, and
/// no reader will take it for one. Making it durable, and giving it its name, is the caller's.
#[derive(Debug)]
pub struct Writer<W> {
    pages: Pages<W>,
    /// The root, and what is open in it; behind that, frames to be used again.
    frames: Vec<Frame>,
    depth: usize,
    keys: u64,
    buckets: u64,
}

impl<W: Write + Seek> Writer<W> {
    /// A database without anything in it.
    ///
    /// # Errors
    /// [`WriteError::PageSize`].
    pub fn new(sink: W, options: Options) -> Result<Self, WriteError> {
        if !is_page_size(options.page_size) {
            return Err(WriteError::PageSize(options.page_size));
        }
        Ok(Self {
            pages: Pages::new(sink, options.page_size),
            frames: vec![Frame::default()],
            depth: 0,
            keys: 0,
            buckets: 0,
        })
    }

    /// Opens a bucket in the bucket that is open, or in the root. What follows goes into it.
    ///
    /// # Errors
    /// [`WriteError::EmptyKey`], [`WriteError::LongKey`] and [`WriteError::Order`] for its name.
    pub fn bucket(&mut self, name: &[u8]) -> Result<(), WriteError> {
        check_key(name)?;
        self.frames[self.depth].after_last(name)?;
        self.depth += 1;
        match self.frames.get_mut(self.depth) {
            Some(frame) => frame.reset(name),
            None => self.frames.push(Frame {
                name: name.to_vec(),
                ..Frame::default()
            }),
        }
        Ok(())
    }

    /// Sets the number that bbolt's `Bucket.NextSequence` counts on from; it is 0 otherwise.
    ///
    /// # Errors
    /// [`WriteError::NoBucket`]: the root has none.
    pub fn set_sequence(&mut self, sequence: u64) -> Result<(), WriteError> {
        if self.depth == 0 {
            return Err(WriteError::NoBucket);
        }
        self.frames[self.depth].sequence = sequence;
        Ok(())
    }

    /// Puts a key into the bucket that is open.
    ///
    /// # Errors
    /// [`WriteError::KeyInRoot`]; [`WriteError::EmptyKey`], [`WriteError::LongKey`] and
    /// [`WriteError::Order`] for the key; [`WriteError::LongValue`]; [`WriteError::Io`].
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), WriteError> {
        if self.depth == 0 {
            return Err(WriteError::KeyInRoot);
        }
        check_key(key)?;
        if value.len() > MAX_VALUE {
            return Err(WriteError::LongValue(value.len()));
        }
        let frame = &mut self.frames[self.depth];
        frame.after_last(key)?;
        frame.make_room(key.len() + value.len(), &mut self.pages)?;
        frame.leaf.push(key, value);
        self.keys += 1;
        Ok(())
    }

    /// Ends the bucket that is open. What follows goes into the one that it is in.
    ///
    /// # Errors
    /// [`WriteError::NoBucket`]; [`WriteError::Io`].
    pub fn leave(&mut self) -> Result<(), WriteError> {
        if self.depth == 0 {
            return Err(WriteError::NoBucket);
        }
        let (outer, inner) = self.frames.split_at_mut(self.depth);
        let (Some(parent), Some(child)) = (outer.last_mut(), inner.first_mut()) else {
            return Err(WriteError::NoBucket);
        };
        let pages = &mut self.pages;
        let length = child.leaf.size();
        // bbolt's own rule for what it writes; it reads larger ones as well.
        if child.branches.is_empty() && !child.has_buckets && length <= pages.page_size() / 4 {
            parent.make_room(child.name.len() + crate::format::BUCKET + length, pages)?;
            parent
                .leaf
                .push_inline(&child.name, child.sequence, &child.leaf);
        } else {
            let root = child.root(pages)?;
            parent.make_room(child.name.len() + crate::format::BUCKET, pages)?;
            parent.leaf.push_bucket(&child.name, root, child.sequence);
        }
        parent.has_buckets = true;
        self.depth -= 1;
        self.buckets += 1;
        Ok(())
    }

    /// Ends the file; what was written, and the sink. The sink is flushed, not synchronised.
    ///
    /// # Errors
    /// [`WriteError::OpenBuckets`]; [`WriteError::Io`].
    pub fn finish(mut self) -> Result<(Summary, W), WriteError> {
        if self.depth > 0 {
            return Err(WriteError::OpenBuckets(self.depth));
        }
        let page_size = self.pages.page_size() as u64;
        let root = self.frames[0].root(&mut self.pages)?;
        let (pages, sink) = self.pages.finish(root)?;
        let summary = Summary {
            pages,
            bytes: pages * page_size,
            keys: self.keys,
            buckets: self.buckets,
        };
        Ok((summary, sink))
    }
}

fn check_key(key: &[u8]) -> Result<(), WriteError> {
    match key.len() {
        0 => Err(WriteError::EmptyKey),
        1..=MAX_KEY => Ok(()),
        length => Err(WriteError::LongKey(length)),
    }
}
