//! What the bytes of a file mean (bbolt `internal/common`: `page.go`, `meta.go`, `bucket.go`). Every
//! number is little endian.

use crate::error::MetaFault;

/// The longest key, and name of a bucket, in bytes (bbolt `MaxKeySize`).
pub const MAX_KEY: usize = 32_768;
/// The longest value, in bytes (bbolt `MaxValueSize`).
pub const MAX_VALUE: usize = (1 << 31) - 2;

/// Of every page, before its elements.
pub(crate) const HEADER: usize = 16;
/// Of a leaf's or a branch's element, before the keys and values.
pub(crate) const ELEMENT: usize = 16;
/// Of a bucket's value: the page of its root, its sequence.
pub(crate) const BUCKET: usize = 16;
/// Of what a meta page holds after its header.
pub(crate) const META: usize = 64;
/// The element is a bucket.
pub(crate) const BUCKET_FLAG: u32 = 1;
/// In place of the freelist's page: none was written, bbolt finds the free pages itself.
pub(crate) const NO_FREELIST: u64 = u64::MAX;

pub(crate) const BRANCH: u16 = 0x01;
pub(crate) const LEAF: u16 = 0x02;
pub(crate) const META_PAGE: u16 = 0x04;
pub(crate) const FREELIST: u16 = 0x10;

const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;

/// Whether pages may be of this many bytes.
pub(crate) fn is_page_size(size: u32) -> bool {
    size.is_power_of_two() && (512..=65_536).contains(&size)
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u16::from_le_bytes)
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u32::from_le_bytes)
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u64::from_le_bytes)
}

/// The first bytes of a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageHeader {
    pub(crate) id: u64,
    pub(crate) flags: u16,
    pub(crate) count: u16,
    /// How many pages follow that belong to this one.
    pub(crate) overflow: u32,
}

impl PageHeader {
    pub(crate) fn encode(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&self.id.to_le_bytes());
        bytes[8..10].copy_from_slice(&self.flags.to_le_bytes());
        bytes[10..12].copy_from_slice(&self.count.to_le_bytes());
        bytes[12..].copy_from_slice(&self.overflow.to_le_bytes());
        bytes
    }

    /// `None` if there are fewer than 16 bytes.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            id: u64_at(bytes, 0)?,
            flags: u16_at(bytes, 8)?,
            count: u16_at(bytes, 10)?,
            overflow: u32_at(bytes, 12)?,
        })
    }
}

/// What a meta page says of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) page_size: u32,
    /// The page of the root bucket's root.
    pub(crate) root: u64,
    pub(crate) sequence: u64,
    /// A page, or [`NO_FREELIST`].
    pub(crate) freelist: u64,
    /// The first page that is not part of the database.
    pub(crate) high_water: u64,
    pub(crate) txid: u64,
}

impl Meta {
    pub(crate) fn encode(self) -> [u8; META] {
        let mut bytes = [0; META];
        bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[4..8].copy_from_slice(&VERSION.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.page_size.to_le_bytes());
        // Four bytes of flags that nobody uses.
        bytes[16..24].copy_from_slice(&self.root.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.freelist.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.high_water.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.txid.to_le_bytes());
        let sum = fnv1a(&bytes[..56]);
        bytes[56..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Of the bytes behind a meta page's header.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, MetaFault> {
        let (Some(content), Some(sum)) = (bytes.get(..56), u64_at(bytes, 56)) else {
            return Err(MetaFault::Short);
        };
        let long = |at| u64_at(content, at).ok_or(MetaFault::Short);
        if u32_at(content, 0) != Some(MAGIC) {
            return Err(MetaFault::Magic);
        }
        match u32_at(content, 4) {
            Some(VERSION) => {}
            other => return Err(MetaFault::Version(other.unwrap_or_default())),
        }
        if fnv1a(content) != sum {
            return Err(MetaFault::Checksum);
        }
        let page_size = u32_at(content, 8).unwrap_or_default();
        if !is_page_size(page_size) {
            return Err(MetaFault::PageSize(page_size));
        }
        Ok(Self {
            page_size,
            root: long(16)?,
            sequence: long(24)?,
            freelist: long(32)?,
            high_water: long(40)?,
            txid: long(48)?,
        })
    }
}

/// FNV-1a of 64 bits.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vectors_of_fnv1a() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_meta_is_read_as_it_was_written_and_not_with_a_bit_changed() {
        let meta = Meta {
            page_size: 4096,
            root: 3,
            sequence: 7,
            freelist: 2,
            high_water: 4,
            txid: 1,
        };
        let bytes = meta.encode();
        assert_eq!(Meta::decode(&bytes), Ok(meta));
        for bit in 0..META * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Meta::decode(&damaged).is_err(), "bit {bit}");
        }
        assert_eq!(Meta::decode(&bytes[..63]), Err(MetaFault::Short));
    }
}
