//! Secret keys: `AGE-SECRET-KEY-1…`, and files of them.

use std::fmt;

use zeroize::Zeroizing;

use super::{Recipient, x25519};
use crate::SealError;
use crate::bech32;
use crate::random::{Random, draw};
use crate::secret_file::{self, SecretFileError};

const PREFIX: &str = "AGE-SECRET-KEY-";

/// Identities that one file of them may hold.
pub const MAX_IDENTITIES: usize = 64;

/// An X25519 secret key, which opens what was sealed to its [`Recipient`]. It is overwritten when it is
/// dropped; its `Debug` form shows the recipient.
#[derive(Clone)]
pub struct Identity {
    secret: Zeroizing<[u8; 32]>,
    recipient: Recipient,
}

/// Why a file of identities could not be read. Nothing of its content is repeated but line numbers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The file as a whole is not one.
    #[error("this is not a file of age identities: {0}")]
    File(String),
    /// A line cannot be read.
    #[error("line {line} is not an age identity: {reason}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A line holds another kind of secret.
    #[error("line {line} is {kind}; only X25519 identities (AGE-SECRET-KEY-1…) are supported")]
    Unsupported {
        /// Which, from 1.
        line: usize,
        /// Of which kind.
        kind: &'static str,
    },
}

impl From<SecretFileError> for IdentityError {
    fn from(error: SecretFileError) -> Self {
        Self::File(error.to_string())
    }
}

impl Identity {
    /// Makes a new one.
    ///
    /// # Errors
    /// When there are no random bytes.
    pub fn generate(random: &mut Random<'_>) -> Result<Self, SealError> {
        let secret = Zeroizing::new(draw(random)?);
        Self::from_secret(secret).map_err(|_| SealError::Library {
            doing: "derive the public half of an identity",
        })
    }

    fn from_secret(secret: Zeroizing<[u8; 32]>) -> Result<Self, &'static str> {
        let public = x25519::public_of(&secret).map_err(|_| "it has no public half")?;
        let recipient = Recipient::from_bytes(public)?;
        Ok(Self { secret, recipient })
    }

    /// Reads a file of identities, as `age-keygen` writes them: one a line, with empty lines and comments
    /// that begin with `#`. At most 64 KiB and [`MAX_IDENTITIES`].
    ///
    /// # Errors
    /// When it is none, or holds anything else.
    pub fn parse_file(bytes: &[u8]) -> Result<Vec<Self>, IdentityError> {
        let lines = secret_file::lines(bytes, MAX_IDENTITIES)?;
        let identities = lines
            .into_iter()
            .map(|(line, text)| Self::parse_line(line, text));
        identities.collect()
    }

    fn parse_line(line: usize, text: &str) -> Result<Self, IdentityError> {
        if let Some(kind) = other_kind(text) {
            return Err(IdentityError::Unsupported { line, kind });
        }
        let bad = |reason: &str| IdentityError::Line {
            line,
            reason: reason.to_owned(),
        };
        let data = bech32::decode(PREFIX, text).map_err(|error| bad(&error.to_string()))?;
        let secret = data[..]
            .try_into()
            .map_err(|_| bad("it does not stand for 32 bytes"))?;
        Self::from_secret(Zeroizing::new(secret)).map_err(bad)
    }

    /// Writes a file with this identity in it, which `age -d -i` takes: its recipient as a comment, and the
    /// secret.
    #[must_use]
    pub fn to_file(&self) -> Zeroizing<String> {
        let mut secret = bech32::encode("age-secret-key-", &self.secret[..]);
        secret.make_ascii_uppercase();
        let recipient = &self.recipient;
        Zeroizing::new(format!("# public key: {recipient}\n{}\n", *secret))
    }

    /// Whom files are sealed to that this opens.
    #[must_use]
    pub fn recipient(&self) -> &Recipient {
        &self.recipient
    }

    pub(super) fn secret(&self) -> &[u8; 32] {
        &self.secret
    }
}

/// What else may stand in a file of identities.
fn other_kind(text: &str) -> Option<&'static str> {
    [
        ("AGE-SECRET-KEY-PQ-1", "a post-quantum identity"),
        ("AGE-PLUGIN-", "a plugin's identity"),
        (
            "-----BEGIN ",
            "a PEM block, such as an SSH key or an encrypted file of identities",
        ),
        (
            "age-encryption.org/",
            "the beginning of an encrypted file of identities (decrypt it first)",
        ),
        ("age1", "a recipient, which is public"),
    ]
    .into_iter()
    .find_map(|(start, kind)| text.starts_with(start).then_some(kind))
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity(secret half of {})", self.recipient)
    }
}
