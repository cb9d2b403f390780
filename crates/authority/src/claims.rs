//! Reading claims, each refusal naming the claim.

use export_model::Timestamp;
use serde_json::Value;

/// 9999-12-31T23:59:59Z.
const LAST_SECOND: f64 = 253_402_300_799.0;

/// What was wrong with a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimFault {
    Missing(&'static str),
    Wrong(&'static str),
}

/// A claim that has to be a text that is not empty.
pub(crate) fn text<'a>(
    claim: Option<&'a Value>,
    name: &'static str,
) -> Result<&'a str, ClaimFault> {
    match claim {
        None => Err(ClaimFault::Missing(name)),
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        Some(_) => Err(ClaimFault::Wrong(name)),
    }
}

/// A claim that has to be a time: seconds since 1970, perhaps with a fraction (RFC 7519 §2).
pub(crate) fn time(claim: Option<&Value>, name: &'static str) -> Result<Timestamp, ClaimFault> {
    let seconds = match claim {
        None => return Err(ClaimFault::Missing(name)),
        Some(Value::Number(number)) => number.as_f64(),
        Some(_) => None,
    };
    match seconds {
        // Doubles are exact to the millisecond in this range.
        #[allow(clippy::cast_possible_truncation, reason = "the range is checked")]
        Some(seconds) if (0.0..=LAST_SECOND).contains(&seconds) => {
            Ok(Timestamp((seconds * 1000.0).floor() as i64))
        }
        _ => Err(ClaimFault::Wrong(name)),
    }
}
