//! SHA-256 digests as values, and the input hash that a part is checked by.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// A SHA-256 digest. Displayed, parsed and serialised as `sha256:<64 lower-case hex digits>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256Digest(pub [u8; 32]);

/// Why a text is not a digest.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a digest: expected `sha256:` and 64 lower-case hexadecimal digits")]
pub struct Sha256ParseError(String);

impl Sha256Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The 64 hexadecimal digits, without the algorithm.
    #[must_use]
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// Parses 64 lower-case hexadecimal digits without the algorithm.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn from_hex(text: &str) -> Result<Self, Sha256ParseError> {
        let refused = || Sha256ParseError(text.chars().take(80).collect());
        if text.len() != 64 || text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(refused());
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| refused())?;
        Ok(Self(bytes))
    }
}

impl From<[u8; 32]> for Sha256Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sha256Digest {
    type Err = Sha256ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix("sha256:")
            .ok_or_else(|| Sha256ParseError(text.chars().take(80).collect()))
            .and_then(Self::from_hex)
    }
}

impl Serialize for Sha256Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The hash of a sequence of inputs: SHA-256 over the lines `_id NUL record_sha256 LF`, with the
/// record's digest as 64 hexadecimal digits, in canonical order.
///
/// Planning computes it from the index, the adapter from the records it reads, a verifier from the
/// records it received: all three must agree.
#[derive(Clone, Default)]
pub struct InputHasher {
    sha: Sha256,
    records: u64,
}

impl InputHasher {
    /// Adds one record.
    pub fn add(&mut self, id: &str, record_sha256: &Sha256Digest) {
        let mut digits = [0; 64];
        // The buffer is exactly twice the digest, so this cannot fail.
        let _ = hex::encode_to_slice(record_sha256.0, &mut digits);
        self.sha.update(id.as_bytes());
        self.sha.update([0]);
        self.sha.update(digits);
        self.sha.update(b"\n");
        self.records += 1;
    }

    /// How many records were added.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The hash over all lines.
    #[must_use]
    pub fn finish(self) -> Sha256Digest {
        Sha256Digest(self.sha.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_hash_is_sha256_over_the_documented_lines() {
        let digest = Sha256Digest::of(b"{}");
        let mut hasher = InputHasher::default();
        hasher.add("a", &digest);
        let line = format!("a\0{}\n", digest.hex());
        assert_eq!(hasher.finish(), Sha256Digest::of(line.as_bytes()));
    }

    #[test]
    fn parses_only_its_own_form() {
        let digest = Sha256Digest::of(b"x");
        assert_eq!(digest.to_string().parse::<Sha256Digest>().unwrap(), digest);
        for bad in [
            "",
            "sha256:",
            "sha256:zz",
            &digest.hex(),
            &digest.to_string().to_uppercase(),
        ] {
            assert!(bad.parse::<Sha256Digest>().is_err(), "{bad}");
        }
    }
}
