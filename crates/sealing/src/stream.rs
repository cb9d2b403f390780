//! Chunks, sealed one by one (the STREAM construction, <https://eprint.iacr.org/2015/189>).
//!
//! A chunk's nonce holds its number and whether it is the last, so a chunk that was moved, left out
//! or repeated does not open, and neither does a file that was cut or grew. Every chunk but the
//! last has the full size, and the last is empty only where the whole file is.

use aws_lc_rs::aead::{Aad, LessSafeKey, MAX_TAG_LEN, NONCE_LEN, Nonce, UnboundKey};

use crate::error::{OpenErrorKind, SealError};

/// Bytes that a chunk grows by. The tags of both ciphers have this length.
pub(crate) const TAG_BYTES: usize = MAX_TAG_LEN;

/// How a chunk's nonce is made.
#[derive(Clone, Copy)]
pub(crate) enum Nonces {
    /// The number in 11 bytes, big-endian, and the mark of the last: each file has a key of its own.
    Counter,
    /// A prefix of the file, the number in 4 bytes, big-endian, and the mark of the last.
    Prefixed([u8; 7]),
}

impl Nonces {
    /// The nonce of a chunk, unless the file is longer than the format allows.
    fn of(self, chunk: u64, last: bool) -> Option<Nonce> {
        let mut nonce = [0; NONCE_LEN];
        match self {
            Self::Counter => nonce[3..11].copy_from_slice(&chunk.to_be_bytes()),
            Self::Prefixed(prefix) => {
                nonce[..7].copy_from_slice(&prefix);
                nonce[7..11].copy_from_slice(&u32::try_from(chunk).ok()?.to_be_bytes());
            }
        }
        nonce[11] = u8::from(last);
        Some(Nonce::assume_unique_for_key(nonce))
    }
}

/// A file's key, and what else its chunks depend on.
pub(crate) struct Cipher {
    key: LessSafeKey,
    nonces: Nonces,
    /// Authenticated with every chunk.
    associated: Vec<u8>,
    /// Bytes of plaintext in every chunk but the last.
    chunk_bytes: usize,
}

impl Cipher {
    pub(crate) fn new(
        key: UnboundKey,
        nonces: Nonces,
        associated: Vec<u8>,
        chunk_bytes: usize,
    ) -> Self {
        Self {
            key: LessSafeKey::new(key),
            nonces,
            associated,
            chunk_bytes,
        }
    }

    fn seal(
        &self,
        chunk: u64,
        last: bool,
        plain: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        let nonce = self.nonces.of(chunk, last).ok_or(SealError::TooLong)?;
        let start = out.len();
        out.reserve(plain.len() + TAG_BYTES);
        out.extend_from_slice(plain);
        let associated = Aad::from(&self.associated);
        match self
            .key
            .seal_in_place_separate_tag(nonce, associated, &mut out[start..])
        {
            Ok(tag) => {
                out.extend_from_slice(tag.as_ref());
                Ok(())
            }
            Err(_) => {
                // What may still be plaintext.
                out.truncate(start);
                Err(SealError::Library {
                    doing: "encrypt a chunk",
                })
            }
        }
    }

    /// Opens a chunk to the end of `out`; whether it is authentic. If it is not, `out` is what it was.
    fn open(&self, chunk: u64, last: bool, sealed: &[u8], out: &mut Vec<u8>) -> bool {
        let Some(nonce) = self.nonces.of(chunk, last) else {
            return false;
        };
        if sealed.len() < TAG_BYTES {
            return false;
        }
        let start = out.len();
        out.extend_from_slice(sealed);
        let associated = Aad::from(&self.associated);
        let opened = self
            .key
            .open_in_place(nonce, associated, &mut out[start..])
            .map(|plain| plain.len());
        match opened {
            Ok(length) => out.truncate(start + length),
            Err(_) => {
                out[start..].fill(0);
                out.truncate(start);
            }
        }
        opened.is_ok()
    }
}

/// Seals what is pushed.
pub(crate) struct SealStream {
    cipher: Cipher,
    chunk: u64,
    /// At most one chunk: which is the last is not known before the end.
    pending: Vec<u8>,
}

impl SealStream {
    pub(crate) fn new(cipher: Cipher) -> Self {
        Self {
            cipher,
            chunk: 0,
            pending: Vec::new(),
        }
    }

    pub(crate) fn update(&mut self, mut plain: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        let full = self.cipher.chunk_bytes;
        if !self.pending.is_empty() {
            let (now, later) = plain.split_at(plain.len().min(full - self.pending.len()));
            self.pending.extend_from_slice(now);
            if later.is_empty() {
                return Ok(());
            }
            self.cipher.seal(self.chunk, false, &self.pending, out)?;
            self.chunk += 1;
            self.pending.clear();
            plain = later;
        }
        while plain.len() > full {
            let (now, later) = plain.split_at(full);
            self.cipher.seal(self.chunk, false, now, out)?;
            self.chunk += 1;
            plain = later;
        }
        self.pending.extend_from_slice(plain);
        Ok(())
    }

    pub(crate) fn finish(self, out: &mut Vec<u8>) -> Result<(), SealError> {
        self.cipher.seal(self.chunk, true, &self.pending, out)
    }
}

/// Opens what is pushed.
pub(crate) struct OpenStream {
    cipher: Cipher,
    chunk: u64,
    /// At most one sealed chunk: which is the last is not known before the end.
    pending: Vec<u8>,
}

impl OpenStream {
    pub(crate) fn new(cipher: Cipher) -> Self {
        Self {
            cipher,
            chunk: 0,
            pending: Vec::new(),
        }
    }

    /// Gives the plaintext of every chunk that `sealed` completes, once it is checked.
    pub(crate) fn update(
        &mut self,
        mut sealed: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), OpenErrorKind> {
        let full = self.cipher.chunk_bytes + TAG_BYTES;
        if !self.pending.is_empty() {
            let (now, later) = sealed.split_at(sealed.len().min(full - self.pending.len()));
            self.pending.extend_from_slice(now);
            if later.is_empty() {
                return Ok(());
            }
            let pending = std::mem::take(&mut self.pending);
            self.middle(&pending, out)?;
            self.pending = pending;
            self.pending.clear();
            sealed = later;
        }
        while sealed.len() > full {
            let (now, later) = sealed.split_at(full);
            self.middle(now, out)?;
            sealed = later;
        }
        self.pending.extend_from_slice(sealed);
        Ok(())
    }

    /// Opens a chunk that others follow.
    fn middle(&mut self, sealed: &[u8], out: &mut Vec<u8>) -> Result<(), OpenErrorKind> {
        let chunk = self.chunk;
        if self.cipher.open(chunk, false, sealed, out) {
            self.chunk += 1;
            return Ok(());
        }
        // Only to say what is wrong: nothing of it is given out.
        Err(if self.cipher.open(chunk, true, sealed, &mut Vec::new()) {
            OpenErrorKind::Appended { chunk }
        } else {
            OpenErrorKind::Altered { chunk }
        })
    }

    /// Opens the last chunk.
    pub(crate) fn finish(self, out: &mut Vec<u8>) -> Result<(), OpenErrorKind> {
        let Self {
            cipher,
            chunk,
            pending,
        } = self;
        if pending.len() < TAG_BYTES {
            return Err(OpenErrorKind::Cut { chunk });
        }
        let is_empty_after_others = pending.len() == TAG_BYTES && chunk > 0;
        if !is_empty_after_others && cipher.open(chunk, true, &pending, out) {
            return Ok(());
        }
        let is_whole = pending.len() == cipher.chunk_bytes + TAG_BYTES;
        Err(
            if is_whole && cipher.open(chunk, false, &pending, &mut Vec::new()) {
                OpenErrorKind::Cut { chunk }
            } else {
                OpenErrorKind::Altered { chunk }
            },
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use aws_lc_rs::aead::AES_256_GCM;

    use super::*;

    fn cipher(nonces: Nonces) -> Cipher {
        let key = UnboundKey::new(&AES_256_GCM, &[1; 32]).unwrap();
        Cipher::new(key, nonces, Vec::new(), 4096)
    }

    #[test]
    fn no_number_is_used_twice() {
        let cipher = cipher(Nonces::Prefixed([7; 7]));
        let last = u64::from(u32::MAX);
        let mut sealed = Vec::new();
        cipher.seal(last, false, b"x", &mut sealed).unwrap();
        assert!(cipher.open(last, false, &sealed, &mut Vec::new()));
        let mut out = b"before".to_vec();
        let error = cipher.seal(last + 1, false, b"x", &mut out).unwrap_err();
        assert!(matches!(error, SealError::TooLong), "{error}");
        assert_eq!(out, b"before");
        assert!(!cipher.open(last + 1, false, &sealed, &mut out));
        assert!(!cipher.open(0, false, &sealed, &mut out));
        assert_eq!(out, b"before");
    }

    #[test]
    fn numbers_of_age_are_longer() {
        let cipher = cipher(Nonces::Counter);
        let mut sealed = Vec::new();
        cipher.seal(1 << 40, true, b"x", &mut sealed).unwrap();
        assert!(cipher.open(1 << 40, true, &sealed, &mut Vec::new()));
        assert!(!cipher.open(0, true, &sealed, &mut Vec::new()));
    }
}
