//! Judging approvals.

use std::collections::{BTreeMap, BTreeSet};

use export_model::{CompiledSelectors, ProfileKind, Sha256Digest, Tenant, Timestamp};
use export_signing::{Fingerprint, PublicKey, dsse};

use crate::envelope::{Opened, PAYLOAD_TYPE};
use crate::{Approval, Refused};

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub grantee: &'a Tenant,
    /// What the profile produces.
    pub profile_kind: ProfileKind,
    /// Which records, of which tenants.
    pub selectors: &'a CompiledSelectors,
    /// The time of asking.
    pub now: Timestamp,
}

/// An approval that allows what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What it says.
    pub approval: Approval,
    /// The grantor's key that signed it.
    pub key: Fingerprint,
    /// SHA-256 of the envelope's RFC 8785 form.
    pub sha256: Sha256Digest,
}

/// Says whether an approval allows the evidence of its grantor for `request`. `keys` are those that
/// may sign for each tenant: which of them count is decided by the grantor that the document names,
/// never by the key that the envelope names.
///
/// # Errors
/// The first reason why it does not, in the order in which [`Refused`] lists them.
pub fn verify(
    envelope: &[u8],
    keys: &BTreeMap<Tenant, Vec<PublicKey>>,
    request: &Request<'_>,
) -> Result<Verified, Refused> {
    let opened = Opened::parse(envelope)?;
    let refused = |what: String| Refused::NotAnApproval { what };
    let approval = Approval::parse(&opened.payload).map_err(|error| refused(error.to_string()))?;
    let key = signed_by(&opened, &approval, keys)?;
    allows(&approval, request)?;
    Ok(Verified {
        approval,
        key,
        sha256: opened.sha256,
    })
}

fn signed_by(
    opened: &Opened,
    approval: &Approval,
    keys: &BTreeMap<Tenant, Vec<PublicKey>>,
) -> Result<Fingerprint, Refused> {
    let known = keys.get(&approval.grantor).map_or(&[][..], Vec::as_slice);
    let fits = |key: &&PublicKey| {
        dsse::verify(key, PAYLOAD_TYPE, &opened.payload, &opened.signature).is_ok()
    };
    if let Some(key) = known.iter().find(fits) {
        return Ok(key.fingerprint());
    }
    let grantor = approval.grantor.clone();
    let named_is_known = opened
        .named
        .is_none_or(|named| known.iter().any(|key| key.fingerprint() == named));
    if known.is_empty() || !named_is_known {
        let named = opened.named;
        return Err(Refused::UnknownKey { grantor, named });
    }
    let nonce = approval.nonce.clone();
    Err(Refused::BadSignature { grantor, nonce })
}

fn allows(approval: &Approval, request: &Request<'_>) -> Result<(), Refused> {
    let (grantor, nonce) = (approval.grantor.clone(), approval.nonce.clone());
    if request.now >= approval.expires_at {
        return Err(Refused::Expired {
            grantor,
            nonce,
            expires_at: approval.expires_at,
        });
    }
    if let Some(not_before) = approval.not_before
        && request.now < not_before
    {
        return Err(Refused::NotYetValid {
            grantor,
            nonce,
            not_before,
        });
    }
    if approval.grantee != *request.grantee {
        return Err(Refused::OtherGrantee {
            grantor,
            nonce,
            grantee: approval.grantee.clone(),
            asking: request.grantee.clone(),
        });
    }
    if !approval.profile_kinds.contains(&request.profile_kind) {
        return Err(Refused::OtherProfileKind {
            grantor,
            nonce,
            asked: request.profile_kind,
        });
    }
    let bound = approval.bound().map_err(|error| Refused::NotAnApproval {
        what: error.to_string(),
    })?;
    if let Some(criterion) = request.selectors.wider_than(&bound) {
        return Err(Refused::Wider {
            grantor,
            nonce,
            criterion,
        });
    }
    if !request.selectors.tenants.contains(&approval.grantor) {
        return Err(Refused::NotAsked { grantor, nonce });
    }
    Ok(())
}

/// Says whether approvals allow everything that `request` asks for: one of each tenant that it
/// names, but for the one that asks. What was verified comes in the order of the envelopes.
///
/// # Errors
/// The first reason why they do not.
pub fn verify_all<E: AsRef<[u8]>>(
    envelopes: &[E],
    keys: &BTreeMap<Tenant, Vec<PublicKey>>,
    request: &Request<'_>,
) -> Result<Vec<Verified>, Refused> {
    let mut verified = Vec::with_capacity(envelopes.len());
    let mut granted = BTreeSet::from([request.grantee.clone()]);
    for envelope in envelopes {
        let one = verify(envelope.as_ref(), keys, request)?;
        if !granted.insert(one.approval.grantor.clone()) {
            let grantor = one.approval.grantor;
            return Err(Refused::Twice { grantor });
        }
        verified.push(one);
    }
    let tenants: Vec<_> = request
        .selectors
        .tenants
        .iter()
        .filter(|tenant| !granted.contains(tenant))
        .cloned()
        .collect();
    if !tenants.is_empty() {
        return Err(Refused::TenantsNotGranted { tenants });
    }
    Ok(verified)
}
