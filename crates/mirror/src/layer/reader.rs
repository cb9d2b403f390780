//! Reading a layer in one pass, and refusing everything that is not written here.

use std::io::{self, BufRead as _, BufReader, Read};

use export_ustar::{BLOCK, Fields, Size, checksum_fits, fields, file_header, is_ustar, kind_name};

use super::{LayerError, LayerFault, is_known, padding};
use crate::MAX_DOCUMENT_BYTES;

const BUFFER_BYTES: usize = 256 << 10;

/// A member whose content is yet to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberHead<'a> {
    /// Its path in the tree.
    pub path: &'a str,
    /// How many bytes its content has.
    pub size: u64,
}

/// A member and its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// Its path in the tree.
    pub path: &'a str,
    /// Its content.
    pub bytes: &'a [u8],
}

/// Reads a layer, uncompressed.
pub struct LayerReader<R> {
    inner: BufReader<R>,
    limit: u64,
    offset: u64,
    path: String,
    /// Where the current member begins.
    start: u64,
    /// What is left of the current content, and the padding after it.
    left: u64,
    padding: usize,
    content: Vec<u8>,
    ended: bool,
}

impl<R: Read> LayerReader<R> {
    /// Reads from `inner`, which it buffers. More than `limit` bytes are refused; the limit is best
    /// the size that a signed manifest states.
    pub fn new(inner: R, limit: u64) -> Self {
        Self {
            inner: BufReader::with_capacity(BUFFER_BYTES, inner),
            limit,
            offset: 0,
            path: String::new(),
            start: 0,
            left: 0,
            padding: 0,
            content: Vec::new(),
            ended: false,
        }
    }

    /// Bytes read so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next member with its content; none at the end. Only for members of at most 64 MiB; one
    /// buffer holds one content after the other.
    ///
    /// # Errors
    /// As [`next_head`](Self::next_head); and when the member is larger.
    #[expect(clippy::should_implement_trait, reason = "it lends what it gives")]
    pub fn next(&mut self) -> Result<Option<Member<'_>>, LayerError> {
        if self.next_head()?.is_none() {
            return Ok(None);
        }
        let size = self.left;
        if size > MAX_DOCUMENT_BYTES {
            return Err(self.refused(LayerFault::Size(size)));
        }
        let mut content = std::mem::take(&mut self.content);
        content.resize(usize::try_from(size).unwrap_or_default(), 0);
        let mut have = 0;
        while let Some(room) = content.get_mut(have..)
            && !room.is_empty()
        {
            have += self.read(room)?;
        }
        self.content = content;
        self.skip_rest()?;
        Ok(Some(self.member()))
    }

    /// The member that [`next`](Self::next) gave last.
    pub(super) fn member(&self) -> Member<'_> {
        Member {
            path: &self.path,
            bytes: &self.content,
        }
    }

    /// The next member, whose content [`read`](Self::read) then gives; none at the end. What was
    /// not read of the content before is passed over.
    ///
    /// # Errors
    /// When the bytes cannot be read, or are not what is written for a path of a tree.
    pub fn next_head(&mut self) -> Result<Option<MemberHead<'_>>, LayerError> {
        if self.ended {
            return Ok(None);
        }
        self.skip_rest()?;
        self.start = self.offset;
        self.path.clear();
        let mut block = [0; BLOCK];
        self.fill(&mut block)?;
        if block == [0; BLOCK] {
            self.fill(&mut block)?;
            if block != [0; BLOCK] || self.peek()? {
                return Err(self.refused(LayerFault::Trailing));
            }
            self.ended = true;
            return Ok(None);
        }
        if !checksum_fits(&block) {
            return Err(self.refused(LayerFault::Checksum));
        }
        let fields = fields(&block);
        self.path = String::from_utf8_lossy(&fields.path).into_owned();
        let size = self
            .check(&block, &fields)
            .map_err(|fault| self.refused(fault))?;
        self.left = size;
        self.padding = padding(size).len();
        // A lie is refused before a byte of it is read.
        if size.saturating_add(self.padding as u64) > self.limit - self.offset {
            return Err(self.too_much());
        }
        Ok(Some(MemberHead {
            path: &self.path,
            size,
        }))
    }

    /// Reads on in the current member's content; 0 at its end.
    ///
    /// # Errors
    /// When the bytes cannot be read, or end too early.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, LayerError> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let length = buffer.len().min(most);
        let Some(room) = buffer.get_mut(..length) else {
            return Ok(0);
        };
        if room.is_empty() {
            return Ok(0);
        }
        let read = loop {
            match self.inner.read(room) {
                Ok(read) => break read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(self.failed(source)),
            }
        };
        if read == 0 {
            return Err(self.refused(LayerFault::Truncated));
        }
        self.offset += read as u64;
        self.left -= read as u64;
        Ok(read)
    }

    fn check(&self, block: &[u8; BLOCK], fields: &Fields) -> Result<u64, LayerFault> {
        match fields.kind {
            b'0' => {}
            b'x' => return Err(LayerFault::Pax),
            0 | b'7' => return Err(LayerFault::Format),
            kind => return Err(LayerFault::Kind(kind_name(kind))),
        }
        if !is_ustar(block) {
            return Err(LayerFault::Format);
        }
        let path = self.path.as_str();
        if path.starts_with('/') {
            return Err(LayerFault::Absolute);
        }
        if path
            .split(['/', '\\'])
            .any(|part| matches!(part, "" | "." | ".."))
        {
            return Err(LayerFault::Component);
        }
        if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(LayerFault::Case);
        }
        if !is_known(path) {
            return Err(LayerFault::Path);
        }
        match fields.size {
            Size::Bytes(size) if file_header(path, size).as_ref() == Some(block) => Ok(size),
            _ => Err(LayerFault::Form),
        }
    }

    /// Passes over what is left of the current member.
    fn skip_rest(&mut self) -> Result<(), LayerError> {
        if self.left > 0 {
            let mut scratch = [0; 4096];
            while self.read(&mut scratch)? > 0 {}
        }
        let mut zeros = [0; BLOCK];
        let padding = std::mem::take(&mut self.padding);
        if let Some(room) = zeros.get_mut(..padding) {
            self.fill(room)?;
        }
        if zeros != [0; BLOCK] {
            return Err(self.refused(LayerFault::Padding));
        }
        Ok(())
    }

    fn fill(&mut self, room: &mut [u8]) -> Result<(), LayerError> {
        if room.len() as u64 > self.limit - self.offset {
            return Err(self.too_much());
        }
        match self.inner.read_exact(room) {
            Ok(()) => {
                self.offset += room.len() as u64;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.refused(LayerFault::Truncated))
            }
            Err(source) => Err(self.failed(source)),
        }
    }

    /// Whether anything follows.
    fn peek(&mut self) -> Result<bool, LayerError> {
        match self.inner.fill_buf() {
            Ok(bytes) => Ok(!bytes.is_empty()),
            Err(source) => Err(self.failed(source)),
        }
    }

    /// What would be read next is beyond the limit, or beyond the end where that comes first.
    fn too_much(&self) -> LayerError {
        self.refused(LayerFault::TooMuch { limit: self.limit })
    }

    fn failed(&self, source: io::Error) -> LayerError {
        LayerError::Read {
            offset: self.offset,
            source,
        }
    }

    pub(super) fn refused(&self, fault: LayerFault) -> LayerError {
        let member = (!self.path.is_empty()).then(|| self.path.escape_debug().take(200).collect());
        LayerError::Refused {
            offset: self.start,
            member,
            fault,
        }
    }
}
