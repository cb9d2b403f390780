//! SPDX 2.x documents in JSON (ISO/IEC 5962).

use std::collections::BTreeSet;

use export_model::{ErrorCode, Kind};
use serde::Deserialize;

use super::envelope::{Described, Subject, first_slug, generic_purl};
use super::lenient::{or_default, read};
use crate::Refusal;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default, deserialize_with = "or_default")]
    spdx_version: String,
    #[serde(default, deserialize_with = "or_default")]
    name: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    document_namespace: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    creation_info: CreationInfo,
    #[serde(default, deserialize_with = "or_default")]
    document_describes: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    packages: Vec<Package>,
    #[serde(default, deserialize_with = "or_default")]
    relationships: Vec<Relationship>,
}

#[derive(Default, Deserialize)]
struct CreationInfo {
    #[serde(default, deserialize_with = "or_default")]
    created: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    creators: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    #[serde(rename = "SPDXID", default, deserialize_with = "or_default")]
    id: String,
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    external_refs: Vec<ExternalRef>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExternalRef {
    #[serde(default, deserialize_with = "or_default")]
    reference_type: String,
    #[serde(default, deserialize_with = "or_default")]
    reference_locator: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    #[serde(default, deserialize_with = "or_default")]
    spdx_element_id: String,
    #[serde(default, deserialize_with = "or_default")]
    relationship_type: String,
    #[serde(default, deserialize_with = "or_default")]
    related_spdx_element: String,
}

impl Package {
    fn references(&self, kinds: &'static [&'static str]) -> impl Iterator<Item = &str> {
        self.external_refs
            .iter()
            .filter(|reference| kinds.contains(&reference.reference_type.as_str()))
            .map(|reference| reference.reference_locator.as_str())
            .filter(|locator| !locator.is_empty())
    }
}

pub(super) fn describe(document: &[u8], file_stem: Option<&str>) -> Result<Described, Refusal> {
    let spdx: Document = read(document, "SPDX")?;
    let Some(spec_version) = spdx.spdx_version.strip_prefix("SPDX-2.") else {
        let found = if spdx.spdx_version.is_empty() {
            "SPDX 3 (JSON-LD)"
        } else {
            spdx.spdx_version.as_str()
        };
        return Err(Refusal::new(
            ErrorCode::UnknownFormat,
            format!(
                "{} documents cannot be imported; write the document as SPDX 2.3 JSON",
                crate::refusal::excerpt(found)
            ),
        ));
    };
    let main = main_package(&spdx);
    let name = main
        .map(|package| package.name.as_str())
        .or(spdx.name.as_deref())
        .filter(|name| !name.is_empty())
        .or(file_stem);
    let purl = main
        .and_then(|package| package.references(&["purl"]).next())
        .map(str::to_owned)
        .or_else(|| name.map(generic_purl));
    let upstream_id = [
        spdx.document_namespace.as_deref(),
        spdx.name.as_deref(),
        file_stem,
    ]
    .into_iter()
    .flatten()
    .find(|text| !text.trim().is_empty())
    .map(str::to_owned)
    .ok_or_else(|| {
        Refusal::new(
            ErrorCode::AocProvenance,
            "the document names itself nowhere: `documentNamespace` is missing",
        )
    })?;
    let creators = &spdx.creation_info.creators;
    Ok(Described {
        kind: Kind::Sbom,
        format: "SPDX",
        spec_version: format!("2.{spec_version}"),
        vendor: first_slug([creator(creators, "Organization:"), tool(creators)], "spdx"),
        stream: "sbom".to_owned(),
        api: None,
        subject_key: purl.clone().unwrap_or_else(|| upstream_id.clone()),
        subject: name.zip(purl).map(|(name, purl)| Subject {
            name: name.to_owned(),
            purl,
        }),
        upstream_id,
        document_version: spdx.creation_info.created.clone(),
        primary: None,
        aliases: BTreeSet::new(),
        purls: locators(&spdx, &["purl"]),
        cpes: locators(&spdx, &["cpe22Type", "cpe23Type"]),
        references: Vec::new(),
        reconciled_from: &["/packages"],
    })
}

/// The package that the document describes, where it describes one.
fn main_package(spdx: &Document) -> Option<&Package> {
    let described = spdx.document_describes.first().map(String::as_str);
    let related = || {
        spdx.relationships
            .iter()
            .find(|relationship| {
                relationship.spdx_element_id == "SPDXRef-DOCUMENT"
                    && relationship.relationship_type == "DESCRIBES"
            })
            .map(|relationship| relationship.related_spdx_element.as_str())
    };
    let id = described.or_else(related)?;
    spdx.packages.iter().find(|package| package.id == id)
}

fn locators(spdx: &Document, kinds: &'static [&'static str]) -> BTreeSet<String> {
    spdx.packages
        .iter()
        .flat_map(|package| package.references(kinds))
        .map(str::to_owned)
        .collect()
}

fn creator<'a>(creators: &'a [String], kind: &str) -> Option<&'a str> {
    let name = creators
        .iter()
        .find_map(|text| text.strip_prefix(kind))?
        .trim();
    // `Organization: Anchore, Inc (mail@example.org)`
    Some(name.split_once('(').map_or(name, |(name, _)| name).trim())
}

/// The tool's name without its version (`Tool: syft-1.4.1`): an update is no other publisher.
fn tool(creators: &[String]) -> Option<&str> {
    let name = creator(creators, "Tool:")?;
    let is_version = |text: &str| {
        text.trim_start_matches('v')
            .starts_with(|c: char| c.is_ascii_digit())
    };
    Some(match name.rsplit_once('-') {
        Some((start, end)) if is_version(end) => start,
        _ => name,
    })
}
