//! Keys that files are sealed with, and for whom a tenant's files may be sealed.

use async_trait::async_trait;
use export_model::{RunKey, Tenant};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::PortError;

/// For whom, and under which keys, a tenant's files may be sealed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Recipients of age, `age1…`.
    pub recipients: Vec<String>,
    /// Key-encryption keys.
    pub keys: Vec<String>,
}

/// The key of a run, in the clear.
pub type PlainKey = Zeroizing<[u8; 32]>;

/// Sealing, as far as the world has a say in it.
#[async_trait]
pub trait Seals: Send + Sync {
    /// What the configuration of `tenant` lists.
    ///
    /// # Errors
    /// When the configuration cannot be read.
    async fn listed(&self, tenant: &Tenant) -> Result<Listed, PortError>;

    /// Makes a key for a run, wrapped by the key-encryption key `key`; a wrapped key can be told to
    /// anybody.
    ///
    /// # Errors
    /// `NotFound` where there is no such key; whatever its keeper answers.
    async fn wrapped_key(&self, run: &RunKey, key: &str) -> Result<Value, PortError>;

    /// The key of a run that was wrapped.
    ///
    /// # Errors
    /// `Invalid` where it is no wrapped key of the run; whatever its keeper answers.
    async fn unwrapped_key(&self, run: &RunKey, wrapped: &Value) -> Result<PlainKey, PortError>;

    /// Fills a buffer with bytes that nobody can guess.
    ///
    /// # Errors
    /// When the system has none.
    fn random(&self, buffer: &mut [u8]) -> Result<(), PortError>;
}

/// Sealing where nothing can be sealed: no tenant's configuration lists anybody.
pub struct NoSeals;

#[async_trait]
impl Seals for NoSeals {
    async fn listed(&self, _: &Tenant) -> Result<Listed, PortError> {
        Ok(Listed::default())
    }

    async fn wrapped_key(&self, _: &RunKey, key: &str) -> Result<Value, PortError> {
        Err(unavailable(key))
    }

    async fn unwrapped_key(&self, run: &RunKey, _: &Value) -> Result<PlainKey, PortError> {
        Err(unavailable(run.run.as_str()))
    }

    fn random(&self, _: &mut [u8]) -> Result<(), PortError> {
        Err(unavailable("randomness"))
    }
}

fn unavailable(what: &str) -> PortError {
    PortError::because(
        crate::PortErrorKind::NotFound,
        format!("sealing with {what}"),
        "this host seals nothing",
    )
}
