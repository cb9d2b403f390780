//! Whose evidence a request may have.
//!
//! A request that names no tenants has its own tenant's. One that does needs, for each of the
//! others, an approval that this tenant signed. That is decided here, once, when the request is
//! accepted: a run that has begun in time may take longer than its approvals last.

use export_approval::{ApprovalPolicy, Refused, Request, Verified, verify_all};
use export_canonical::jcs::to_jcs;
use export_model::{
    CrossTenant, ErrorCode, FieldError, Profile, RecordedApproval, Run, Tenant, Timestamp,
};
use serde_json::Value;

use crate::{ApiError, RunRequest};

/// The most approvals that a request may name.
pub const MAX_APPROVALS: usize = 64;

const FIELD: &str = "options.approval";

/// Whose evidence a run may have, and by which approvals.
#[derive(Debug, Default)]
pub(crate) struct Access {
    /// As [`Run::owners`] has it: empty for the run's own tenant alone.
    pub(crate) owners: Vec<Tenant>,
    pub(crate) approvals: Vec<RecordedApproval>,
}

impl Access {
    pub(crate) fn owners<'a>(&'a self, own: &'a Tenant) -> &'a [Tenant] {
        if self.owners.is_empty() {
            std::slice::from_ref(own)
        } else {
            &self.owners
        }
    }
}

/// The approvals that a run uses up, by grantor and nonce: those that are good for one run. Each has
/// to be marked as used in the very transaction that writes the run, and the request refused with
/// `ERR_APPROVAL_USED` where one is marked already. The marks belong to the run's tenant, to whom
/// the approvals were given.
#[must_use]
pub fn approvals_to_mark(run: &Run) -> Vec<(Tenant, String)> {
    run.approvals
        .iter()
        .filter(|approval| approval.once)
        .map(|approval| (approval.grantor.clone(), approval.nonce.clone()))
        .collect()
}

/// Checks a request's selectors and approvals.
pub(crate) fn access(
    policy: &ApprovalPolicy,
    tenant: &Tenant,
    profile: &Profile,
    request: &RunRequest,
    now: Timestamp,
) -> Result<Access, ApiError> {
    let cross_tenant = if policy.enabled {
        CrossTenant::Allowed
    } else {
        CrossTenant::Refused
    };
    let selectors = request
        .selectors
        .compile_with(profile.kind, cross_tenant)
        .map_err(ApiError::invalid)?;
    let approvals = &request.options.approval;
    if selectors.tenants.iter().all(|named| named == tenant) {
        if approvals.is_empty() {
            return Ok(Access::default());
        }
        let message = "is of no use: the selectors name no other tenant";
        return Err(refused(ErrorCode::InvalidRequest, FIELD, message.into()));
    }
    if profile.kind.needs_policy() {
        let message = format!(
            "cannot be named with {}: its findings belong to one tenant's policy snapshot",
            profile.kind
        );
        return Err(refused(
            ErrorCode::CrossTenant,
            "selectors.tenants",
            message,
        ));
    }
    if approvals.len() > MAX_APPROVALS {
        let message = format!("has more than {MAX_APPROVALS} approvals");
        return Err(refused(ErrorCode::InvalidRequest, FIELD, message));
    }
    let asked = Request {
        grantee: tenant,
        profile_kind: profile.kind,
        selectors: &selectors,
        now,
    };
    let envelopes = approvals
        .iter()
        .map(to_jcs)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| {
            not_allowed(&Refused::NotAnApproval {
                what: error.to_string(),
            })
        })?;
    let verified =
        verify_all(&envelopes, &policy.keys, &asked).map_err(|error| not_allowed(&error))?;
    let mut recorded: Vec<_> = verified.iter().zip(approvals).map(keep).collect();
    recorded.sort_by(|a, b| a.grantor.cmp(&b.grantor));
    Ok(Access {
        owners: selectors.tenants,
        approvals: recorded,
    })
}

fn keep((one, envelope): (&Verified, &Value)) -> RecordedApproval {
    RecordedApproval {
        grantor: one.approval.grantor.clone(),
        nonce: one.approval.nonce.clone(),
        once: one.approval.once,
        expires_at: one.approval.expires_at,
        key_fingerprint: one.key.to_string(),
        sha256: one.sha256,
        envelope: envelope.clone(),
    }
}

fn not_allowed(why: &Refused) -> ApiError {
    let field = match why {
        Refused::TenantsNotGranted { .. } => "selectors.tenants",
        _ => FIELD,
    };
    ApiError {
        code: why.code(),
        detail: why.to_string(),
        fields: vec![FieldError {
            field: field.to_owned(),
            message: why.to_string(),
        }],
    }
}

fn refused(code: ErrorCode, field: &str, message: String) -> ApiError {
    ApiError {
        code,
        detail: format!("{field} {message}"),
        fields: vec![FieldError {
            field: field.to_owned(),
            message,
        }],
    }
}
