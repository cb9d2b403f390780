//! The 100 bytes before the chunks.

use crate::OpenErrorKind;

/// What every file of this version begins with.
pub(crate) const MAGIC: &[u8; 24] = b"export-center/sealed/v1\n";

/// Bytes of a header.
pub(crate) const HEADER_BYTES: usize = 100;

/// AES-256-GCM with nonces of prefix, number and mark.
const ALGORITHM: u8 = 1;

/// Chunk sizes that are read. What reading takes is bounded by the largest.
const SMALLEST_CHUNK: usize = 1 << 12;
const LARGEST_CHUNK: usize = 1 << 20;

/// A header that is well formed. Nothing in it is known to be authentic.
pub(crate) struct Header {
    pub(crate) chunk_bytes: usize,
    pub(crate) salt: [u8; 32],
    pub(crate) prefix: [u8; 7],
    pub(crate) commitment: [u8; 32],
}

impl Header {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let chunk_bytes = u32::try_from(self.chunk_bytes).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.push(ALGORITHM);
        bytes.extend_from_slice(&chunk_bytes.to_be_bytes());
        bytes.extend_from_slice(&self.salt);
        bytes.extend_from_slice(&self.prefix);
        bytes.extend_from_slice(&self.commitment);
        bytes
    }

    pub(crate) fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Self, OpenErrorKind> {
        let bad = |reason| OpenErrorKind::BadHeader { reason };
        let rest = bytes
            .strip_prefix(MAGIC)
            .ok_or(bad("it has no first line"))?;
        let ([algorithm], rest) = take(rest)?;
        let (chunk_bytes, rest) = take::<4>(rest)?;
        let (salt, rest) = take(rest)?;
        let (prefix, rest) = take(rest)?;
        let (commitment, _) = take(rest)?;
        if algorithm != ALGORITHM {
            return Err(bad("its algorithm is unknown"));
        }
        let chunk_bytes = u32::from_be_bytes(chunk_bytes) as usize;
        if !chunk_bytes.is_power_of_two()
            || !(SMALLEST_CHUNK..=LARGEST_CHUNK).contains(&chunk_bytes)
        {
            return Err(bad(
                "its chunk size is no power of 2 between 4 KiB and 1 MiB",
            ));
        }
        Ok(Self {
            chunk_bytes,
            salt,
            prefix,
            commitment,
        })
    }
}

fn take<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), OpenErrorKind> {
    bytes
        .split_first_chunk()
        .map(|(first, rest)| (*first, rest))
        .ok_or(OpenErrorKind::BadHeader {
            reason: "it is too short",
        })
}
