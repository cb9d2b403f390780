//! Sealed files: a payload that only its recipients can read.
//!
//! A file of a bundle is sealed last, after compression, so `part-00000.jsonl.zst` becomes
//! `part-00000.jsonl.zst.age` or `….enc`. Both formats cut the content into chunks that are
//! encrypted and authenticated one by one, so that a file of any size is written and read in the
//! memory of one chunk, and no byte is given out before its chunk has been checked:
//!
//! - **age** ([`Sealer::age`]): [age v1](https://c2sp.org/age) for X25519 recipients. Whoever has an
//!   identity opens it with the `age` command, without any of our programs.
//! - **AES-256-GCM** ([`Sealer::aes_gcm`]): a key a file, derived from the one [`DataKey`] of a run,
//!   which KMS or a [`KekFile`] wraps ([`KeyWrap`]). A file is bound to its path in the bundle.
//!
//! [`Opener`] reads both. What opens a file (identities, data keys, file keys out of a key file) is
//! put into a [`Keyring`] beforehand.
//!
//! Keys are rotated without touching a sealed byte: the keys of the files are wrapped anew and kept
//! in a small file beside the bundle ([`KeyFile`], [`FileKeys`]).
//!
//! All primitives are those of `aws-lc-rs`. Nothing here reads a clock, the environment or the
//! system's randomness: random bytes come from the [`Random`] that the host hands in.

mod age;
mod bech32;
mod configured;
pub mod conformance;
mod data_key;
mod error;
mod file_keys;
mod gcm;
mod header;
mod kdf;
mod kek;
mod key_file;
mod keyring;
mod opener;
mod random;
mod reader;
mod sealer;
mod secret_file;
mod stream;
mod wrap;

pub use age::{
    FileKey, Identity, IdentityError, MAX_HEADER_BYTES, MAX_IDENTITIES, MAX_RECIPIENTS, Recipient,
    RecipientError,
};
pub use configured::{HostSeals, SealConfig, SealHost, TenantSeals};
pub use data_key::DataKey;
pub use error::{OpenError, OpenErrorKind, SealError};
pub use file_keys::{FileKeys, FileKeysError, MAX_FILE_KEYS_BYTES};
pub use gcm::CHUNK_BYTES as GCM_CHUNK_BYTES;
pub use kek::{KekError, KekFile};
pub use key_file::{KeyFile, KeyFileError, MAX_KEY_FILE_BYTES};
pub use keyring::Keyring;
pub use opener::Opener;
pub use random::Random;
pub use reader::OpenReader;
pub use sealer::Sealer;
pub use wrap::{Context, KeyWrap, MAX_WRAPPED_BYTES, WrappedKey, rewrap};

/// What the names of files sealed with age end with.
pub const AGE_SUFFIX: &str = ".age";

/// What the names of files sealed with AES-256-GCM end with.
pub const GCM_SUFFIX: &str = ".enc";
