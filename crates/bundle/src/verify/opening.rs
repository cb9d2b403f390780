//! Opening the files of a sealed bundle while it is verified.

use std::fmt;
use std::sync::Arc;

use export_model::{RunId, Tenant};
use export_sealing::{Keyring, Opener};
use serde_json::Value;

/// What a bundle says of how it is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedAs {
    /// `age` or `aes-gcm`.
    pub mode: String,
    /// The run whose files they are.
    pub run: RunId,
    /// Its tenant.
    pub tenant: Tenant,
    /// What the signed provenance says: recipients, or the wrapped key.
    pub how: Value,
}

/// Whoever holds identities and keys.
pub trait Unseal: Send + Sync {
    /// The keys that may open a bundle that is sealed so.
    ///
    /// # Errors
    /// Why there are none, in words.
    fn keyring(&self, sealed: &SealedAs) -> Result<Keyring, String>;
}

/// Identities and keys to open sealed bundles with; none for nothing but what everybody can verify.
#[derive(Clone, Default)]
pub struct Keys(pub Option<Arc<dyn Unseal>>);

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "Keys(some)",
            None => "Keys(none)",
        })
    }
}

/// A file being opened.
pub(super) struct Opening {
    opener: Option<Opener>,
    /// What has come out and was not taken yet.
    pub(super) out: Vec<u8>,
}

impl Opening {
    pub(super) fn new(keys: &Arc<Keyring>, path: &str) -> Self {
        Self {
            opener: Some(Opener::new(Arc::clone(keys), path)),
            out: Vec::new(),
        }
    }

    /// Takes sealed bytes; gives the error that ends it, once.
    pub(super) fn feed(&mut self, sealed: &[u8]) -> Option<export_sealing::OpenError> {
        let opener = self.opener.as_mut()?;
        let failed = opener.update(sealed, &mut self.out).err();
        if failed.is_some() {
            self.opener = None;
        }
        failed
    }

    /// Ends it; gives the error where it did not open to its end, and was not told yet.
    pub(super) fn finish(&mut self) -> Option<export_sealing::OpenError> {
        self.opener.take()?.finish(&mut self.out).err()
    }
}
