//! A signing key that never leaves KMS.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeySpec, KeyUsageType, MessageType, SigningAlgorithmSpec};
use export_ports::{PortError, PortErrorKind, Signer, SignerLevel};
use pem::{EncodeConfig, LineEnding, Pem};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use crate::failure::{Access, failed};
use crate::{Aws, KmsKeyUri};

/// Signs with a P-256 key of KMS.
///
/// The public key is asked for once, and checked to be one that verifiers of bundles take. Where the
/// name is an alias that is pointed at another key later, the first signature by that key is
/// refused, so that no document names one key and carries the signature of another; the next call
/// asks again.
pub struct KmsSigner {
    client: Client,
    uri: KmsKeyUri,
    known: Mutex<Option<Arc<Known>>>,
}

/// The key that the name stood for when it was asked.
struct Known {
    arn: Option<String>,
    public_key_pem: String,
}

impl Aws {
    /// The signer that uses the key `uri`. Asks nobody: a key that cannot be used is found at first
    /// use.
    #[must_use]
    pub fn signer(&self, uri: KmsKeyUri) -> KmsSigner {
        KmsSigner {
            client: self.kms(uri.endpoint()),
            uri,
            known: Mutex::new(None),
        }
    }
}

impl KmsSigner {
    async fn known(&self) -> Result<Arc<Known>, PortError> {
        let mut known = self.known.lock().await;
        if let Some(known) = &*known {
            return Ok(Arc::clone(known));
        }
        let doing = || format!("reading the public key of {}", self.uri.as_str());
        let found = self
            .client
            .get_public_key()
            .key_id(self.uri.key())
            .send()
            .await
            .map_err(|error| failed(Access::Read, doing(), &error))?;
        let is_ours = found.key_spec() == Some(&KeySpec::EccNistP256)
            && found.key_usage() == Some(&KeyUsageType::SignVerify);
        let Some(der) = found.public_key().filter(|_| is_ours) else {
            return Err(PortError::because(
                PortErrorKind::Invalid,
                format!("using the key {}", self.uri.as_str()),
                format!(
                    "it is a {} key for {}; expected ECC_NIST_P256 for SIGN_VERIFY",
                    found.key_spec().map_or("different", KeySpec::as_str),
                    found
                        .key_usage()
                        .map_or("another use", KeyUsageType::as_str),
                ),
            ));
        };
        let block = Pem::new("PUBLIC KEY", der.as_ref());
        let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
        let found = Arc::new(Known {
            arn: found.key_id().map(str::to_owned),
            public_key_pem: pem::encode_config(&block, config),
        });
        *known = Some(Arc::clone(&found));
        Ok(found)
    }
}

#[async_trait]
impl Signer for KmsSigner {
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, PortError> {
        let doing = || format!("signing with {}", self.uri.as_str());
        let digest = Sha256::digest(message);
        let known = self.known().await?;
        let signed = self
            .client
            .sign()
            .key_id(self.uri.key())
            .message(Blob::new(digest.as_slice()))
            .message_type(MessageType::Digest)
            .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
            .send()
            .await
            // A key that may not be used is no store that cannot be written to.
            .map_err(|error| failed(Access::Read, doing(), &error))?;
        if signed.key_id() != known.arn.as_deref() {
            *self.known.lock().await = None;
            return Err(PortError::because(
                PortErrorKind::Unavailable,
                doing(),
                "the name stands for another key than before; it will be used from now on",
            ));
        }
        match signed.signature {
            Some(signature) => Ok(signature.into_inner()),
            None => Err(PortError::because(
                PortErrorKind::Unavailable,
                doing(),
                "the service gave no signature",
            )),
        }
    }

    async fn public_key_pem(&self) -> Result<String, PortError> {
        Ok(self.known().await?.public_key_pem.clone())
    }

    fn key_id(&self) -> String {
        self.uri.as_str().to_owned()
    }

    fn level(&self) -> SignerLevel {
        SignerLevel::Service
    }
}
