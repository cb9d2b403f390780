//! A leaf that is being filled.

use std::io::{Seek, Write};

use crate::error::WriteError;
use crate::format::{BUCKET, BUCKET_FLAG, ELEMENT, HEADER, LEAF, PageHeader};
use crate::pages::Pages;

/// A leaf of as many pages takes only what still fits. So it never has more elements than can be counted
/// in 16 bits: five of the largest pages have room for 19,275.
const SPAN: usize = 4;

#[derive(Clone, Copy, Debug)]
struct Element {
    flags: u32,
    key: u32,
    value: u32,
}

/// Keys and values in the order in which the page will have them.
#[derive(Debug, Default)]
pub(crate) struct Leaf {
    elements: Vec<Element>,
    data: Vec<u8>,
}

impl Leaf {
    /// Of its image, in bytes.
    pub(crate) fn size(&self) -> usize {
        HEADER + self.elements.len() * ELEMENT + self.data.len()
    }

    pub(crate) fn first_key(&self) -> &[u8] {
        let length = self.elements.first().map_or(0, |first| first.key as usize);
        &self.data[..length]
    }

    pub(crate) fn last_key(&self) -> Option<&[u8]> {
        let last = self.elements.last()?;
        let value = self.data.len() - last.value as usize;
        Some(&self.data[value - last.key as usize..value])
    }

    /// Whether an element whose key and value have `length` bytes is to go into this leaf, or into the
    /// next.
    ///
    /// It goes into this one if that costs no page. If it costs one, it depends on what would stay
    /// empty: little, and the leaf is full. Much, as with elements that are nearly as large as a page,
    /// and the leaf goes on over a few pages, where the loss is shared by all of them.
    pub(crate) fn takes(&self, length: usize, page_size: usize) -> bool {
        if self.elements.is_empty() {
            return true;
        }
        let size = self.size();
        let pages = size.div_ceil(page_size);
        let room = pages * page_size - size;
        ELEMENT + length <= room || (room > page_size / 16 && pages < SPAN)
    }

    pub(crate) fn push(&mut self, key: &[u8], value: &[u8]) {
        self.push_element(0, key, value.len());
        self.data.extend_from_slice(value);
    }

    /// A bucket that has pages of its own.
    pub(crate) fn push_bucket(&mut self, name: &[u8], root: u64, sequence: u64) {
        self.push_element(BUCKET_FLAG, name, BUCKET);
        self.data.extend_from_slice(&root.to_le_bytes());
        self.data.extend_from_slice(&sequence.to_le_bytes());
    }

    /// A bucket that is so small that its only leaf is part of its value.
    pub(crate) fn push_inline(&mut self, name: &[u8], sequence: u64, leaf: &Self) {
        self.push_element(BUCKET_FLAG, name, BUCKET + leaf.size());
        self.data.extend_from_slice(&0_u64.to_le_bytes());
        self.data.extend_from_slice(&sequence.to_le_bytes());
        let header = PageHeader {
            id: 0,
            flags: LEAF,
            count: leaf.elements.len() as u16,
            overflow: 0,
        };
        self.data.extend_from_slice(&header.encode());
        for element in leaf.encoded() {
            self.data.extend_from_slice(&element);
        }
        self.data.extend_from_slice(&leaf.data);
    }

    /// Writes it, and is empty; its page.
    pub(crate) fn flush<W: Write + Seek>(
        &mut self,
        pages: &mut Pages<W>,
    ) -> Result<u64, WriteError> {
        let page = pages.write(LEAF, self.elements.len(), self.encoded(), &self.data)?;
        self.clear();
        Ok(page)
    }

    pub(crate) fn clear(&mut self) {
        self.elements.clear();
        self.data.clear();
    }

    fn push_element(&mut self, flags: u32, key: &[u8], value: usize) {
        self.elements.push(Element {
            flags,
            key: key.len() as u32,
            value: value as u32,
        });
        self.data.extend_from_slice(key);
    }

    fn encoded(&self) -> impl Iterator<Item = [u8; ELEMENT]> {
        // From the element's own beginning to its key, past the elements that follow it.
        let mut position = (self.elements.len() * ELEMENT) as u32;
        self.elements.iter().map(move |element| {
            let mut bytes = [0; ELEMENT];
            bytes[..4].copy_from_slice(&element.flags.to_le_bytes());
            bytes[4..8].copy_from_slice(&position.to_le_bytes());
            bytes[8..12].copy_from_slice(&element.key.to_le_bytes());
            bytes[12..].copy_from_slice(&element.value.to_le_bytes());
            position = position + element.key + element.value - ELEMENT as u32;
            bytes
        })
    }
}
