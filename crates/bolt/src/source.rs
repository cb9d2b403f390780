//! Where a database is read from.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Mutex;

/// Bytes at any offset. Reading does not change the source, so several may read at once.
pub trait Source {
    /// How many bytes there are.
    ///
    /// # Errors
    /// What the source says.
    fn length(&self) -> io::Result<u64>;

    /// Fills all of `buffer` with what is at `offset`.
    ///
    /// # Errors
    /// What the source says; [`io::ErrorKind::UnexpectedEof`] where it ends before the buffer does.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

impl Source for [u8] {
    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let bytes = usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..)?.get(..buffer.len()))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

impl Source for Vec<u8> {
    fn length(&self) -> io::Result<u64> {
        self.as_slice().length()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.as_slice().read_at(offset, buffer)
    }
}

#[cfg(unix)]
impl Source for std::fs::File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, offset)
    }
}

impl<S: Source + ?Sized> Source for &S {
    fn length(&self) -> io::Result<u64> {
        (**self).length()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        (**self).read_at(offset, buffer)
    }
}

/// Anything that reads and seeks, one reader at a time.
#[derive(Debug)]
pub struct Seekable<R>(Mutex<R>);

impl<R: Read + Seek> Seekable<R> {
    /// A source that moves `reader` about.
    pub fn new(reader: R) -> Self {
        Self(Mutex::new(reader))
    }

    fn with<T>(&self, read: impl FnOnce(&mut R) -> io::Result<T>) -> io::Result<T> {
        let mut reader = self
            .0
            .lock()
            .map_err(|_| io::Error::other("a thread panicked while it was reading"))?;
        read(&mut reader)
    }
}

impl<R: Read + Seek> Source for Seekable<R> {
    fn length(&self) -> io::Result<u64> {
        self.with(|reader| reader.seek(SeekFrom::End(0)))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.with(|reader| {
            reader.seek(SeekFrom::Start(offset))?;
            reader.read_exact(buffer)
        })
    }
}
