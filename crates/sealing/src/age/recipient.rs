//! Public keys: `age1…`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::x25519;
use crate::bech32;

pub(super) const PREFIX: &str = "age";

/// Somebody whom a file is sealed to: the public half of an X25519 identity. Written as `age1…`, in
/// JSON too.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Recipient([u8; 32]);

/// Why a string is no recipient.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
    /// It cannot be read.
    #[error("{text:?} is not an age recipient: {reason}; expected age1 and 58 characters")]
    Malformed {
        /// The beginning of what was given.
        text: String,
        /// What is wrong.
        reason: String,
    },
    /// It is a recipient of another kind.
    #[error("{text:?} is {kind}; only X25519 recipients (age1 and 58 characters) are supported")]
    Unsupported {
        /// The beginning of what was given.
        text: String,
        /// Of which kind.
        kind: &'static str,
    },
    /// It is a secret key. The text does not repeat it.
    #[error(
        "this is a secret key: give the recipient that belongs to the identity (`age-keygen -y` prints it)"
    )]
    Secret,
}

impl Recipient {
    /// # Errors
    /// Where the bytes are no point that a secret can be shared with.
    pub(super) fn from_bytes(bytes: [u8; 32]) -> Result<Self, &'static str> {
        // Every secret is a multiple of 8, so one finds the points of low order as well as any other.
        x25519::shared(&[0x42; 32], &bytes).map_err(|_| "its point has a low order")?;
        Ok(Self(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Recipient {
    type Err = RecipientError;

    fn from_str(text: &str) -> Result<Self, RecipientError> {
        let upper = text.to_ascii_uppercase();
        if ["AGE-SECRET-", "EXPORT-CENTER-KEK-"]
            .iter()
            .any(|prefix| upper.contains(prefix))
        {
            return Err(RecipientError::Secret);
        }
        let excerpt = || text.chars().take(80).collect::<String>();
        if let Some(kind) = other_kind(text) {
            let text = excerpt();
            return Err(RecipientError::Unsupported { text, kind });
        }
        let malformed = |reason: &str| RecipientError::Malformed {
            text: excerpt(),
            reason: reason.to_owned(),
        };
        let data = bech32::decode(PREFIX, text).map_err(|error| malformed(&error.to_string()))?;
        let bytes = data[..]
            .try_into()
            .map_err(|_| malformed("it does not stand for 32 bytes"))?;
        Self::from_bytes(bytes).map_err(malformed)
    }
}

/// What else age knows as recipients.
fn other_kind(text: &str) -> Option<&'static str> {
    if text.starts_with("ssh-") {
        return Some("an SSH key");
    }
    if text.starts_with("age1pq1") {
        return Some("a post-quantum recipient");
    }
    // Plugins' names stand before the last 1; data has none.
    let name = text.strip_prefix("age1")?.rsplit_once('1')?.0;
    (!name.is_empty()).then_some("a plugin's recipient")
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bech32::encode(PREFIX, &self.0))
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({self})")
    }
}

impl Serialize for Recipient {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Recipient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
