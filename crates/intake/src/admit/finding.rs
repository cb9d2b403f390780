//! Findings: what the policy engine decided about a component, under one snapshot.

use std::collections::BTreeMap;

use export_model::{Facets, Kind, Position, Sha256Digest, Source, Tenant};
use serde::de::IgnoredAny;

use super::draft::{Draft, Respelling};
use super::fields::Fields;
use super::purl_types;
use crate::Refusal;

const MEMBERS: [&str; 14] = [
    "_id",
    "advisory_id",
    "decision_trace",
    "evaluated_at",
    "inputs_hash",
    "kind",
    "policy_snapshot_id",
    "policy_version",
    "severity",
    "status",
    "subject",
    "subject_key",
    "tenant",
    "vulnerability_id",
];
const STATUSES: [&str; 8] = [
    "affected",
    "not_affected",
    "fixed",
    "under_investigation",
    "will_not_fix",
    "fix_deferred",
    "end_of_life",
    "unknown",
];
const SEVERITIES: [&str; 7] = [
    "critical",
    "high",
    "medium",
    "low",
    "negligible",
    "none",
    "unknown",
];

pub(super) fn read(fields: &Fields<'_>, tenant: Tenant, line: &[u8]) -> Result<Draft, Refusal> {
    fields.only(&MEMBERS)?;
    let id = fields.id("_id")?;
    let subject_key = fields.id("subject_key")?;
    let policy_snapshot_id = fields.id("policy_snapshot_id")?;
    fields.id("policy_version")?;
    fields.parsed::<Sha256Digest>("inputs_hash", "a digest")?;
    let subject = fields.object("subject")?;
    subject.only(&["component_purl", "sbom_id"])?;
    let purl = subject.id("component_purl")?;
    let sbom = subject.id("sbom_id")?;
    let mut identifiers = vec![fields.id("vulnerability_id")?, fields.id("advisory_id")?];
    identifiers.sort_unstable();
    identifiers.dedup();
    fields.one_of("status", &STATUSES)?;
    fields
        .object("severity")?
        .one_of("normalized", &SEVERITIES)?;
    fields.parsed::<Vec<BTreeMap<String, IgnoredAny>>>("decision_trace", "a list of objects")?;
    let evaluated = fields.time("evaluated_at")?;

    Ok(Draft {
        tenant,
        kind: Kind::Finding,
        source: Source::policy_engine(),
        upstream_id: id.clone(),
        content_hash: None,
        modified: None,
        facets: Facets {
            ecosystems: purl_types([&purl]),
            products: vec![purl],
            sbom_subjects: vec![sbom],
            identifiers,
            recorded_at: Some(evaluated.time),
        },
        position: Position { subject_key, id },
        policy_snapshot_id: Some(policy_snapshot_id),
        respell: Respelling::of(line, &evaluated).into_iter().collect(),
    })
}
