//! The one door: bytes in, a record out that keeps the contract, or the reason why not.
//!
//! What is wrong is refused here rather than mended, because a ledger that corrects evidence is no
//! evidence. Only the spelling changes: canonical form, and envelope times in UTC. Nothing under
//! `content.raw` is touched beyond the order of members and the spelling of strings.

mod draft;
mod fields;
mod finding;
mod modified;
mod raw;

use std::borrow::Cow;
use std::collections::BTreeSet;

use export_canonical::record::{Limits, canonicalize, members};
use export_model::{AdmittedRecord, ErrorCode, Kind, PolicySnapshot, Tenant};

use crate::Refusal;
use crate::wrap::{self, Format, WrapContext};
use fields::Fields;

/// Something that the ledger keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// A raw record or a finding.
    Record(Box<AdmittedRecord>),
    /// A policy snapshot.
    Snapshot(PolicySnapshot),
}

/// Admits one ledger record, finding or policy snapshot, in any JSON spelling. Where `tenant` is
/// given, the document must be that tenant's.
///
/// # Errors
/// When it is not JSON within `limits`, breaks the contract or a guardrail, or is another
/// tenant's.
pub fn admit(bytes: &[u8], tenant: Option<&Tenant>, limits: &Limits) -> Result<Admitted, Refusal> {
    settle(canonicalize(bytes, limits)?, tenant)
}

/// Admits a document in canonical form.
fn settle(line: Cow<'_, [u8]>, tenant: Option<&Tenant>) -> Result<Admitted, Refusal> {
    if is_snapshot(&line) {
        return snapshot(&line, tenant).map(Admitted::Snapshot);
    }
    let record = {
        let fields = Fields::of_document(&line)?;
        let owner: Tenant = fields
            .text("tenant")?
            .parse()
            .map_err(|error| Refusal::invalid(format!("`tenant`: {error}")))?;
        same_tenant(&owner, tenant)?;
        let kind: Kind = fields
            .text("kind")?
            .parse()
            .map_err(|error| Refusal::invalid(format!("`kind`: {error}")))?;
        match kind {
            Kind::Finding => finding::read(&fields, owner, &line)?,
            Kind::Advisory | Kind::Sbom | Kind::Vex => raw::read(&line, &fields, owner, kind)?,
        }
    };
    Ok(Admitted::Record(Box::new(record.finish(line))))
}

/// Admits a document of any known format: finds out which it is unless `format` says so, wraps it
/// if it is not the ledger's own, and [`admit`]s it.
///
/// # Errors
/// As [`admit`]; and when it is of no known format, or cannot be read as the one it is.
pub fn admit_document(
    bytes: &[u8],
    format: Option<Format>,
    context: &WrapContext<'_>,
    limits: &Limits,
) -> Result<Admitted, Refusal> {
    let document = canonicalize(bytes, limits)?;
    let format = match format.or_else(|| wrap::detect(&document)) {
        Some(format) => format,
        None => {
            return Err(Refusal::new(
                ErrorCode::UnknownFormat,
                "this is no ledger record, OSV entry, CycloneDX, SPDX, OpenVEX or CSAF document",
            ));
        }
    };
    if format == Format::Ledger {
        return settle(document, context.tenant);
    }
    let wrapped = wrap::wrap(format, &document, context)?;
    let rebuilt = match canonicalize(&wrapped, limits)? {
        Cow::Borrowed(_) => None,
        Cow::Owned(rebuilt) => Some(rebuilt),
    };
    settle(Cow::Owned(rebuilt.unwrap_or(wrapped)), context.tenant)
}

/// A snapshot has no `_id` and no `kind`; a finding names its snapshot, but has both.
pub(crate) fn is_snapshot(canonical: &[u8]) -> bool {
    let mut named = false;
    for member in members(canonical) {
        match member.key {
            b"_id" | b"kind" => return false,
            b"policy_snapshot_id" => named = true,
            _ => {}
        }
    }
    named
}

fn snapshot(line: &[u8], tenant: Option<&Tenant>) -> Result<PolicySnapshot, Refusal> {
    let fields = Fields::of_document(line)?;
    for name in ["name", "policy_snapshot_id", "policy_version"] {
        fields.id(name)?;
    }
    fields.time("created_at")?;
    let snapshot: PolicySnapshot = serde_json::from_slice(line).map_err(|error| {
        Refusal::invalid(format!("the policy snapshot: {}", fields::reason(&error)))
    })?;
    same_tenant(&snapshot.tenant, tenant)?;
    Ok(snapshot)
}

fn same_tenant(owner: &Tenant, expected: Option<&Tenant>) -> Result<(), Refusal> {
    match expected {
        Some(expected) if expected != owner => Err(Refusal::new(
            ErrorCode::OtherTenant,
            format!("the document belongs to tenant `{owner}`, not to `{expected}`"),
        )),
        _ => Ok(()),
    }
}

/// The types of `purls` (`npm` of `pkg:npm/left-pad`), sorted, each once.
fn purl_types<'a>(purls: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let types: BTreeSet<String> = purls
        .into_iter()
        .filter_map(|purl| {
            let rest = purl.strip_prefix("pkg:")?.trim_start_matches('/');
            let (kind, _) = rest.split_once('/')?;
            (!kind.is_empty()).then(|| kind.to_ascii_lowercase())
        })
        .collect();
    types.into_iter().collect()
}

#[cfg(test)]
mod tests;
