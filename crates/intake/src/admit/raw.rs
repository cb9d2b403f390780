//! Raw evidence: advisories, SBOMs and VEX statements with their envelope.

use std::collections::BTreeSet;

use export_model::{Facets, Kind, Position, Sha256Digest, Source, Tenant, Timestamp};
use serde::Deserialize;

use super::draft::{Draft, Respelling};
use super::fields::Fields;
use super::{modified, purl_types};
use crate::{Refusal, guardrails};

const MEMBERS: [&str; 11] = [
    "_id",
    "content",
    "identifiers",
    "kind",
    "linkset",
    "source",
    "subject",
    "subject_key",
    "supersedes",
    "tenant",
    "upstream",
];
const FORMATS: [&str; 7] = [
    "OSV",
    "CycloneDX",
    "SPDX",
    "OpenVEX",
    "CycloneDX-VEX",
    "CSAF",
    "MavenIndex",
];

/// `linkset.references[]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    #[serde(rename = "type")]
    _kind: String,
    #[serde(rename = "url")]
    _url: String,
}

pub(super) fn read(
    line: &[u8],
    fields: &Fields<'_>,
    tenant: Tenant,
    kind: Kind,
) -> Result<Draft, Refusal> {
    let content = fields.object("content")?;
    if content.value("raw")?.first() != Some(&b'{') {
        return Err(Refusal::invalid("`content.raw` is not an object"));
    }
    guardrails::check_raw(line)?;
    fields.only(&MEMBERS)?;

    let id = fields.id("_id")?;
    let subject_key = fields.id("subject_key")?;
    supersedes(fields)?;
    content.only(&["format", "raw", "spec_version"])?;
    let format = content.one_of("format", &FORMATS)?;
    content.text("spec_version")?;
    let source = source(fields)?;
    let upstream = Upstream::read(line, fields)?;
    let mut identifiers = BTreeSet::new();
    read_identifiers(fields, kind, &mut identifiers)?;
    let purls = read_linkset(fields, &mut identifiers)?;
    if let Some(subject) = fields
        .optional("subject")
        .map(|_| fields.object("subject"))
        .transpose()?
    {
        subject.only(&["name", "purl"])?;
        subject.text("name")?;
        subject.optional_text("purl")?;
    }

    Ok(Draft {
        tenant,
        kind,
        source,
        content_hash: Some(upstream.content_hash),
        modified: modified::of(format, content.value("raw")?),
        facets: Facets {
            ecosystems: purl_types(&purls),
            products: purls.into_iter().collect(),
            sbom_subjects: if kind == Kind::Sbom {
                vec![subject_key.clone(), id.clone()]
            } else {
                Vec::new()
            },
            identifiers: identifiers.into_iter().collect(),
            recorded_at: Some(upstream.received_at),
        },
        upstream_id: upstream.id,
        position: Position { subject_key, id },
        policy_snapshot_id: None,
        respell: upstream.respell,
    })
}

fn supersedes(fields: &Fields<'_>) -> Result<(), Refusal> {
    match fields.optional("supersedes") {
        Some([b'"', ..]) => fields.id("supersedes").map(drop),
        Some(_) => fields.texts("supersedes").map(drop),
        None => Ok(()),
    }
}

fn source(fields: &Fields<'_>) -> Result<Source, Refusal> {
    let source = fields.object("source")?;
    source.only(&["api", "collector_version", "stream", "vendor"])?;
    source.optional_text("api")?;
    source.text("collector_version")?;
    Ok(Source {
        vendor: source.id("vendor")?.into(),
        stream: source.id("stream")?.into(),
    })
}

struct Upstream {
    id: String,
    content_hash: Sha256Digest,
    received_at: Timestamp,
    respell: Vec<Respelling>,
}

impl Upstream {
    fn read(line: &[u8], fields: &Fields<'_>) -> Result<Self, Refusal> {
        let upstream = fields.object("upstream")?;
        upstream.only(&[
            "content_hash",
            "document_version",
            "fetched_at",
            "received_at",
            "signature",
            "upstream_id",
        ])?;
        upstream.optional_text("document_version")?;
        upstream
            .object("signature")?
            .parsed::<bool>("present", "true or false")?;
        let fetched = upstream.time("fetched_at")?;
        let received = upstream.time("received_at")?;
        Ok(Self {
            id: upstream.id("upstream_id")?,
            content_hash: upstream.parsed("content_hash", "a digest")?,
            received_at: received.time,
            respell: [fetched, received]
                .iter()
                .filter_map(|time| Respelling::of(line, time))
                .collect(),
        })
    }
}

/// An SBOM's subject is its identity; everything else has identifiers.
fn read_identifiers(
    fields: &Fields<'_>,
    kind: Kind,
    into: &mut BTreeSet<String>,
) -> Result<(), Refusal> {
    if kind == Kind::Sbom && fields.optional("identifiers").is_none() {
        return Ok(());
    }
    let identifiers = fields.object("identifiers")?;
    identifiers.only(&["aliases", "cve", "ghsa", "primary"])?;
    into.insert(identifiers.id("primary")?);
    for name in ["aliases", "cve", "ghsa"] {
        into.extend(identifiers.texts(name)?);
    }
    Ok(())
}

/// The record's purls; its aliases go to `identifiers`.
fn read_linkset(
    fields: &Fields<'_>,
    identifiers: &mut BTreeSet<String>,
) -> Result<BTreeSet<String>, Refusal> {
    let linkset = fields.object("linkset")?;
    linkset.only(&["aliases", "cpes", "purls", "reconciled_from", "references"])?;
    identifiers.extend(linkset.texts("aliases")?);
    linkset.texts("cpes")?;
    linkset.texts("reconciled_from")?;
    linkset.parsed::<Vec<Reference>>("references", "a list of {type, url}")?;
    Ok(linkset.texts("purls")?.into_iter().collect())
}
