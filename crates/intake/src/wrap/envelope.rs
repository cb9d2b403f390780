//! The envelope around a public document.

use std::collections::BTreeSet;

use export_canonical::record::{member_path, string_value};
use export_model::{Kind, Sha256Digest, Tenant};
use serde::Serialize;

use super::WrapContext;
use crate::Refusal;
use crate::identity::{id_of, slug};

/// What a document says about itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) kind: Kind,
    /// `content.format`, as the contract spells it.
    pub(super) format: &'static str,
    /// The version of that format.
    pub(super) spec_version: String,
    /// The publisher, as a slug.
    pub(super) vendor: String,
    /// The publisher's stream, as a slug.
    pub(super) stream: String,
    /// Where the document itself can be fetched, where it says so.
    pub(super) api: Option<String>,
    /// The publisher's name of the document.
    pub(super) upstream_id: String,
    pub(super) document_version: Option<String>,
    pub(super) subject_key: String,
    /// Name and purl of what an SBOM describes.
    pub(super) subject: Option<Subject>,
    /// None for an SBOM.
    pub(super) primary: Option<String>,
    /// The linkset's aliases, and the identifiers' too.
    pub(super) aliases: BTreeSet<String>,
    pub(super) purls: BTreeSet<String>,
    pub(super) cpes: BTreeSet<String>,
    pub(super) references: Vec<Reference>,
    /// Which parts of the document the linkset was copied from, as JSON pointers.
    pub(super) reconciled_from: &'static [&'static str],
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) purl: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Reference {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) url: String,
}

#[derive(Serialize)]
struct Identifiers<'a> {
    aliases: &'a BTreeSet<String>,
    cve: Vec<&'a str>,
    ghsa: Vec<&'a str>,
    primary: &'a str,
}

#[derive(Serialize)]
struct Linkset<'a> {
    aliases: &'a BTreeSet<String>,
    cpes: &'a BTreeSet<String>,
    purls: &'a BTreeSet<String>,
    reconciled_from: &'a [&'a str],
    references: &'a [Reference],
}

#[derive(Serialize)]
struct Source<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    api: Option<&'a str>,
    collector_version: String,
    stream: &'a str,
    vendor: &'a str,
}

#[derive(Serialize)]
struct Signature {
    present: bool,
}

#[derive(Serialize)]
struct Upstream<'a> {
    content_hash: Sha256Digest,
    #[serde(skip_serializing_if = "Option::is_none")]
    document_version: Option<&'a str>,
    fetched_at: String,
    received_at: String,
    signature: Signature,
    upstream_id: &'a str,
}

/// The record's canonical bytes. Members are written in canonical order, so the door has nothing
/// to rebuild.
pub(super) fn write(
    described: &Described,
    document: &[u8],
    tenant: &Tenant,
    context: &WrapContext<'_>,
) -> Result<Vec<u8>, Refusal> {
    let upstream_id = id_of(&described.upstream_id)
        .ok_or_else(|| Refusal::invalid("the document has an empty name for itself"))?;
    let subject_key = id_of(&described.subject_key).unwrap_or_else(|| upstream_id.clone());
    let content_hash = Sha256Digest::of(document);
    let hex = content_hash.hex();
    let id = format!(
        "{}_raw:{}.{}:{upstream_id}:{}",
        described.kind,
        described.vendor,
        described.stream,
        hex.get(..12).unwrap_or(&hex)
    );
    let time = context.time.to_string();

    let mut line = Vec::with_capacity(document.len() + 2048);
    let mut out = Members { line: &mut line };
    out.member("{\"_id\":", &id)?;
    out.member(",\"content\":{\"format\":", &described.format)?;
    out.line.extend_from_slice(b",\"raw\":");
    out.line.extend_from_slice(document);
    out.member(",\"spec_version\":", &described.spec_version)?;
    out.line.push(b'}');
    if let Some(primary) = &described.primary {
        let starting = |prefix: &str| -> Vec<&str> {
            described
                .aliases
                .iter()
                .map(String::as_str)
                .filter(|alias| alias.starts_with(prefix))
                .collect()
        };
        out.member(
            ",\"identifiers\":",
            &Identifiers {
                aliases: &described.aliases,
                cve: starting("CVE-"),
                ghsa: starting("GHSA-"),
                primary: &id_of(primary).unwrap_or_else(|| upstream_id.clone()),
            },
        )?;
    }
    out.member(",\"kind\":", &described.kind)?;
    out.member(
        ",\"linkset\":",
        &Linkset {
            aliases: &described.aliases,
            cpes: &described.cpes,
            purls: &described.purls,
            reconciled_from: described.reconciled_from,
            references: &described.references,
        },
    )?;
    out.member(
        ",\"source\":",
        &Source {
            api: described.api.as_deref(),
            collector_version: format!("exportctl/{}", context.exporter_version),
            stream: &described.stream,
            vendor: &described.vendor,
        },
    )?;
    if let Some(subject) = &described.subject {
        out.member(",\"subject\":", subject)?;
    }
    out.member(",\"subject_key\":", &subject_key)?;
    out.member(",\"tenant\":", tenant)?;
    out.member(
        ",\"upstream\":",
        &Upstream {
            content_hash,
            document_version: described.document_version.as_deref(),
            fetched_at: time.clone(),
            received_at: time,
            signature: Signature { present: false },
            upstream_id: &upstream_id,
        },
    )?;
    line.push(b'}');
    Ok(line)
}

struct Members<'a> {
    line: &'a mut Vec<u8>,
}

impl Members<'_> {
    fn member<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Refusal> {
        self.line.extend_from_slice(name.as_bytes());
        serde_json::to_writer(&mut *self.line, value).map_err(|error| {
            Refusal::new(
                export_model::ErrorCode::Internal,
                format!("the envelope could not be written: {error}"),
            )
        })
    }
}

/// The number or text at `path` as text, as it is written there.
pub(super) fn version_at(document: &[u8], path: &[&str]) -> Option<String> {
    let value = member_path(document, path)?;
    match value.first()? {
        b'"' => string_value(value).map(|text| text.into_owned()),
        b'-' | b'0'..=b'9' => Some(String::from_utf8_lossy(value).into_owned()),
        _ => None,
    }
    .filter(|text| !text.is_empty())
}

/// The first of `names` that makes a slug, else `otherwise`.
pub(super) fn first_slug<'a>(
    names: impl IntoIterator<Item = Option<&'a str>>,
    otherwise: &str,
) -> String {
    names
        .into_iter()
        .flatten()
        .find_map(slug)
        .unwrap_or_else(|| otherwise.to_owned())
}

/// The key of an SBOM whose main component has no purl.
pub(super) fn generic_purl(name: &str) -> String {
    let mut purl = "pkg:generic/".to_owned();
    super::osv_purl::push_encoded(&mut purl, name);
    purl
}
