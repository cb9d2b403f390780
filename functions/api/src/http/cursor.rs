//! Cursors: where the next page of a list begins.
//!
//! A cursor is opaque, so that lists may be kept in other ways tomorrow, and says its version. It
//! carries the list that it belongs to: continuing another one with it would skip what the client
//! never saw.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use export_model::Sha256Digest;
use serde::{Deserialize, Serialize};

use super::Problem;

/// The longest cursor that is looked at, in characters.
const LONGEST: usize = 1_024;
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    v: u8,
    /// The beginning of a digest of what was asked.
    list: String,
    after: String,
}

/// A cursor that continues the list that `query` asks for after the entry `after`.
pub(super) fn encode(query: &impl Serialize, after: &str) -> String {
    let cursor = Cursor {
        v: VERSION,
        list: list(query),
        after: after.to_owned(),
    };
    // Plain texts always serialise.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&cursor).unwrap_or_default())
}

/// The entry after which the list that `query` asks for goes on.
///
/// # Errors
/// A 422 naming `cursor` when it is not one, of another version, or of another list.
pub(super) fn decode(query: &impl Serialize, cursor: &str) -> Result<String, Problem> {
    let refused = |why: &str| super::field("cursor", why);
    if cursor.len() > LONGEST {
        return Err(refused("is longer than any cursor"));
    }
    let parsed: Cursor = URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(|| refused("is not a cursor that this service gave"))?;
    if parsed.v != VERSION {
        return Err(refused("is of another version; begin the list again"));
    }
    if parsed.list != list(query) {
        return Err(refused(
            "belongs to another list; repeat the parameters that it came from",
        ));
    }
    Ok(parsed.after)
}

fn list(query: &impl Serialize) -> String {
    let query = serde_json::to_vec(query).unwrap_or_default();
    let mut digest = Sha256Digest::of(&query).hex();
    digest.truncate(16);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_goes_on_with_its_own_list_only() {
        let query = ("runs", Some("failed"));
        let cursor = encode(&query, "run-7");
        assert_eq!(decode(&query, &cursor).unwrap(), "run-7");
        let other = decode(&("runs", Some("completed")), &cursor).unwrap_err();
        assert_eq!(other.status, 422);
        assert_eq!(other.fields[0].field, "cursor");
        for bad in [
            "",
            "x",
            "e30",
            &"A".repeat(5_000),
            "eyJ2Ijo5LCJsaXN0IjoiIiwiYWZ0ZXIiOiIifQ",
        ] {
            assert_eq!(decode(&query, bad).unwrap_err().status, 422, "{bad}");
        }
    }
}
