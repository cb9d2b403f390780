//! Opening a file that is read.

use std::io::{self, Read};
use std::sync::Arc;

use crate::{Keyring, Opener};

/// Bytes that are read at once.
const READ_BYTES: usize = 64 * 1024;

/// The content of a sealed file, as a reader. Its end means that the whole file was there and authentic.
///
/// An [`OpenError`](crate::OpenError) comes as the source of an [`io::Error`] of the kind `InvalidData`.
pub struct OpenReader<R> {
    sealed: R,
    /// None when the file has ended, or reading it has failed.
    opener: Option<Opener>,
    input: Vec<u8>,
    content: Vec<u8>,
    given: usize,
    failed: bool,
}

impl<R: Read> OpenReader<R> {
    /// Reads the file at `path` of its bundle from `sealed`.
    pub fn new(sealed: R, keys: Arc<Keyring>, path: impl Into<String>) -> Self {
        Self {
            sealed,
            opener: Some(Opener::new(keys, path)),
            input: vec![0; READ_BYTES],
            content: Vec::new(),
            given: 0,
            failed: false,
        }
    }

    /// Opens more, until there is content or the file has ended.
    fn more(&mut self) -> io::Result<()> {
        self.content.clear();
        self.given = 0;
        while self.content.is_empty() {
            let Some(opener) = &mut self.opener else {
                return Ok(());
            };
            let count = match self.sealed.read(&mut self.input) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            let opened = if count > 0 {
                opener.update(&self.input[..count], &mut self.content)
            } else if let Some(opener) = self.opener.take() {
                opener.finish(&mut self.content)
            } else {
                Ok(())
            };
            if let Err(error) = opened {
                self.opener = None;
                self.content.clear();
                self.failed = true;
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for OpenReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        if self.given == self.content.len() {
            if self.failed {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    crate::OpenErrorKind::FailedBefore,
                ));
            }
            self.more()?;
        }
        let rest = &self.content[self.given..];
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }
}
