//! Positions as texts that a URL can carry.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use export_model::Position;

/// A position as a cursor: base64url of the JSON array `[subject_key, id]`. It is derived from the
/// position alone, so one can be made of every line, and of positions that no record has.
pub(crate) fn encode(position: &Position) -> String {
    // Two texts are JSON whatever they hold.
    let json = serde_json::to_vec(&(&position.subject_key, &position.id)).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(json)
}

/// The position that a cursor stands for; none where it is none.
#[cfg(feature = "server")]
pub(crate) fn decode(cursor: &str) -> Option<Position> {
    let json = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (subject_key, id) = serde_json::from_slice(&json).ok()?;
    Some(Position { subject_key, id })
}

#[cfg(all(test, feature = "server"))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_position_comes_back_and_nothing_else_does() {
        for (subject_key, id) in [
            ("", ""),
            ("pkg:npm/a@1?x=y&z", "é\u{0}\n"),
            ("\u{10000}", "\""),
        ] {
            let position = Position {
                subject_key: subject_key.to_owned(),
                id: id.to_owned(),
            };
            let cursor = encode(&position);
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
            assert!(cursor.bytes().all(plain), "{cursor}");
            assert_eq!(decode(&cursor).unwrap(), position);
        }
        for bad in [
            "",
            "x",
            "W10",
            "WyJhIl0",
            "WyJhIiwxXQ",
            "WyJhIiwiYiIsImMiXQ",
            "WyJhIiwiYiJd=",
        ] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
