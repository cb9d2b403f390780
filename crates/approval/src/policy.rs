//! What the host says about approvals.

use std::collections::BTreeMap;

use export_model::Tenant;
use export_signing::PublicKey;

/// Whether exports across tenants are on, and whose signatures count. A value: where keys are kept
/// is the host's business. The default refuses everything.
#[derive(Clone, Debug, Default)]
pub struct ApprovalPolicy {
    /// Whether a request may name other tenants at all.
    pub enabled: bool,
    /// The keys that may sign for a tenant.
    pub keys: BTreeMap<Tenant, Vec<PublicKey>>,
}
