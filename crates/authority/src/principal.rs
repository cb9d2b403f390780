//! Who a request is from.

use export_model::{Tenant, Timestamp};

use crate::denied::Denied;
use crate::scope::{Scope, Scopes};

/// Who a token speaks for, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The token's `sub`: 1 to 256 bytes without control characters. Unique at the Authority only.
    pub subject: String,
    /// The only tenant whose resources this principal sees.
    pub tenant: Tenant,
    /// What the token allows.
    pub scopes: Scopes,
    /// The RFC 7638 thumbprint of the key that the token is bound to (`cnf.jkt`, RFC 9449 §6.1).
    pub jkt: String,
    /// The token's `exp`, without leeway. What goes on for longer than a request (events) ends by then.
    pub expires_at: Timestamp,
}

impl Principal {
    /// Whether the token allows `scope`.
    #[must_use]
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(scope)
    }

    /// Asks for `scope`.
    ///
    /// # Errors
    /// [`Denied::Scope`] when the token does not carry it.
    pub fn require(&self, scope: Scope) -> Result<(), Denied> {
        if self.allows(scope) {
            Ok(())
        } else {
            Err(Denied::Scope(scope))
        }
    }
}
