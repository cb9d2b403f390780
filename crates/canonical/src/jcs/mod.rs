//! RFC 8785 (JSON Canonicalization Scheme) for documents that are authored here.
//!
//! Such documents hold no floating-point number and no integer beyond ±(2^53 − 1): readers in
//! JavaScript and Go would print those differently, and a signature would no longer match. Both
//! are refused rather than rounded, which `serde_json_canonicalizer`, the serialiser underneath,
//! would do in silence (as it writes `null` for a NaN and keeps one of two equal members).

mod floats;

use serde::Serialize;

use crate::record::{Fault, KeyOrder, Limits, Numbers, ParseError, normalise};

/// Why a value could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JcsError {
    /// The value holds a floating-point number, even one without a fraction, or NaN.
    #[error("a floating-point number has no place in a canonical document")]
    Float,
    /// The value holds an integer beyond ±(2^53 − 1).
    #[error("the integer {0} is beyond what every JSON reader holds exactly (2^53 - 1)")]
    Integer(String),
    /// The value writes an object with two equal members, or nests too deep.
    #[error("the document has no canonical form: {0}")]
    Invalid(ParseError),
    /// The value cannot be written as JSON, by its own account or by the serialiser's.
    #[error("could not serialise the document")]
    Serialise(#[from] serde_json::Error),
}

/// Why bytes are not an RFC 8785 document as [`to_jcs`] writes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotJcs {
    /// They are not JSON, or not unambiguous.
    #[error(transparent)]
    Invalid(#[from] ParseError),
    /// A number is not an integer within ±(2^53 − 1) in plain digits.
    #[error("the number at byte {offset} is not a plain integer within 2^53 - 1")]
    Number {
        /// The first byte of the number.
        offset: usize,
    },
    /// The same document in canonical form differs from here on.
    #[error("not in canonical form (RFC 8785) from byte {offset} on")]
    Form {
        /// The first byte that differs.
        offset: usize,
    },
}

/// The RFC 8785 form of `value`.
///
/// # Errors
/// Where `value` has a number that is refused, an object with two equal members, or cannot be
/// serialised.
pub fn to_jcs<T: Serialize>(value: &T) -> Result<Vec<u8>, JcsError> {
    floats::refuse(value)?;
    // The serialiser below keeps one of two equal members without a word, and rounds integers:
    // both show in the plain form only.
    let plain = serde_json::to_vec(value)?;
    match normalise(
        &plain,
        &Limits {
            bytes: usize::MAX,
            ..Limits::default()
        },
        Numbers::SafeInteger,
        KeyOrder::Utf16,
    ) {
        Ok(_) => Ok(serde_json_canonicalizer::to_vec(value)?),
        Err(Fault::Invalid(error)) => Err(JcsError::Invalid(error)),
        Err(Fault::Refused(offset)) => {
            let digits = plain
                .iter()
                .skip(offset)
                .take_while(|b| b.is_ascii_digit() || **b == b'-');
            Err(JcsError::Integer(digits.map(|&b| char::from(b)).collect()))
        }
    }
}

/// Says whether `bytes` are exactly what [`to_jcs`] writes for the document that they hold.
/// [`Limits::default`] apply.
///
/// # Errors
/// The first point in which they are not.
pub fn is_jcs(bytes: &[u8]) -> Result<(), NotJcs> {
    let canonical = normalise(
        bytes,
        &Limits::default(),
        Numbers::SafeInteger,
        KeyOrder::Utf16,
    )
    .map_err(|fault| match fault {
        Fault::Invalid(error) => NotJcs::Invalid(error),
        Fault::Refused(offset) => NotJcs::Number { offset },
    })?;
    if canonical == bytes {
        return Ok(());
    }
    let same = canonical
        .iter()
        .zip(bytes)
        .take_while(|(a, b)| a == b)
        .count();
    Err(NotJcs::Form { offset: same })
}

#[cfg(test)]
mod tests;
