//! Data keys, wrapped by a key that outlives them.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use export_model::{RunId, Tenant};
use export_ports::{PortError, PortErrorKind};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::DataKey;

/// The most bytes of a wrapped key that are read: what KMS gives at most, and some more.
pub const MAX_WRAPPED_BYTES: usize = 8 * 1024;

/// What a data key belongs to. A wrapped key opens for this context only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// The run whose files the key seals.
    pub run: RunId,
    /// Its tenant.
    pub tenant: Tenant,
}

/// A data key that only one key-encryption key opens. It is no secret, and not authentic by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrappedKey {
    /// The wrapped key; in JSON as standard base64. Its format is the provider's.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub ciphertext: Vec<u8>,
    /// The [id](DataKey::id) of the data key.
    pub data_key_id: String,
    /// The key-encryption key's name, as its provider has it.
    pub key_id: String,
    /// Who wrapped it: `aws-kms` or `key-file`.
    pub provider: String,
}

fn to_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes = STANDARD
        .decode(text)
        .map_err(|_| de::Error::custom("a wrapped key is not base64"))?;
    if bytes.len() > MAX_WRAPPED_BYTES {
        return Err(de::Error::custom("a wrapped key is longer than any is"));
    }
    Ok(bytes)
}

/// A key-encryption key, wherever it lives.
///
/// What every implementation has to keep is checked by [`conformance::key_wrap`](crate::conformance::key_wrap).
#[async_trait]
pub trait KeyWrap: Send + Sync {
    /// Who wraps, as [`WrappedKey::provider`] says it.
    fn provider(&self) -> &'static str;

    /// The key's name, for people; [`WrappedKey::key_id`] may say more exactly which key an alias stood for.
    fn key_id(&self) -> String;

    /// Whether this could have wrapped `wrapped`, as far as can be told without asking anybody.
    fn may_unwrap(&self, wrapped: &WrappedKey) -> bool;

    /// Wraps a data key.
    ///
    /// # Errors
    /// When the key cannot be used.
    async fn wrap(&self, key: &DataKey, context: &Context) -> Result<WrappedKey, PortError>;

    /// Gives a data key back.
    ///
    /// # Errors
    /// `Invalid` when it was wrapped by another key or in another context, or was altered; anything else when the key
    /// cannot be used.
    async fn unwrap(&self, wrapped: &WrappedKey, context: &Context) -> Result<DataKey, PortError>;
}

/// Wraps a data key anew with `to`. The old form stays valid as long as its key can be used.
///
/// # Errors
/// As [`KeyWrap::unwrap`] of `from` and [`KeyWrap::wrap`] of `to`.
pub async fn rewrap(
    wrapped: &WrappedKey,
    from: &dyn KeyWrap,
    to: &dyn KeyWrap,
    context: &Context,
) -> Result<WrappedKey, PortError> {
    let key = from.unwrap(wrapped, context).await?;
    to.wrap(&key, context).await
}

impl WrappedKey {
    /// The data key with these bytes, if it is the one that this says it holds. For implementations of
    /// [`KeyWrap::unwrap`].
    ///
    /// # Errors
    /// `Invalid` when it is another.
    pub fn check(&self, key: DataKey) -> Result<DataKey, PortError> {
        if key.id() == self.data_key_id {
            return Ok(key);
        }
        Err(PortError::because(
            PortErrorKind::Invalid,
            format!("unwrapping the data key {:?}", excerpt(&self.data_key_id)),
            "another data key was in it",
        ))
    }
}

/// The beginning of a name that somebody else gave.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(100).collect()
}
