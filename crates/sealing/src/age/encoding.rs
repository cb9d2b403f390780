//! Base64 as headers have it: the standard alphabet, no padding, nothing left over.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

pub(super) fn encode(bytes: &[u8]) -> String {
    STANDARD_NO_PAD.encode(bytes)
}

/// The bytes, if `text` is their one way to be written.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text).ok()
}
