//! Why an approval does not allow what was asked for.

use export_model::{ErrorCode, ProfileKind, Tenant, Timestamp};
use export_signing::Fingerprint;

/// Why an approval does not allow what was asked for. Each is the request's fault: the service did
/// what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// It is no approval.
    #[error("this is no approval: {what}")]
    NotAnApproval {
        /// What is wrong with it.
        what: String,
    },
    /// No key of the grantor is known, or not the one that the approval names.
    #[error("{}", unknown_key(.grantor, .named.as_ref()))]
    UnknownKey {
        /// The tenant that is said to have granted it.
        grantor: Tenant,
        /// The key that the envelope names, where it names one.
        named: Option<Fingerprint>,
    },
    /// A known key of the grantor did not sign exactly this.
    #[error("the approval `{nonce}` of tenant {grantor} was not signed as it is: it was altered")]
    BadSignature {
        /// The tenant that is said to have granted it.
        grantor: Tenant,
        /// Its name.
        nonce: String,
    },
    /// Its time is over.
    #[error("the approval `{nonce}` of tenant {grantor} expired at {expires_at}")]
    Expired {
        /// Who granted it.
        grantor: Tenant,
        /// Its name.
        nonce: String,
        /// When.
        expires_at: Timestamp,
    },
    /// Its time has not come.
    #[error("the approval `{nonce}` of tenant {grantor} is not valid before {not_before}")]
    NotYetValid {
        /// Who granted it.
        grantor: Tenant,
        /// Its name.
        nonce: String,
        /// From when on.
        not_before: Timestamp,
    },
    /// It was given to somebody else.
    #[error("the approval `{nonce}` of tenant {grantor} was given to {grantee}, not to {asking}")]
    OtherGrantee {
        /// Who granted it.
        grantor: Tenant,
        /// Its name.
        nonce: String,
        /// To whom.
        grantee: Tenant,
        /// Who asks.
        asking: Tenant,
    },
    /// It is for other profiles.
    #[error("the approval `{nonce}` of tenant {grantor} is not for profiles of the kind {asked}")]
    OtherProfileKind {
        /// Who granted it.
        grantor: Tenant,
        /// Its name.
        nonce: String,
        /// What was asked for.
        asked: ProfileKind,
    },
    /// The request could select more than was approved.
    #[error(
        "the request selects more than the approval `{nonce}` of tenant {grantor} allows: \
         see its `{criterion}`"
    )]
    Wider {
        /// Who granted it.
        grantor: Tenant,
        /// Its name.
        nonce: String,
        /// By which criterion of the selectors.
        criterion: &'static str,
    },
    /// The request does not name the grantor: nobody knows what the approval is for.
    #[error(
        "the approval `{nonce}` is of tenant {grantor}, whose evidence the request does not ask for"
    )]
    NotAsked {
        /// Who granted it.
        grantor: Tenant,
        /// Its name.
        nonce: String,
    },
    /// Two approvals of one tenant.
    #[error("there are two approvals of tenant {grantor}; give one")]
    Twice {
        /// Who granted both.
        grantor: Tenant,
    },
    /// Tenants whose evidence was asked for have approved nothing.
    #[error("there is no approval of {}", list(.tenants))]
    TenantsNotGranted {
        /// Which, sorted.
        tenants: Vec<Tenant>,
    },
}

fn unknown_key(grantor: &Tenant, named: Option<&Fingerprint>) -> String {
    match named {
        Some(key) => format!("the key {key} is not known to be tenant {grantor}'s"),
        None => format!("no key is known to be tenant {grantor}'s"),
    }
}

fn list(tenants: &[Tenant]) -> String {
    let names: Vec<_> = tenants.iter().map(|t| format!("tenant {t}")).collect();
    names.join(", ")
}

impl Refused {
    /// The catalogue's code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotAnApproval { .. } | Self::Twice { .. } => ErrorCode::ApprovalInvalid,
            Self::UnknownKey { .. } | Self::BadSignature { .. } => ErrorCode::ApprovalSignature,
            Self::Expired { .. } | Self::NotYetValid { .. } => ErrorCode::ApprovalTime,
            Self::OtherGrantee { .. }
            | Self::OtherProfileKind { .. }
            | Self::Wider { .. }
            | Self::NotAsked { .. } => ErrorCode::ApprovalScope,
            Self::TenantsNotGranted { .. } => ErrorCode::CrossTenant,
        }
    }
}
