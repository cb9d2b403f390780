//! Finding out what a file is, and where its header ends, in bytes that come in pieces.

use crate::age::{self, EndOfHeader, MAX_HEADER_BYTES, NONCE_BYTES};
use crate::{OpenErrorKind, gcm};

const ARMOUR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";

/// The beginning of a file, until its header is whole.
#[derive(Default)]
pub(crate) struct Beginning {
    bytes: Vec<u8>,
    end_of_age: EndOfHeader,
    /// The end of an age header, once it is known.
    end: Option<usize>,
}

/// A whole header.
pub(crate) enum Found<'a> {
    Age {
        header: &'a [u8],
        /// The file's key for its payload depends on it.
        nonce: &'a [u8],
    },
    Gcm(&'a [u8; gcm::HEADER_BYTES]),
}

impl Beginning {
    /// The most bytes that are looked at.
    pub(crate) const LIMIT: usize = MAX_HEADER_BYTES + NONCE_BYTES;

    /// Takes bytes; gives back those that can belong to no header.
    pub(crate) fn push<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let room = Self::LIMIT - self.bytes.len();
        let (now, later) = bytes.split_at(room.min(bytes.len()));
        self.bytes.extend_from_slice(now);
        later
    }

    /// The header and what follows it, once it is whole.
    pub(crate) fn find(&mut self) -> Result<Option<(Found<'_>, &[u8])>, OpenErrorKind> {
        let begins = |magic: &[u8]| {
            let length = magic.len().min(self.bytes.len());
            self.bytes[..length] == magic[..length]
        };
        if begins(gcm::MAGIC) {
            let whole = self.bytes.split_first_chunk();
            return Ok(whole.map(|(header, rest)| (Found::Gcm(header), rest)));
        }
        if !begins(age::MAGIC) {
            if begins(ARMOUR) && self.bytes.len() < ARMOUR.len() {
                return Ok(None);
            }
            return Err(what_else(&self.bytes));
        }
        let end = match self.end.or_else(|| self.end_of_age.find(&self.bytes)) {
            Some(end) if end <= MAX_HEADER_BYTES => end,
            None if self.bytes.len() <= MAX_HEADER_BYTES => return Ok(None),
            _ => {
                return Err(OpenErrorKind::HeaderTooLarge {
                    limit: MAX_HEADER_BYTES,
                });
            }
        };
        self.end = Some(end);
        let (header, rest) = self.bytes.split_at(end);
        let whole = rest.split_at_checked(NONCE_BYTES);
        Ok(whole.map(|(nonce, rest)| (Found::Age { header, nonce }, rest)))
    }

    /// Why a file that ends here is none.
    pub(crate) fn ended(&self) -> OpenErrorKind {
        if self.bytes.is_empty() {
            return OpenErrorKind::NotSealed;
        }
        OpenErrorKind::BadHeader {
            reason: "the file ends in it",
        }
    }
}

/// Why a beginning is that of no file that is read here.
fn what_else(bytes: &[u8]) -> OpenErrorKind {
    [
        (
            &b"age-encryption.org/v"[..],
            "an age file of another version",
            "decrypt it with `age -d`",
        ),
        (
            ARMOUR,
            "an age file in ASCII armour",
            "decrypt it with `age -d`",
        ),
        (
            b"export-center/sealed/v",
            "sealed by a newer version",
            "use that version to open it",
        ),
    ]
    .into_iter()
    .find(|(start, ..)| bytes.starts_with(start))
    .map_or(OpenErrorKind::NotSealed, |(_, found, advice)| {
        OpenErrorKind::Unsupported { found, advice }
    })
}
