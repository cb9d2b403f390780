//! The content of a gzip file, of which only size and digest are asked.

use std::io::{self, Write};

use export_model::Sha256Digest;
use flate2::write::GzDecoder;
use sha2::{Digest as _, Sha256};

use crate::manifest::FileEntry;

/// Content as it is decompressed.
pub(super) struct GzipContent {
    decoder: GzDecoder<Content>,
    failed: Option<String>,
}

impl GzipContent {
    /// Of a file that was signed with `size` bytes of content: more are never decompressed.
    pub(super) fn new(size: u64) -> Self {
        Self {
            decoder: GzDecoder::new(Content {
                sha: Sha256::new(),
                size: 0,
                most: size,
            }),
            failed: None,
        }
    }

    /// Takes the next stored bytes.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while self.failed.is_none() && !bytes.is_empty() {
            match self.decoder.write(bytes) {
                Ok(0) => self.failed = Some("there is more after the gzip member's end".to_owned()),
                Ok(taken) => bytes = bytes.get(taken..).unwrap_or_default(),
                Err(error) => self.failed = Some(told(&error)),
            }
        }
    }

    /// Ends the file; compares it with what was signed.
    pub(super) fn finish(mut self, file: &FileEntry) -> Result<(), String> {
        if let Some(what) = self.failed {
            return Err(what);
        }
        self.decoder.try_finish().map_err(|error| told(&error))?;
        let Content { sha, size, .. } = self.decoder.get_ref();
        let digest = Sha256Digest(sha.clone().finalize().into());
        if *size == file.content_size && digest == file.content_sha256 {
            return Ok(());
        }
        Err(format!(
            "its content has {size} bytes and the digest {digest}; signed were {} and {}",
            file.content_size, file.content_sha256
        ))
    }
}

fn told(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::FileTooLarge {
        return "it has more content than was signed".to_owned();
    }
    format!("it cannot be decompressed: {error}")
}

struct Content {
    sha: Sha256,
    size: u64,
    most: u64,
}

impl Write for Content {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.size += bytes.len() as u64;
        if self.size > self.most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.sha.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::manifest::{Algorithm, CompressionEntry};

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    /// What is found of `stored`, fed in pieces of `piece` bytes, where `content` was signed.
    fn check(stored: &[u8], content: &[u8], piece: usize) -> Result<(), String> {
        let mut checking = GzipContent::new(content.len() as u64);
        for bytes in stored.chunks(piece) {
            checking.feed(bytes);
        }
        checking.finish(&FileEntry {
            path: "payload/db.tar.gz".to_owned(),
            size: stored.len() as u64,
            sha256: Sha256Digest::of(stored),
            content_size: content.len() as u64,
            content_sha256: Sha256Digest::of(content),
            media_type: "x".to_owned(),
            compression: Some(CompressionEntry {
                algorithm: Algorithm::Gzip,
                level: 6,
            }),
            records: None,
            range: None,
            quarantined: None,
        })
    }

    #[test]
    fn content_is_compared_however_it_comes() {
        let content: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let stored = gzip(&content);
        for piece in [1, 7, 4096, stored.len()] {
            check(&stored, &content, piece).unwrap();
        }
        check(&gzip(b""), b"", 3).unwrap();
        let other = check(&stored, &content[1..], 4096).unwrap_err();
        assert!(other.contains("more content than was signed"), "{other}");
        let mut changed = content.clone();
        changed[5] ^= 1;
        let other = check(&gzip(&changed), &content, 4096).unwrap_err();
        assert!(other.contains("signed were"), "{other}");
    }

    #[test]
    fn what_is_no_single_member_is_a_problem() {
        let content = vec![7; 100_000];
        let stored = gzip(&content);
        for cut in [
            0,
            1,
            9,
            10,
            stored.len() / 2,
            stored.len() - 8,
            stored.len() - 1,
        ] {
            check(&stored[..cut], &content, 4096).unwrap_err();
        }
        for more in [&b"x"[..], &stored, &[0; 512]] {
            let twice = [&stored, more].concat();
            for piece in [1, 4096, twice.len()] {
                let what = check(&twice, &content, piece).unwrap_err();
                assert!(what.contains("after the gzip member's end"), "{what}");
            }
        }
        for at in 0..stored.len() {
            let mut damaged = stored.clone();
            damaged[at] ^= 0xFF;
            // Nothing but these bytes of the header says nothing of the content: flags that mean
            // nothing, time, how it was compressed, and on which system.
            let indifferent = (4..10).contains(&at);
            if !indifferent {
                check(&damaged, &content, 4096).unwrap_err();
            }
        }
    }

    #[test]
    fn a_bomb_is_not_unfolded() {
        let bomb = gzip(&vec![0; 50 << 20]);
        let what = check(&bomb, b"small", 4096).unwrap_err();
        assert!(what.contains("more content than was signed"), "{what}");
    }
}
