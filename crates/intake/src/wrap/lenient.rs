//! Reading what publishers write: `null` for an absent member, one value for a list of one.
//!
//! Only the members that an envelope is made of are read; everything else in a document passes
//! unread, whatever it is.

use export_model::ErrorCode;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use crate::Refusal;

/// For `#[serde(default, deserialize_with = "or_default")]`: `null` counts as absent.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A text, or anything else: some members are texts in one version of a format and objects in
/// another.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum TextOr<T> {
    Text(String),
    Other(T),
}

/// Reads `document`, of which `what` names the format.
pub(super) fn read<T: DeserializeOwned>(document: &[u8], what: &str) -> Result<T, Refusal> {
    serde_json::from_slice(document).map_err(|error| {
        let text = error.to_string();
        let reason = text.split(" at line ").next().unwrap_or_default();
        Refusal::new(
            ErrorCode::InvalidRecord,
            format!("the document cannot be read as {what}: {reason}"),
        )
    })
}
