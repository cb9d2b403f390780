//! Our format with AES-256-GCM: a file is bound to the data key of its run and to its path.
//!
//! ```text
//! offset  bytes
//!      0     24  "export-center/sealed/v1\n"
//!     24      1  1: AES-256-GCM, nonces of prefix, number and mark
//!     25      4  bytes of plaintext a chunk, big-endian: 1,048,576
//!     29     32  salt
//!     61      7  nonce prefix
//!     68     32  commitment to the data key
//!    100         chunks, each with a tag of 16 bytes
//! ```
//!
//! The file's key is HKDF-SHA256 of the data key with the header's salt and, as info,
//! `export-center/file/v1`, a NUL and the path. A chunk's nonce is prefix ‖ be32 number ‖ 0 or 1, and
//! with every chunk the header and the path are authenticated.
//!
//! AES-GCM itself does not commit to its key: there can be files that open under two. Therefore the header
//! holds a commitment, HKDF-SHA256 of the data key with the salt and the info `export-center/commitment/v1`,
//! which also tells another key from an altered file.

mod header;

use aws_lc_rs::aead::{AES_256_GCM, UnboundKey};
use aws_lc_rs::error::Unspecified;

use crate::DataKey;
use crate::kdf::derive;
use crate::random::{Random, draw};
use crate::stream::{Cipher, Nonces};
use crate::{OpenErrorKind, SealError};

pub(crate) use header::{HEADER_BYTES, Header, MAGIC};

/// Bytes of plaintext in every chunk but the last, in files that are written here.
pub const CHUNK_BYTES: usize = 1 << 20;

/// The header of a new file, and its cipher.
pub(crate) fn begin(
    key: &DataKey,
    path: &str,
    chunk_bytes: usize,
    random: &mut Random<'_>,
) -> Result<(Vec<u8>, Cipher), SealError> {
    let library = |_| SealError::Library {
        doing: "derive a file's key",
    };
    let salt = draw::<32>(random)?;
    let header = Header {
        chunk_bytes,
        salt,
        prefix: draw(random)?,
        commitment: *key.commitment(&salt).map_err(library)?,
    };
    let bytes = header.to_bytes();
    let cipher = cipher(key, &header, &bytes, path).map_err(library)?;
    Ok((bytes, cipher))
}

/// The cipher of a file with this header, if it was sealed with `key`.
pub(crate) fn open(
    key: &DataKey,
    header: &Header,
    bytes: &[u8],
    path: &str,
) -> Result<Option<Cipher>, OpenErrorKind> {
    let opened = if key.is_committed(&header.salt, &header.commitment) {
        cipher(key, header, bytes, path).map(Some)
    } else {
        Ok(None)
    };
    opened.map_err(|_| OpenErrorKind::Library {
        doing: "derive a file's key",
    })
}

fn cipher(key: &DataKey, header: &Header, bytes: &[u8], path: &str) -> Result<Cipher, Unspecified> {
    let info: [&[u8]; 3] = [b"export-center/file/v1", b"\0", path.as_bytes()];
    let key = derive::<32>(key.bytes(), &header.salt, &info)?;
    let key = UnboundKey::new(&AES_256_GCM, &key[..])?;
    let associated = [bytes, path.as_bytes()].concat();
    Ok(Cipher::new(
        key,
        Nonces::Prefixed(header.prefix),
        associated,
        header.chunk_bytes,
    ))
}
