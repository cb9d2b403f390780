//! For whom files may be sealed, by the settings; keys are KMS's.

use std::sync::Arc;

use export_aws::{Aws, KmsKeyUri};
use export_ports::{PortError, PortErrorKind};
use export_sealing::{KeyWrap, SealConfig, SealHost, WrappedKey};

/// Sealing of a stack.
pub(crate) struct StackSeals {
    pub(crate) config: SealConfig,
    pub(crate) aws: Aws,
}

impl SealHost for StackSeals {
    fn config(&self) -> Result<SealConfig, PortError> {
        Ok(self.config.clone())
    }

    fn key(&self, name: &str) -> Result<Arc<dyn KeyWrap>, PortError> {
        Ok(Arc::new(self.aws.key_wrap(KmsKeyUri::parse(name)?)))
    }

    fn key_of(&self, wrapped: &WrappedKey) -> Result<Arc<dyn KeyWrap>, PortError> {
        let key = self.key(&format!("awskms:///{}", wrapped.key_id))?;
        if key.may_unwrap(wrapped) {
            return Ok(key);
        }
        let provider: String = wrapped.provider.chars().take(40).collect();
        let doing = format!("unwrapping a key that {provider:?} wrapped with KMS");
        Err(PortError::new(PortErrorKind::NotFound, doing))
    }

    fn random(&self, buffer: &mut [u8]) -> Result<(), PortError> {
        getrandom::fill(buffer).map_err(|error| {
            PortError::because(PortErrorKind::Unavailable, "asking for randomness", error)
        })
    }
}
