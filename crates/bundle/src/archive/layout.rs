//! Which byte of an archive is what.

use std::ops::Range;

use crate::paths::{DOCUMENTS, PathError, check_payload_path, member_order, shown};
use export_ustar::{BLOCK, member_header};

/// Zero bytes at the end of an archive.
const END_BYTES: u64 = 2 * BLOCK as u64;

/// An archive of named members, whose content lies elsewhere.
#[derive(Clone, Debug)]
pub struct ArchiveLayout {
    members: Vec<Placed>,
    total: u64,
}

#[derive(Clone, Debug)]
struct Placed {
    path: String,
    size: u64,
    /// Where its header begins.
    start: u64,
    /// Where its content begins.
    content: u64,
}

/// Consecutive bytes of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// These bytes: a header, or the rest of one.
    Header(Vec<u8>),
    /// Bytes of a member.
    Member {
        /// Which, counting from 0 in the order that was given.
        index: usize,
        /// Which of its bytes; never empty.
        range: Range<u64>,
    },
    /// So many zero bytes.
    Zeros(usize),
}

impl Segment {
    /// How many bytes it has.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Header(bytes) => bytes.len() as u64,
            Self::Member { range, .. } => range.end - range.start,
            Self::Zeros(count) => *count as u64,
        }
    }
}

/// Why members cannot be an archive. The caller is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// A name that is neither a document's nor a payload file's.
    #[error("cannot archive a member: {0}")]
    Path(#[from] PathError),
    /// Members are not in archive order, or one is there twice.
    #[error("cannot archive `{path}`: it is out of order or there twice")]
    Order {
        /// The member.
        path: String,
    },
    /// More bytes than an archive can have.
    #[error("cannot archive `{path}`: the archive would have more than 2^63 bytes")]
    TooLarge {
        /// The member.
        path: String,
    },
}

impl ArchiveLayout {
    /// The layout of `members`, given by path and size in [archive order](member_order).
    ///
    /// # Errors
    /// When a name may not be in a bundle, or the order is another.
    pub fn new<S: AsRef<str>>(members: &[(S, u64)]) -> Result<Self, LayoutError> {
        let mut placed: Vec<Placed> = Vec::with_capacity(members.len());
        let mut start = 0_u64;
        for (path, size) in members {
            let (path, size) = (path.as_ref(), *size);
            if !DOCUMENTS.contains(&path) {
                check_payload_path(path)?;
            }
            if placed
                .last()
                .is_some_and(|last| member_order(&last.path, path).is_ge())
            {
                return Err(LayoutError::Order { path: shown(path) });
            }
            let content = start + member_header(path, size).len() as u64;
            let end = size
                .checked_next_multiple_of(BLOCK as u64)
                .and_then(|padded| content.checked_add(padded))
                .filter(|end| *end < (1 << 62));
            let Some(end) = end else {
                return Err(LayoutError::TooLarge { path: shown(path) });
            };
            placed.push(Placed {
                path: path.to_owned(),
                size,
                start,
                content,
            });
            start = end;
        }
        Ok(Self {
            members: placed,
            total: start + END_BYTES,
        })
    }

    /// Size of the whole archive.
    #[must_use]
    pub fn total_size(&self) -> u64 {
        self.total
    }

    /// The archive from its beginning.
    #[must_use]
    pub fn segments(&self) -> Segments<'_> {
        self.segments_from(0)
    }

    /// The archive from byte `offset` on; nothing at or behind its end.
    #[must_use]
    pub fn segments_from(&self, offset: u64) -> Segments<'_> {
        let next = self
            .members
            .partition_point(|member| member.start <= offset)
            .saturating_sub(1);
        Segments {
            layout: self,
            member: next,
            offset,
        }
    }
}

/// Iterator over the bytes of an archive; see [`ArchiveLayout::segments`].
#[derive(Clone, Debug)]
pub struct Segments<'a> {
    layout: &'a ArchiveLayout,
    member: usize,
    offset: u64,
}

impl Iterator for Segments<'_> {
    type Item = Segment;

    fn next(&mut self) -> Option<Segment> {
        let segment = self.segment()?;
        self.offset += segment.size();
        Some(segment)
    }
}

impl Segments<'_> {
    fn segment(&mut self) -> Option<Segment> {
        let offset = self.offset;
        while let Some(member) = self.layout.members.get(self.member) {
            if offset < member.content {
                let mut header = member_header(&member.path, member.size);
                let skipped = usize::try_from(offset - member.start).unwrap_or(0);
                return Some(Segment::Header(header.split_off(skipped.min(header.len()))));
            }
            let within = offset - member.content;
            if within < member.size {
                return Some(Segment::Member {
                    index: self.member,
                    range: within..member.size,
                });
            }
            let padded = member.size.next_multiple_of(BLOCK as u64);
            if within < padded {
                return Some(zeros(padded - within));
            }
            self.member += 1;
        }
        let left = self.layout.total.saturating_sub(offset);
        (left > 0).then(|| zeros(left))
    }
}

/// At most two blocks, so the count fits.
fn zeros(count: u64) -> Segment {
    Segment::Zeros(usize::try_from(count).unwrap_or(0))
}
