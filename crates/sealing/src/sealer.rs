//! Sealing a file, piece by piece.

use crate::age::{self, FileKey, NONCE_BYTES, Recipient};
use crate::gcm::{self, CHUNK_BYTES};
use crate::random::{Random, draw};
use crate::stream::SealStream;
use crate::{DataKey, SealError};

/// Seals one file. Bytes are pushed in and come out sealed, in order; what comes out in all is the file.
///
/// It holds one chunk (64 KiB with age, 1 MiB with AES-256-GCM). What comes out depends on what went in
/// and on the random bytes, never on how it was cut.
pub struct Sealer {
    /// Until it is written.
    header: Vec<u8>,
    stream: SealStream,
}

impl Sealer {
    /// Seals to `recipients`, each of whom can open the file alone. Takes 16 random bytes for the file's key,
    /// 32 for each recipient and 16 for the payload.
    ///
    /// # Errors
    /// When there is no recipient or more than [`MAX_RECIPIENTS`](crate::MAX_RECIPIENTS), or there are no random
    /// bytes.
    pub fn age(recipients: &[Recipient], random: &mut Random<'_>) -> Result<Self, SealError> {
        let key = FileKey::generate(random)?;
        let mut header = age::write(&key, recipients, random)?;
        let nonce = draw::<NONCE_BYTES>(random)?;
        let cipher = key.cipher(&nonce).map_err(|_| SealError::Library {
            doing: "derive a payload's key",
        })?;
        header.extend_from_slice(&nonce);
        Ok(Self {
            header,
            stream: SealStream::new(cipher),
        })
    }

    /// Seals with the data key of a run. `path` is the sealed file's in its bundle, as `export.json` lists it: at any
    /// other the file will not open. Takes 32 random bytes as salt and 7 for the nonces.
    ///
    /// # Errors
    /// When there are no random bytes.
    pub fn aes_gcm(key: &DataKey, path: &str, random: &mut Random<'_>) -> Result<Self, SealError> {
        Self::aes_gcm_in_chunks(key, path, CHUNK_BYTES, random)
    }

    fn aes_gcm_in_chunks(
        key: &DataKey,
        path: &str,
        chunk_bytes: usize,
        random: &mut Random<'_>,
    ) -> Result<Self, SealError> {
        let (header, cipher) = gcm::begin(key, path, chunk_bytes, random)?;
        Ok(Self {
            header,
            stream: SealStream::new(cipher),
        })
    }

    /// Takes content, and appends to `out` what is sealed so far.
    ///
    /// # Errors
    /// When the file gets too long (4 PiB), or the library fails. The file is then not to be used.
    pub fn update(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        out.append(&mut self.header);
        self.stream.update(plain, out)
    }

    /// Ends the file, and appends the rest of it to `out`. A file without this is cut, and does not open.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), SealError> {
        out.append(&mut self.header);
        self.stream.finish(out)
    }
}

#[cfg(test)]
mod tests;
