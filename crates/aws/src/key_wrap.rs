//! Data keys of sealed runs, wrapped by a key that never leaves KMS.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_kms::Client;
use aws_sdk_kms::error::ProvideErrorMetadata as _;
use aws_sdk_kms::primitives::Blob;
use export_ports::{PortError, PortErrorKind};
use export_sealing::{Context, DataKey, KeyWrap, WrappedKey};
use zeroize::Zeroizing;

use crate::failure::{Access, failed};
use crate::{Aws, KmsKeyUri};

const PROVIDER: &str = "aws-kms";

/// What KMS says of a ciphertext that was altered, is another key's, or belongs to another context.
const NOT_ITS_OWN: [&str; 2] = ["InvalidCiphertextException", "IncorrectKeyException"];

/// Wraps data keys with a symmetric key of KMS, in the encryption context `{tenant, run}`.
///
/// A wrapped key names the key's ARN, so it can be unwrapped after an alias was pointed at another key, as long as
/// the credentials may use the old one. Nobody is asked before first use.
pub struct KmsKeyWrap {
    client: Client,
    uri: KmsKeyUri,
}

impl Aws {
    /// The wrapping of data keys with the key `uri`. Asks nobody: a key that cannot be used is found at first use.
    #[must_use]
    pub fn key_wrap(&self, uri: KmsKeyUri) -> KmsKeyWrap {
        KmsKeyWrap {
            client: self.kms(uri.endpoint()),
            uri,
        }
    }
}

fn encryption_context(context: &Context) -> HashMap<String, String> {
    HashMap::from([
        ("run".to_owned(), context.run.to_string()),
        ("tenant".to_owned(), context.tenant.to_string()),
    ])
}

/// Whether KMS takes it as a key's ARN, which says nothing about whose it is.
fn is_arn(key_id: &str) -> bool {
    KmsKeyUri::parse(&format!("awskms:///{key_id}")).is_ok() && key_id.starts_with("arn:")
}

#[async_trait]
impl KeyWrap for KmsKeyWrap {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn key_id(&self) -> String {
        self.uri.as_str().to_owned()
    }

    fn may_unwrap(&self, wrapped: &WrappedKey) -> bool {
        wrapped.provider == PROVIDER && is_arn(&wrapped.key_id)
    }

    async fn wrap(&self, key: &DataKey, context: &Context) -> Result<WrappedKey, PortError> {
        let doing = || format!("wrapping a data key with {}", self.uri.as_str());
        let wrapped = self
            .client
            .encrypt()
            .key_id(self.uri.key())
            .plaintext(Blob::new(key.bytes().as_slice()))
            .set_encryption_context(Some(encryption_context(context)))
            .send()
            .await
            // A key that may not be used is no store that cannot be written to.
            .map_err(|error| failed(Access::Read, doing(), &error))?;
        match (wrapped.ciphertext_blob, wrapped.key_id) {
            (Some(ciphertext), Some(key_id)) => Ok(WrappedKey {
                ciphertext: ciphertext.into_inner(),
                data_key_id: key.id(),
                key_id,
                provider: PROVIDER.to_owned(),
            }),
            _ => Err(PortError::because(
                PortErrorKind::Unavailable,
                doing(),
                "the service gave no wrapped key",
            )),
        }
    }

    async fn unwrap(&self, wrapped: &WrappedKey, context: &Context) -> Result<DataKey, PortError> {
        let invalid = |doing: String, why: &str| {
            PortError::because(PortErrorKind::Invalid, doing, why.to_owned())
        };
        if !self.may_unwrap(wrapped) {
            return Err(invalid(
                format!("unwrapping a data key with {}", self.uri.as_str()),
                "it was not wrapped by a key of KMS",
            ));
        }
        let doing = || format!("unwrapping a data key with {}", wrapped.key_id);
        let opened = self
            .client
            .decrypt()
            .key_id(&wrapped.key_id)
            .ciphertext_blob(Blob::new(wrapped.ciphertext.as_slice()))
            .set_encryption_context(Some(encryption_context(context)))
            .send()
            .await
            .map_err(|error| {
                let code = error.as_service_error().and_then(|error| error.code());
                if code.is_some_and(|code| NOT_ITS_OWN.contains(&code)) {
                    return invalid(
                        doing(),
                        "it was altered, or belongs to another run or another key",
                    );
                }
                failed(Access::Read, doing(), &error)
            })?;
        let plain = opened.plaintext.map(Blob::into_inner).map(Zeroizing::new);
        let plain = plain.ok_or_else(|| {
            PortError::because(
                PortErrorKind::Unavailable,
                doing(),
                "the service gave no key",
            )
        })?;
        let key: [u8; 32] = plain[..]
            .try_into()
            .map_err(|_| invalid(doing(), "what was in it is not 32 bytes"))?;
        wrapped.check(DataKey::from_bytes(Zeroizing::new(key)))
    }
}
