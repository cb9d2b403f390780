//! Secrets from Secrets Manager.

use std::fmt;

use export_ports::{PortError, PortErrorKind};
use zeroize::Zeroizing;

use crate::Aws;
use crate::failure::{Access, failed};

/// A secret text. It is wiped from memory when dropped, and never shown by accident.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text, for whoever needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Aws {
    /// The current text of the secret with this name or ARN, such as the URI of MongoDB.
    ///
    /// # Errors
    /// `NotFound` when there is none; `Invalid` when it holds bytes instead of text; `Unavailable`
    /// when it cannot be asked for.
    pub async fn secret(&self, name_or_arn: &str) -> Result<Secret, PortError> {
        let doing = || format!("reading secret {name_or_arn}");
        let found = self
            .secrets()
            .get_secret_value()
            .secret_id(name_or_arn)
            .send()
            .await
            .map_err(|error| failed(Access::Read, doing(), &error))?;
        match found.secret_string {
            Some(text) => Ok(Secret(Zeroizing::new(text))),
            None => Err(PortError::because(
                PortErrorKind::Invalid,
                doing(),
                "it holds bytes; expected text",
            )),
        }
    }
}
