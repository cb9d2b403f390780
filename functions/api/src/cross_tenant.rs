//! Whose evidence a request may have.
//!
//! A request that names no tenants has its own tenant's. One that does needs, for each of the
//! others, an approval that this tenant signed. That is decided here, once, when the request is
//! accepted: a run that has begun in time may take longer than its approvals last.

use export_approval::{ApprovalPolicy, Refused, Request, Verified, verify_all};
use export_canonical::jcs::to_jcs;
use export_model::{
    CrossTenant, ErrorCode, FieldError, Profile, RecordedApproval, Tenant, Timestamp,
};
use serde_json::Value;

use crate::{ApiError, RunRequest};

/// The most approvals that a request may name.
pub const MAX_APPROVALS: usize = 64;

const FIELD: &str = "options.approval";

/// Whose evidence a run may have, and by which approvals.
#[derive(Debug, Default)]
pub(crate) struct Access {
    /// As a run has it: empty for the run's own tenant alone.
    pub(crate) owners: Vec<Tenant>,
    pub(crate) approvals: Vec<RecordedApproval>,
}

/// The approvals that a run uses up, of all that it records ([`Run::approvals`](export_model::Run)):
/// those that are good for one run. Each is marked as used in the very transaction that writes the
/// run. The marks belong to the run's tenant, to whom the approvals were given.
pub(crate) fn approvals_to_mark(
    recorded: &[RecordedApproval],
) -> impl Iterator<Item = &RecordedApproval> {
    recorded.iter().filter(|approval| approval.once)
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
    if profile.kind.is_mirror() {
        let message = format!(
            "cannot be named with {}: a mirror is of one tenant",
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
        quota: None,
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
        quota: None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use export_approval::{Approval, SCHEMA, create};
    use export_model::{ProfileKind, RunOptions, Selectors, builtin_profiles};
    use export_signing::SigningKey;

    use super::*;

    fn tenant(name: &str) -> Tenant {
        name.parse().unwrap()
    }

    /// Approvals of two tenants for acme, the later name first; the first is good for one run.
    fn world() -> (ApprovalPolicy, Vec<Value>) {
        let mut keys = BTreeMap::new();
        let mut envelopes = Vec::new();
        for (name, once) in [("initech", true), ("globex", false)] {
            let key = SigningKey::generate().unwrap();
            let approval = Approval {
                schema: SCHEMA.into(),
                nonce: format!("{name}-1"),
                grantor: tenant(name),
                grantee: tenant("acme"),
                profile_kinds: vec![ProfileKind::JsonRaw],
                selectors: None,
                not_before: None,
                expires_at: Timestamp(1_000),
                once,
            };
            let envelope = create(&approval, &key).unwrap();
            envelopes.push(serde_json::from_slice(&envelope).unwrap());
            keys.insert(tenant(name), vec![key.public_key().clone()]);
        }
        let enabled = true;
        (ApprovalPolicy { enabled, keys }, envelopes)
    }

    fn asked(
        policy: &ApprovalPolicy,
        kind: ProfileKind,
        tenants: Option<&[&str]>,
        approval: Vec<Value>,
    ) -> Result<Access, ApiError> {
        let acme = tenant("acme");
        let profiles = builtin_profiles(&acme);
        let profile = profiles.iter().find(|own| own.kind == kind).unwrap();
        let request = RunRequest {
            profile: profile.name.clone(),
            selectors: Selectors {
                tenants: tenants.map(|names| names.iter().map(|n| (*n).to_owned()).collect()),
                ..Selectors::default()
            },
            options: RunOptions {
                approval,
                ..RunOptions::default()
            },
        };
        access(policy, &acme, profile, &request, Timestamp(999))
    }

    #[test]
    fn what_is_recorded_says_what_is_used_up() {
        let (policy, envelopes) = world();
        let names = ["initech", "acme", "globex"];
        let access = asked(
            &policy,
            ProfileKind::JsonRaw,
            Some(&names),
            envelopes.clone(),
        )
        .unwrap();
        assert_eq!(
            access.owners,
            [tenant("acme"), tenant("globex"), tenant("initech")]
        );
        let recorded = &access.approvals;
        let grantors: Vec<_> = recorded.iter().map(|one| one.grantor.as_str()).collect();
        assert_eq!(grantors, ["globex", "initech"]);
        assert_eq!(recorded[0].envelope, envelopes[1]);
        assert_eq!(recorded[1].envelope, envelopes[0]);
        let used: Vec<_> = approvals_to_mark(recorded).map(|one| &one.nonce).collect();
        assert_eq!(used, ["initech-1"]);
    }

    #[test]
    fn ones_own_evidence_needs_nothing() {
        let (policy, envelopes) = world();
        for tenants in [None, Some(&["acme"][..])] {
            let access = asked(&policy, ProfileKind::JsonPolicy, tenants, Vec::new()).unwrap();
            assert!(access.owners.is_empty() && access.approvals.is_empty());
            let useless = asked(&policy, ProfileKind::JsonRaw, tenants, envelopes.clone());
            assert_eq!(useless.unwrap_err().fields[0].field, "options.approval");
        }
    }

    #[test]
    fn refusals_name_their_member() {
        let (policy, envelopes) = world();
        let off = ApprovalPolicy {
            enabled: false,
            ..policy.clone()
        };
        let names = Some(&["globex", "initech"][..]);
        let raw = ProfileKind::JsonRaw;
        for (outcome, code, field) in [
            (
                asked(&off, raw, names, envelopes.clone()),
                ErrorCode::CrossTenant,
                "selectors.tenants",
            ),
            (
                asked(&policy, ProfileKind::JsonPolicy, names, envelopes.clone()),
                ErrorCode::CrossTenant,
                "selectors.tenants",
            ),
            (
                asked(&policy, raw, names, envelopes[..1].to_vec()),
                ErrorCode::CrossTenant,
                "selectors.tenants",
            ),
            (
                asked(&policy, raw, names, vec![1.5.into()]),
                ErrorCode::ApprovalInvalid,
                "options.approval",
            ),
            (
                asked(&policy, raw, names, vec![Value::Null; MAX_APPROVALS + 1]),
                ErrorCode::InvalidRequest,
                "options.approval",
            ),
        ] {
            let error = outcome.unwrap_err();
            assert_eq!((error.code, error.fields[0].field.as_str()), (code, field));
        }
    }
}
