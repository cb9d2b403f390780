//! Sealing as a host's configuration has it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use export_model::{RunKey, Tenant};
use export_ports::{Listed, PlainKey, PortError, PortErrorKind, Seals};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::{Context, DataKey, KeyWrap, Recipient, WrappedKey};

/// For whom each tenant's files may be sealed: `{"acme": {"recipients": ["age1…"], "keys": ["…"]}}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SealConfig(pub BTreeMap<Tenant, TenantSeals>);

/// For whom one tenant's files may be sealed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TenantSeals {
    /// Recipients of age.
    pub recipients: Vec<Recipient>,
    /// Key-encryption keys, by the names that the host knows them by.
    pub keys: Vec<String>,
}

/// What a host knows of key-encryption keys, and of tenants.
pub trait SealHost: Send + Sync {
    /// The configuration, as it is now.
    ///
    /// # Errors
    /// When it cannot be read.
    fn config(&self) -> Result<SealConfig, PortError>;

    /// The key-encryption key of this name.
    ///
    /// # Errors
    /// `NotFound` where there is none.
    fn key(&self, name: &str) -> Result<Arc<dyn KeyWrap>, PortError>;

    /// A key-encryption key that may have wrapped `wrapped`.
    ///
    /// # Errors
    /// `NotFound` where there is none.
    fn key_of(&self, wrapped: &WrappedKey) -> Result<Arc<dyn KeyWrap>, PortError>;

    /// Fills a buffer with bytes that nobody can guess.
    ///
    /// # Errors
    /// When the system has none.
    fn random(&self, buffer: &mut [u8]) -> Result<(), PortError>;
}

/// The port of sealing, of a host.
pub struct HostSeals<H>(pub H);

fn context(run: &RunKey) -> Context {
    Context {
        run: run.run.clone(),
        tenant: run.tenant.clone(),
    }
}

#[async_trait]
impl<H: SealHost> Seals for HostSeals<H> {
    async fn listed(&self, tenant: &Tenant) -> Result<Listed, PortError> {
        let config = self.0.config()?;
        let seals = config.0.get(tenant).cloned().unwrap_or_default();
        Ok(Listed {
            recipients: seals.recipients.iter().map(Recipient::to_string).collect(),
            keys: seals.keys,
        })
    }

    async fn wrapped_key(&self, run: &RunKey, key: &str) -> Result<Value, PortError> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            let doing = format!("making a key for run {run}");
            PortError::because(PortErrorKind::Unavailable, doing, error)
        };
        let wrap = self.0.key(key)?;
        let made = DataKey::generate(&mut |buffer: &mut [u8]| Ok(self.0.random(buffer)?));
        let made = made.map_err(|error| failed(error.into()))?;
        let wrapped = wrap.wrap(&made, &context(run)).await?;
        serde_json::to_value(wrapped).map_err(|error| failed(error.into()))
    }

    async fn unwrapped_key(&self, run: &RunKey, wrapped: &Value) -> Result<PlainKey, PortError> {
        let wrapped = WrappedKey::deserialize(wrapped).map_err(|error| {
            let doing = format!("reading the wrapped key of run {run}");
            PortError::because(PortErrorKind::Invalid, doing, error)
        })?;
        let key = self.0.key_of(&wrapped)?;
        let key = key.unwrap(&wrapped, &context(run)).await?;
        Ok(Zeroizing::new(*key.bytes()))
    }

    fn random(&self, buffer: &mut [u8]) -> Result<(), PortError> {
        self.0.random(buffer)
    }
}
