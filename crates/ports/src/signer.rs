//! The signer port: one ECDSA P-256 key, wherever it lives.

use async_trait::async_trait;

use crate::PortError;

/// Which builder a signer stands for, and so which level its provenance may claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignerLevel {
    /// A key that only the service can use (KMS).
    Service,
    /// A key file.
    KeyFile,
}

/// A signing key.
#[async_trait]
pub trait Signer: Send + Sync {
    /// Signs SHA-256 of `message`; gives the ASN.1 DER ECDSA signature.
    ///
    /// # Errors
    /// When the key cannot be used.
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, PortError>;

    /// The public key as SPKI PEM, with LF line ends.
    ///
    /// # Errors
    /// When the key cannot be used.
    async fn public_key_pem(&self) -> Result<String, PortError>;

    /// The signer's own name of the key, such as `awskms:///alias/export` or `file`.
    fn key_id(&self) -> String;

    /// Which builder it stands for.
    fn level(&self) -> SignerLevel;
}
