//! Opening a file, piece by piece.

use std::sync::Arc;

use crate::header::Beginning;
use crate::stream::OpenStream;
use crate::{Keyring, OpenError, OpenErrorKind};

/// Opens one file, of either format. Sealed bytes are pushed in, and content comes out; content of a chunk
/// only after the chunk has been checked.
///
/// It holds one chunk (64 KiB with age, at most 1 MiB with AES-256-GCM), or a header of at most
/// [`MAX_HEADER_BYTES`](crate::MAX_HEADER_BYTES). What comes out does not depend on how the input was cut.
///
/// Content that has come out is authentic, but it is the whole file only once [`finish`](Self::finish) has
/// succeeded.
pub struct Opener {
    path: String,
    state: State,
}

enum State {
    Beginning(Beginning, Arc<Keyring>),
    Open(OpenStream),
    Failed,
}

impl Opener {
    /// Opens the file at `path` of its bundle, as `export.json` lists it.
    #[must_use]
    pub fn new(keys: Arc<Keyring>, path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            state: State::Beginning(Beginning::default(), keys),
        }
    }

    /// Takes sealed bytes, and appends to `out` the content that can be told by now.
    ///
    /// # Errors
    /// [`OpenError`] when the file is none, there is no key for it, or a chunk was altered or moved. From then on
    /// every call fails.
    pub fn update(&mut self, sealed: &[u8], out: &mut Vec<u8>) -> Result<(), OpenError> {
        self.take(sealed, out).map_err(|kind| {
            self.state = State::Failed;
            kind.at(&self.path)
        })
    }

    fn take(&mut self, mut sealed: &[u8], out: &mut Vec<u8>) -> Result<(), OpenErrorKind> {
        if let State::Beginning(beginning, keys) = &mut self.state {
            sealed = beginning.push(sealed);
            let Some((found, rest)) = beginning.find()? else {
                return Ok(());
            };
            let mut stream = OpenStream::new(keys.open(&found, &self.path)?);
            stream.update(rest, out)?;
            self.state = State::Open(stream);
        }
        match &mut self.state {
            State::Open(stream) => stream.update(sealed, out),
            _ => Err(OpenErrorKind::FailedBefore),
        }
    }

    /// Ends the file, and appends the rest of its content to `out`.
    ///
    /// # Errors
    /// [`OpenError`] as before, and when the end of the file is missing or something follows it.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<(), OpenError> {
        let finished = match self.state {
            State::Beginning(beginning, _) => Err(beginning.ended()),
            State::Open(stream) => stream.finish(out),
            State::Failed => Err(OpenErrorKind::FailedBefore),
        };
        finished.map_err(|kind| kind.at(&self.path))
    }
}
