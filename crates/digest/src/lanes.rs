//! Blocks and padding (FIPS 180-4, 5.1.1 and 5.2.1) around the kernel.

use crate::x86::Kernel;

pub(crate) const BLOCK: usize = 64;
pub(crate) type State = [u32; 8];
pub(crate) type Block = [u8; BLOCK];

/// The initial hash value (FIPS 180-4, 5.3.3).
const INITIAL: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

#[derive(Clone)]
pub(crate) struct Stream {
    kernel: Kernel,
    state: State,
    /// The beginning of a block whose end has not come yet.
    rest: Vec<u8>,
    length: u64,
}

impl Stream {
    pub(crate) fn new(kernel: Kernel) -> Self {
        Self {
            kernel,
            state: INITIAL,
            rest: Vec::with_capacity(BLOCK),
            length: 0,
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let bytes = self.fill(bytes);
        let (blocks, rest) = bytes.as_chunks();
        self.kernel.one(&mut self.state, blocks);
        self.rest.extend_from_slice(rest);
    }

    pub(crate) fn update_with_digest(&mut self, record: &[u8]) -> [u8; 32] {
        let tail = self.fill(record);
        let (ours, rest) = tail.as_chunks();
        let (theirs, end) = record.as_chunks();
        let mut state = INITIAL;
        let both = ours.len().min(theirs.len());
        let (ours, our_rest) = ours.split_at(both);
        let (theirs, their_rest) = theirs.split_at(both);
        self.kernel
            .two([&mut self.state, &mut state], [ours, theirs]);
        self.kernel.one(&mut self.state, our_rest);
        self.kernel.one(&mut state, their_rest);
        self.rest.extend_from_slice(rest);
        finish(self.kernel, state, end, record.len() as u64)
    }

    pub(crate) fn finalize(self) -> [u8; 32] {
        finish(self.kernel, self.state, &self.rest, self.length)
    }

    /// Completes the block that was begun, if `bytes` reach that far; gives what is left of them,
    /// which begins a block or is nothing.
    fn fill<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        self.length += bytes.len() as u64;
        if self.rest.is_empty() {
            return bytes;
        }
        let (begin, tail) = bytes.split_at(bytes.len().min(BLOCK - self.rest.len()));
        self.rest.extend_from_slice(begin);
        let (blocks, _) = self.rest.as_chunks();
        self.kernel.one(&mut self.state, blocks);
        if !blocks.is_empty() {
            self.rest.clear();
        }
        tail
    }
}

/// Adds the last bytes, fewer than a block, and the padding.
fn finish(kernel: Kernel, mut state: State, rest: &[u8], length: u64) -> [u8; 32] {
    let mut padding = [0; 2 * BLOCK];
    let size = if rest.len() < BLOCK - 8 {
        BLOCK
    } else {
        2 * BLOCK
    };
    let bits = (length << 3).to_be_bytes();
    let content = rest.iter().copied().chain([0x80]);
    for (to, from) in padding.iter_mut().zip(content) {
        *to = from;
    }
    for (to, from) in padding
        .iter_mut()
        .take(size)
        .rev()
        .zip(bits.into_iter().rev())
    {
        *to = from;
    }
    let (blocks, _) = padding.as_chunks();
    kernel.one(&mut state, blocks.split_at(size / BLOCK).0);
    let mut digest = [0; 32];
    for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    digest
}
