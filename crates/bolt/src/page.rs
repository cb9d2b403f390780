//! A page that was read, all of it checked before anything of it is used.

use std::ops::Range;
use std::sync::Arc;

use crate::error::PageFault;
use crate::format::{
    BRANCH, BUCKET, BUCKET_FLAG, ELEMENT, HEADER, LEAF, PageHeader, u32_at, u64_at,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Branch,
    Leaf,
}

/// A branch or a leaf, with its overflow; or a leaf that lies in the value of a bucket. Clones share
/// the bytes.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    bytes: Arc<Vec<u8>>,
    /// Where the page begins in the bytes.
    start: usize,
    id: u64,
    kind: Kind,
    count: usize,
}

/// The root of a bucket.
#[derive(Clone, Debug)]
pub(crate) enum Root {
    Page(u64),
    Inline(Page),
}

impl Page {
    /// Page `id` of a file, whose bytes these are: with its overflow, and no more.
    pub(crate) fn parse(bytes: Vec<u8>, id: u64) -> Result<Self, PageFault> {
        let end = bytes.len();
        Self::parse_at(Arc::new(bytes), 0..end, id, id)
    }

    /// `says` is the number that the page has to have, `id` is what messages call it.
    fn parse_at(
        bytes: Arc<Vec<u8>>,
        range: Range<usize>,
        id: u64,
        says: u64,
    ) -> Result<Self, PageFault> {
        let Some(image) = bytes.get(range.clone()) else {
            return Err(PageFault::Count(0));
        };
        let Some(header) = PageHeader::decode(image) else {
            return Err(PageFault::Count(0));
        };
        if header.id != says {
            return Err(PageFault::WrongId(header.id));
        }
        let kind = match header.flags {
            BRANCH => Kind::Branch,
            LEAF => Kind::Leaf,
            other => return Err(PageFault::Kind(other)),
        };
        let count = usize::from(header.count);
        // An empty leaf is the root of an empty bucket. An empty branch leads nowhere.
        if HEADER + count * ELEMENT > image.len() || (kind == Kind::Branch && count == 0) {
            return Err(PageFault::Count(count as u64));
        }
        let page = Self {
            bytes,
            start: range.start,
            id,
            kind,
            count,
        };
        page.check_elements(range.end)?;
        Ok(page)
    }

    /// Keys and values lie one behind the other, as bbolt writes them. That they may not overlap keeps
    /// a small file from having a large content.
    fn check_elements(&self, end: usize) -> Result<(), PageFault> {
        let mut free = self.start + HEADER + self.count * ELEMENT;
        for index in 0..self.count {
            let (key, value) = self.ranges(index).ok_or(PageFault::Element(index))?;
            if key.start < free || value.end > end {
                return Err(PageFault::Element(index));
            }
            if key.is_empty() {
                return Err(PageFault::EmptyKey(index));
            }
            free = value.end;
        }
        Ok(())
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn key(&self, index: usize) -> &[u8] {
        let (key, _) = self.ranges(index).unwrap_or_default();
        self.bytes.get(key).unwrap_or_default()
    }

    pub(crate) fn value(&self, index: usize) -> &[u8] {
        let (_, value) = self.ranges(index).unwrap_or_default();
        self.bytes.get(value).unwrap_or_default()
    }

    /// Of a branch: the page that an element leads to.
    pub(crate) fn child(&self, index: usize) -> u64 {
        u64_at(&self.bytes, self.element(index) + 8).unwrap_or_default()
    }

    /// Of a leaf: whether an element is a bucket.
    pub(crate) fn is_bucket(&self, index: usize) -> bool {
        u32_at(&self.bytes, self.element(index)).is_some_and(|flags| flags & BUCKET_FLAG != 0)
    }

    /// The bucket in an element of a leaf: its root and its sequence.
    pub(crate) fn bucket(&self, index: usize) -> Result<(Root, u64), PageFault> {
        let fault = PageFault::Bucket(index);
        let (_, value) = self.ranges(index).ok_or(fault)?;
        let header = self.bytes.get(value.clone()).ok_or(fault)?;
        let (Some(root), Some(sequence)) = (u64_at(header, 0), u64_at(header, 8)) else {
            return Err(fault);
        };
        if root != 0 {
            return Ok((Root::Page(root), sequence));
        }
        let page = Self::parse_at(
            Arc::clone(&self.bytes),
            value.start + BUCKET..value.end,
            self.id,
            0,
        )
        .map_err(|_| fault)?;
        let nested = (0..page.count).any(|index| page.is_bucket(index));
        if page.kind == Kind::Branch || nested {
            return Err(fault);
        }
        Ok((Root::Inline(page), sequence))
    }

    /// The first element whose key is not below `key`.
    pub(crate) fn lower_bound(&self, key: &[u8]) -> usize {
        let mut low = 0;
        let mut high = self.count;
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.key(middle) < key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn element(&self, index: usize) -> usize {
        self.start + HEADER + index * ELEMENT
    }

    /// Where in the bytes an element's key and value are; a branch's have no value.
    fn ranges(&self, index: usize) -> Option<(Range<usize>, Range<usize>)> {
        let element = self.element(index);
        let number = |at| u32_at(&self.bytes, element + at).map(|number| number as usize);
        let (position, key, value) = match self.kind {
            Kind::Branch => (number(0)?, number(4)?, 0),
            Kind::Leaf => (number(4)?, number(8)?, number(12)?),
        };
        let start = element.checked_add(position)?;
        let middle = start.checked_add(key)?;
        Some((start..middle, middle..middle.checked_add(value)?))
    }
}
