//! Headers: reading them strictly, and writing them.
//!
//! ```text
//! age-encryption.org/v1
//! -> X25519 EPHEMERAL-SHARE          a stanza: its type and arguments,
//! BODY                               and its body, 64 characters a line and a shorter one
//! --- CODE
//! ```

use super::encoding::{decode, encode};
use super::{FileKey, MAX_RECIPIENTS, Recipient, x25519};
use crate::random::{Random, draw};
use crate::{OpenErrorKind, SealError};

/// What every file of this version begins with.
pub(crate) const MAGIC: &[u8] = b"age-encryption.org/v1\n";

/// Bytes between the header and the first chunk.
pub(crate) const NONCE_BYTES: usize = 16;

/// The most bytes of a header that are read: several times what [`MAX_RECIPIENTS`] take. Each stanza costs
/// one multiplication for each identity that is tried.
pub const MAX_HEADER_BYTES: usize = 32 * 1024;

/// Characters of a full line of a body.
const LINE: usize = 64;

/// A header that is well formed. Nothing in it is known to be authentic.
pub(crate) struct Header<'a> {
    pub(crate) stanzas: Vec<Stanza<'a>>,
    /// What the code is over.
    pub(crate) authenticated: &'a [u8],
    pub(crate) mac: Vec<u8>,
}

/// What one recipient needs.
pub(crate) struct Stanza<'a> {
    pub(crate) kind: &'a [u8],
    pub(crate) arguments: Vec<&'a [u8]>,
    pub(crate) body: Vec<u8>,
}

/// Where a header ends in bytes that come in pieces: no byte is looked at twice.
#[derive(Default)]
pub(crate) struct EndOfHeader {
    /// Where a line begins that is not whole yet.
    line: usize,
    /// Up to where there is no end of that line.
    seen: usize,
}

impl EndOfHeader {
    /// The end in `bytes`, which are those of the last call and more: after the line that begins with `---`.
    pub(crate) fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        while let Some(length) = bytes[self.seen..].iter().position(|byte| *byte == b'\n') {
            let end = self.seen + length + 1;
            let is_last = bytes[self.line..end].starts_with(b"---");
            (self.line, self.seen) = (end, end);
            if is_last {
                return Some(end);
            }
        }
        self.seen = bytes.len();
        None
    }
}

impl<'a> Header<'a> {
    /// Reads a whole header, with its last line end.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, OpenErrorKind> {
        let bad = |reason| OpenErrorKind::BadHeader { reason };
        let rest = bytes
            .strip_prefix(MAGIC)
            .and_then(|rest| rest.strip_suffix(b"\n"))
            .ok_or(bad("it has no first line"))?;
        let mut lines = rest.split(|byte| *byte == b'\n');
        let mut stanzas = Vec::new();
        loop {
            let line = lines.next().ok_or(bad("it has no last line"))?;
            if let Some(code) = line.strip_prefix(b"--- ") {
                let mac = decode(code).filter(|mac| mac.len() == 32);
                let mac = mac.ok_or(bad("its authentication code is not 32 bytes in base64"))?;
                if lines.next().is_some() {
                    return Err(bad("it goes on after its last line"));
                }
                if stanzas.is_empty() {
                    return Err(bad("it has no recipient"));
                }
                return Ok(Self {
                    stanzas,
                    authenticated: &bytes[..bytes.len() - b" \n".len() - code.len()],
                    mac,
                });
            }
            let words = line
                .strip_prefix(b"-> ")
                .ok_or(bad("a line is neither a recipient's nor the last"))?;
            let mut words = words.split(|byte| *byte == b' ');
            let is_word = |word: &[u8]| !word.is_empty() && word.iter().all(u8::is_ascii_graphic);
            if !words.clone().all(is_word) {
                return Err(bad(
                    "a recipient's line is not words with one space between",
                ));
            }
            stanzas.push(Stanza {
                kind: words.next().unwrap_or_default(),
                arguments: words.collect(),
                body: body(&mut lines)
                    .ok_or(bad("a recipient's body is not base64 in lines of 64"))?,
            });
        }
    }
}

/// Lines of 64 characters, and a shorter one, which may be empty.
fn body<'a>(lines: &mut impl Iterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = lines.next()?;
        if line.len() > LINE {
            return None;
        }
        body.extend(decode(line)?);
        if line.len() < LINE {
            return Some(body);
        }
    }
}

/// The header of a file with `key`, for `recipients`.
pub(crate) fn write(
    key: &FileKey,
    recipients: &[Recipient],
    random: &mut Random<'_>,
) -> Result<Vec<u8>, SealError> {
    if recipients.is_empty() {
        return Err(SealError::NoRecipients);
    }
    if recipients.len() > MAX_RECIPIENTS {
        return Err(SealError::TooManyRecipients {
            count: recipients.len(),
        });
    }
    let mut header = MAGIC.to_vec();
    for recipient in recipients {
        let ephemeral = zeroize::Zeroizing::new(draw::<32>(random)?);
        let wrapped = x25519::wrap(key, recipient, &ephemeral).map_err(|_| SealError::Library {
            doing: "wrap a file key for a recipient",
        })?;
        header.extend_from_slice(b"-> X25519 ");
        header.extend_from_slice(encode(&wrapped.share).as_bytes());
        header.push(b'\n');
        header.extend_from_slice(encode(&wrapped.body).as_bytes());
        header.push(b'\n');
    }
    header.extend_from_slice(b"---");
    let mac = key.mac(&header)?;
    header.push(b' ');
    header.extend_from_slice(encode(mac.as_ref()).as_bytes());
    header.push(b'\n');
    Ok(header)
}
