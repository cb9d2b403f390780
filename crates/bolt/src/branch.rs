//! Branches, from the leaves up: a level is what refers to the pages of the level below.

use std::io::{Seek, Write};

use crate::error::WriteError;
use crate::format::{BRANCH, ELEMENT, HEADER};
use crate::pages::Pages;

#[derive(Clone, Copy, Debug)]
struct Child {
    key: u32,
    page: u64,
}

/// The branch of one level that is being filled.
///
/// A branch of one child is of no use, and bbolt panics when it deletes below one. So the child that no
/// longer fits stays with its branch until there is another to go with it.
#[derive(Debug, Default)]
struct Level {
    children: Vec<Child>,
    keys: Vec<u8>,
    /// The last child does not fit.
    over: bool,
}

impl Level {
    fn push(&mut self, key: &[u8], page: u64, page_size: usize) {
        self.children.push(Child {
            key: key.len() as u32,
            page,
        });
        self.keys.extend_from_slice(key);
        let size = HEADER + self.children.len() * ELEMENT + self.keys.len();
        // Two at least, however long their keys are: else the levels would never end.
        self.over = size > page_size && self.children.len() > 2;
    }

    /// Writes the first `count` children as a branch; its first key, and its page.
    fn flush<W: Write + Seek>(
        &mut self,
        count: usize,
        pages: &mut Pages<W>,
    ) -> Result<(Vec<u8>, u64), WriteError> {
        let children = &self.children[..count];
        let length = children.iter().map(|child| child.key as usize).sum();
        let mut position = (count * ELEMENT) as u32;
        let elements = children.iter().map(|child| {
            let mut bytes = [0; ELEMENT];
            bytes[..4].copy_from_slice(&position.to_le_bytes());
            bytes[4..8].copy_from_slice(&child.key.to_le_bytes());
            bytes[8..].copy_from_slice(&child.page.to_le_bytes());
            position = position + child.key - ELEMENT as u32;
            bytes
        });
        let page = pages.write(BRANCH, count, elements, &self.keys[..length])?;
        let first = children.first().map_or(0, |child| child.key as usize);
        let first = self.keys[..first].to_vec();
        self.children.drain(..count);
        self.keys.drain(..length);
        self.over = false;
        Ok((first, page))
    }
}

/// The branches of a bucket.
#[derive(Debug, Default)]
pub(crate) struct Branches {
    levels: Vec<Level>,
}

impl Branches {
    /// Whether no leaf has been written.
    pub(crate) fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// A leaf was written.
    pub(crate) fn add<W: Write + Seek>(
        &mut self,
        key: &[u8],
        page: u64,
        pages: &mut Pages<W>,
    ) -> Result<(), WriteError> {
        self.add_at(0, key, page, pages)
    }

    fn add_at<W: Write + Seek>(
        &mut self,
        at: usize,
        key: &[u8],
        page: u64,
        pages: &mut Pages<W>,
    ) -> Result<(), WriteError> {
        if self.levels.len() == at {
            self.levels.push(Level::default());
        }
        let level = &mut self.levels[at];
        if !level.over {
            level.push(key, page, pages.page_size());
            return Ok(());
        }
        let (first, branch) = level.flush(level.children.len() - 1, pages)?;
        level.push(key, page, pages.page_size());
        self.add_at(at + 1, &first, branch, pages)
    }

    /// Every leaf was written; the root's page. There are none afterwards.
    pub(crate) fn finish<W: Write + Seek>(
        &mut self,
        pages: &mut Pages<W>,
    ) -> Result<u64, WriteError> {
        let mut at = 0;
        loop {
            let top = self.levels.len() == at + 1;
            let level = &mut self.levels[at];
            if let (true, [only]) = (top, level.children.as_slice()) {
                let root = only.page;
                self.levels.clear();
                return Ok(root);
            }
            // Three that are too long for a page stay together; else the last two make a page.
            if level.over && level.children.len() > 3 {
                let (first, branch) = level.flush(level.children.len() - 2, pages)?;
                self.add_at(at + 1, &first, branch, pages)?;
            }
            let level = &mut self.levels[at];
            let (first, branch) = level.flush(level.children.len(), pages)?;
            self.add_at(at + 1, &first, branch, pages)?;
            at += 1;
        }
    }
}
