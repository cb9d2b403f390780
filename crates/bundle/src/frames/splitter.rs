//! Cutting a stream of stored bytes into frames, without decompressing them.
//!
//! Everything that decides how much memory a frame takes stands in its header and is checked
//! before a byte of its content is read.

use super::FRAME_BYTES;

const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();
/// The most bytes of a block (RFC 8878, section 3.1.1.2.4).
const MAX_BLOCK_BYTES: usize = 128 << 10;
/// The most bytes of a frame: every block stored as it is, with its header, in blocks as small as
/// any encoder makes them for incompressible input, and some room.
const MAX_FRAME_BYTES: usize = FRAME_BYTES + (FRAME_BYTES >> 7) + 1024;
const CHECKSUM_BYTES: usize = 4;

/// A whole frame.
#[derive(Debug, Default)]
pub struct Frame {
    /// Its bytes.
    pub compressed: Vec<u8>,
    /// Size of its content, as its header says.
    pub content_size: usize,
}

/// Why stored bytes are not a sequence of frames as they are written here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// No frame begins here; skippable frames count as none.
    #[error("there is no zstd frame at byte {offset}")]
    NotAFrame {
        /// Where, in the stored bytes.
        offset: u64,
    },
    /// A frame that is written in another way.
    #[error("the zstd frame at byte {offset} {what}")]
    Foreign {
        /// Where it begins, in the stored bytes.
        offset: u64,
        /// What is different.
        what: &'static str,
    },
    /// The stored bytes end within a frame, or there is none at all.
    #[error("the stored bytes end within a zstd frame, at byte {offset}")]
    Truncated {
        /// How many stored bytes there are.
        offset: u64,
    },
    /// A frame does not decompress to what its header says.
    #[error("a zstd frame is damaged: {reason}")]
    Damaged {
        /// What libzstd said.
        reason: String,
    },
}

/// Where the reading of a frame stands.
#[derive(Clone, Copy)]
enum Expect {
    /// Magic number and descriptor.
    Start,
    /// The rest of the header, whose descriptor is known.
    Header,
    /// A block's header.
    Block,
    /// A block's body; the last one when `true`.
    Body(bool),
    /// The checksum.
    Checksum,
}

/// Cuts stored bytes, as they come, into frames.
pub struct FrameSplitter {
    frame: Frame,
    expect: Expect,
    /// How long `frame` is when what is expected is there.
    need: usize,
    /// Where `frame` begins in the stored bytes.
    offset: u64,
    frames: u64,
    /// Whether a frame shorter than the fixed size was seen: it must be the last.
    ended: bool,
}

impl Default for FrameSplitter {
    fn default() -> Self {
        Self {
            frame: Frame::default(),
            expect: Expect::Start,
            need: MAGIC.len() + 1,
            offset: 0,
            frames: 0,
            ended: false,
        }
    }
}

impl FrameSplitter {
    /// Takes bytes off the front of `input` until a frame is complete, and gives it; none when
    /// `input` is used up first. To be called until `input` is empty.
    ///
    /// # Errors
    /// When the bytes are not such frames. Nothing can be read after that.
    pub fn feed(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, FrameError> {
        loop {
            let missing = self.need.saturating_sub(self.frame.compressed.len());
            let (taken, rest) = input.split_at(missing.min(input.len()));
            self.frame.compressed.extend_from_slice(taken);
            *input = rest;
            if taken.len() < missing {
                return Ok(None);
            }
            if self.advance()? {
                return Ok(Some(self.take()));
            }
        }
    }

    /// Gives back the memory of a frame that is done with.
    pub fn recycle(&mut self, mut memory: Vec<u8>) {
        if self.frame.compressed.is_empty() && memory.capacity() > self.frame.compressed.capacity()
        {
            memory.clear();
            self.frame.compressed = memory;
        }
    }

    /// Says whether the stored bytes may end here, and how many frames there were.
    ///
    /// # Errors
    /// [`FrameError::Truncated`] within a frame, or before the first.
    pub fn finish(&self) -> Result<u64, FrameError> {
        if self.frames == 0 || !self.frame.compressed.is_empty() {
            return Err(FrameError::Truncated {
                offset: self.offset + self.frame.compressed.len() as u64,
            });
        }
        Ok(self.frames)
    }

    fn take(&mut self) -> Frame {
        let frame = std::mem::take(&mut self.frame);
        self.offset += frame.compressed.len() as u64;
        self.frames += 1;
        self.ended = frame.content_size < FRAME_BYTES;
        self.expect = Expect::Start;
        self.need = MAGIC.len() + 1;
        frame
    }

    /// Looks at what has become complete; says whether the frame is.
    fn advance(&mut self) -> Result<bool, FrameError> {
        match self.expect {
            Expect::Start => {
                self.need += self.header_bytes()?;
                self.expect = Expect::Header;
            }
            Expect::Header => {
                self.read_header()?;
                self.expect_bytes(3, Expect::Block)?;
            }
            Expect::Block => {
                let at = self.frame.compressed.len().saturating_sub(3);
                let header = little_endian(self.frame.compressed.get(at..).unwrap_or_default());
                let (last, kind) = (header & 1 == 1, header >> 1 & 3);
                let size = usize::try_from(header >> 3).unwrap_or(usize::MAX);
                if kind == 3 || size > MAX_BLOCK_BYTES {
                    return Err(self.foreign("has a block of no known kind or size"));
                }
                // A run-length block stores one byte, however long its content is.
                let stored = if kind == 1 { 1 } else { size };
                self.expect_bytes(stored, Expect::Body(last))?;
            }
            Expect::Body(false) => self.expect_bytes(3, Expect::Block)?,
            Expect::Body(true) => self.expect_bytes(CHECKSUM_BYTES, Expect::Checksum)?,
            Expect::Checksum => return Ok(true),
        }
        Ok(false)
    }

    fn expect_bytes(&mut self, more: usize, what: Expect) -> Result<(), FrameError> {
        self.need += more;
        self.expect = what;
        if self.need > MAX_FRAME_BYTES {
            return Err(self.foreign("is larger than its content can make it"));
        }
        Ok(())
    }

    /// Bytes of the header after its descriptor.
    fn header_bytes(&self) -> Result<usize, FrameError> {
        let (magic, descriptor) = self
            .frame
            .compressed
            .split_at_checked(MAGIC.len())
            .unwrap_or_default();
        if magic != MAGIC {
            return Err(FrameError::NotAFrame {
                offset: self.offset,
            });
        }
        if self.ended {
            return Err(self.foreign("follows one that is shorter than 8 MiB"));
        }
        let descriptor = descriptor.first().copied().unwrap_or(0);
        let single = descriptor & 0x20 != 0;
        if descriptor & 0x08 != 0 {
            return Err(self.foreign("sets a reserved bit"));
        }
        if descriptor & 0x04 == 0 {
            return Err(self.foreign("has no checksum"));
        }
        if descriptor & 0x03 != 0 {
            return Err(self.foreign("needs a dictionary"));
        }
        let size_bytes = match (descriptor >> 6, single) {
            (0, false) => return Err(self.foreign("does not say how large its content is")),
            (0, true) => 1,
            (1, _) => 2,
            (2, _) => 4,
            _ => 8,
        };
        Ok(size_bytes + usize::from(!single))
    }

    fn read_header(&mut self) -> Result<(), FrameError> {
        let after = self.frame.compressed.get(MAGIC.len() + 1..);
        let mut fields = after.unwrap_or_default();
        let descriptor = self.frame.compressed.get(MAGIC.len()).copied().unwrap_or(0);
        if descriptor & 0x20 == 0
            && let Some((window, rest)) = fields.split_first()
        {
            fields = rest;
            let base = 1_u64 << (10 + (window >> 3));
            if base + base / 8 * u64::from(window & 7) > FRAME_BYTES as u64 {
                return Err(self.foreign("needs a window of more than 8 MiB"));
            }
        }
        let more = if fields.len() == 2 { 256 } else { 0 };
        let size = little_endian(fields).saturating_add(more);
        match usize::try_from(size) {
            Ok(size) if size <= FRAME_BYTES => self.frame.content_size = size,
            _ => return Err(self.foreign("has more than 8 MiB of content")),
        }
        Ok(())
    }

    fn foreign(&self, what: &'static str) -> FrameError {
        FrameError::Foreign {
            offset: self.offset,
            what,
        }
    }
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}
