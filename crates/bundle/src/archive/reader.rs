//! Reading an archive in one pass, and refusing everything that is not written here.

use std::io::{self, Read};

use crate::frames::read_some;
use crate::paths::{DOCUMENTS, MANIFEST, check_payload_path, shown};
use export_ustar::{
    BLOCK, Fields, Size, checksum_fits, fields, is_ustar, kind_name, member_header, pax_records,
};

/// Bytes read at once: large enough that calls do not count, small enough to stay in the cache.
const BUFFER_BYTES: usize = 256 << 10;
/// The most bytes of a PAX header's body: a path and a size.
const MAX_PAX_BYTES: u64 = 2048;

/// A member, as its header names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberHeader {
    /// A document's name or the path of a payload file.
    pub path: String,
    /// Size of its content.
    pub size: u64,
}

/// Why an archive cannot be read on, and where.
#[derive(Debug, thiserror::Error)]
#[error("{}, at byte {offset} of the archive", match member {
    Some(member) => format!("{fault} (`{member}`)"),
    None => fault.to_string(),
})]
pub struct ArchiveError {
    /// Where in the archive: the header's first byte, or where it ends too early.
    pub offset: u64,
    /// Which member, where one could be told.
    pub member: Option<String>,
    /// What is wrong.
    pub fault: ArchiveFault,
}

/// What is wrong with an archive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveFault {
    /// It cannot be read at all.
    #[error("could not read the archive: {0}")]
    Io(#[source] io::Error),
    /// It ends within a member, a header, or before its end mark.
    #[error("the archive ends too early")]
    Truncated,
    /// No archive of this format begins here.
    #[error("this is not a ustar archive")]
    NotTar,
    /// A header whose checksum is wrong.
    #[error("a header is damaged: its checksum is wrong")]
    Checksum,
    /// A member that is no regular file.
    #[error("a bundle has regular files only, but this member is {0}")]
    Kind(&'static str),
    /// A member that may not be in a bundle.
    #[error("a member has a name that may not be in a bundle")]
    Name,
    /// A size that is written in a form, or as a number, that no bundle has.
    #[error("a header has no size that a bundle's member can have")]
    Size,
    /// A PAX header with other records than path and size.
    #[error("a PAX header is malformed or holds more than a path and a size")]
    Pax,
    /// A header that differs from the only form in which it is written.
    #[error("a header is not in the form that bundles are written in")]
    Form,
    /// Padding, or the end mark, is not zero.
    #[error("there are bytes where the archive has padding")]
    Padding,
    /// Bytes after the end.
    #[error("there are bytes after the end of the archive")]
    Trailing,
}

struct Current {
    path: String,
    left: u64,
    padding: u64,
}

/// Reads an archive member by member.
pub struct ArchiveReader<R> {
    inner: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Where in the archive `start` is.
    offset: u64,
    current: Option<Current>,
    ended: bool,
}

impl<R: Read> ArchiveReader<R> {
    /// A reader of the archive that `inner` gives. It reads in large blocks; no buffer is needed.
    pub fn new(inner: R) -> Self {
        Self {
            inner,
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            offset: 0,
            current: None,
            ended: false,
        }
    }

    /// Goes to the next member, over what was not read of the current one. None at the end, which
    /// has then been checked.
    ///
    /// # Errors
    /// When the archive is not one of ours. Nothing can be read after that.
    pub fn next_member(&mut self) -> Result<Option<MemberHeader>, ArchiveError> {
        while self.read()?.is_some() {}
        self.skip_padding()?;
        if self.ended {
            return Ok(None);
        }
        let at = self.offset;
        let mut raw = self.block(at)?;
        if raw == [0; BLOCK] {
            return self.finish(at).map(|()| None);
        }
        let mut written = raw.to_vec();
        let (mut path, mut size) = (None, None);
        let mut header = self.header(&raw, at)?;
        if header.kind == b'x' {
            let body = self.pax_body(&header, at, &mut written)?;
            let records = pax_records(&body).ok_or_else(|| fault(at, None, ArchiveFault::Pax))?;
            for (key, value) in records {
                match key {
                    "path" if path.is_none() => path = Some(value.to_owned()),
                    "size" if size.is_none() => size = value.parse().ok(),
                    _ => return Err(fault(at, None, ArchiveFault::Pax)),
                }
            }
            let second = self.offset;
            raw = self.block(at)?;
            written.extend_from_slice(&raw);
            header = self.header(&raw, second)?;
            if header.kind == b'x' {
                return Err(fault(at, None, ArchiveFault::Pax));
            }
        }
        let name = path.unwrap_or_else(|| String::from_utf8_lossy(&header.path).into_owned());
        let refuse = |what| Err(fault(at, Some(&name), what));
        if header.kind != b'0' {
            return refuse(ArchiveFault::Kind(kind_name(header.kind)));
        }
        if !DOCUMENTS.contains(&name.as_str()) && check_payload_path(&name).is_err() {
            return refuse(ArchiveFault::Name);
        }
        let size = match (size, header.size) {
            (Some(size), _) | (None, Size::Bytes(size)) if size < (1 << 62) => size,
            _ => return refuse(ArchiveFault::Size),
        };
        if written != member_header(&name, size) {
            return refuse(ArchiveFault::Form);
        }
        self.current = Some(Current {
            path: name.clone(),
            left: size,
            padding: size.next_multiple_of(BLOCK as u64) - size,
        });
        Ok(Some(MemberHeader { path: name, size }))
    }

    /// The next bytes of the current member, as they lie in the buffer; none when it is read.
    ///
    /// # Errors
    /// When the archive cannot be read or ends too early.
    pub fn read(&mut self) -> Result<Option<&[u8]>, ArchiveError> {
        let Some(left) = self.current.as_ref().map(|current| current.left) else {
            return Ok(None);
        };
        if left == 0 {
            return Ok(None);
        }
        if self.start == self.end && !self.fill()? {
            return Err(self.truncated());
        }
        let take = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(self.end - self.start);
        let from = self.start;
        self.advance(take);
        if let Some(current) = &mut self.current {
            current.left -= take as u64;
        }
        Ok(self.buffer.get(from..from + take))
    }

    /// Copies the next bytes of the current member; says how many, 0 when it is read.
    ///
    /// # Errors
    /// As [`ArchiveReader::read`].
    pub fn read_into(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        let Some(left) = self.current.as_ref().map(|current| current.left) else {
            return Ok(0);
        };
        if left == 0 {
            return Ok(0);
        }
        if self.start == self.end && !self.fill()? {
            return Err(self.truncated());
        }
        let take = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(self.end - self.start)
            .min(buffer.len());
        let bytes = self.buffer.get(self.start..self.start + take);
        if let (Some(to), Some(bytes)) = (buffer.get_mut(..take), bytes) {
            to.copy_from_slice(bytes);
        }
        self.advance(take);
        if let Some(current) = &mut self.current {
            current.left -= take as u64;
        }
        Ok(take)
    }

    /// How many bytes of the archive have been used.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    fn header(&self, raw: &[u8; BLOCK], at: u64) -> Result<Fields, ArchiveError> {
        let first = at == 0;
        if !checksum_fits(raw) {
            return Err(fault(
                at,
                None,
                if first {
                    ArchiveFault::NotTar
                } else {
                    ArchiveFault::Checksum
                },
            ));
        }
        let fields = fields(raw);
        if matches!(fields.kind, b'0' | b'x') && is_ustar(raw) {
            return Ok(fields);
        }
        let name = String::from_utf8_lossy(&fields.path).into_owned();
        let what = match fields.kind {
            b'0' | b'x' => ArchiveFault::Form,
            kind => ArchiveFault::Kind(kind_name(kind)),
        };
        Err(fault(at, Some(&name), what))
    }

    fn pax_body(
        &mut self,
        header: &Fields,
        at: u64,
        written: &mut Vec<u8>,
    ) -> Result<Vec<u8>, ArchiveError> {
        let size = match header.size {
            Size::Bytes(size @ 1..=MAX_PAX_BYTES) => size,
            _ => return Err(fault(at, None, ArchiveFault::Pax)),
        };
        let mut body = Vec::new();
        for _ in 0..size.div_ceil(BLOCK as u64) {
            body.extend_from_slice(&self.block(at)?);
        }
        written.extend_from_slice(&body);
        body.truncate(usize::try_from(size).unwrap_or(0));
        Ok(body)
    }

    fn skip_padding(&mut self) -> Result<(), ArchiveError> {
        while let Some(padding) = self.current.as_ref().map(|current| current.padding) {
            if padding == 0 {
                self.current = None;
                break;
            }
            if self.start == self.end && !self.fill()? {
                return Err(self.truncated());
            }
            let take = usize::try_from(padding)
                .unwrap_or(0)
                .min(self.end - self.start);
            let bytes = self.buffer.get(self.start..self.start + take);
            if bytes.unwrap_or_default().iter().any(|byte| *byte != 0) {
                let path = self.current.as_ref().map(|current| current.path.as_str());
                return Err(fault(self.offset, path, ArchiveFault::Padding));
            }
            self.advance(take);
            if let Some(current) = &mut self.current {
                current.padding -= take as u64;
            }
        }
        Ok(())
    }

    /// Checks what comes after the first zero block: another one, and nothing.
    fn finish(&mut self, at: u64) -> Result<(), ArchiveError> {
        if at == 0 {
            return Err(fault(at, None, ArchiveFault::NotTar));
        }
        if self.block(self.offset)? != [0; BLOCK] {
            return Err(fault(at, None, ArchiveFault::Padding));
        }
        if self.start < self.end || self.fill()? {
            return Err(fault(self.offset, None, ArchiveFault::Trailing));
        }
        self.ended = true;
        Ok(())
    }

    /// The next whole block; `header` is where the header that it belongs to begins.
    fn block(&mut self, header: u64) -> Result<[u8; BLOCK], ArchiveError> {
        let mut block = [0; BLOCK];
        let mut have = 0;
        while have < BLOCK {
            if self.start == self.end && !self.fill()? {
                // A beginning of a bundle is told from what never was one.
                let begun = block.get(..have).unwrap_or_default();
                let ours = begun.starts_with(format!("{MANIFEST}\0").as_bytes());
                return Err(if header == 0 && !ours {
                    fault(0, None, ArchiveFault::NotTar)
                } else {
                    fault(self.offset, None, ArchiveFault::Truncated)
                });
            }
            let take = (BLOCK - have).min(self.end - self.start);
            if let (Some(to), Some(from)) = (
                block.get_mut(have..have + take),
                self.buffer.get(self.start..self.start + take),
            ) {
                to.copy_from_slice(from);
            }
            have += take;
            self.advance(take);
        }
        Ok(block)
    }

    fn advance(&mut self, bytes: usize) {
        self.start += bytes;
        self.offset += bytes as u64;
    }

    fn fill(&mut self) -> Result<bool, ArchiveError> {
        let read = read_some(&mut self.inner, &mut self.buffer)
            .map_err(|error| fault(self.offset, None, ArchiveFault::Io(error)))?;
        (self.start, self.end) = (0, read);
        Ok(read > 0)
    }

    fn truncated(&self) -> ArchiveError {
        let path = self.current.as_ref().map(|current| current.path.as_str());
        fault(self.offset, path, ArchiveFault::Truncated)
    }
}

fn fault(offset: u64, member: Option<&str>, fault: ArchiveFault) -> ArchiveError {
    ArchiveError {
        offset,
        member: member.map(shown),
        fault,
    }
}
