//! CycloneDX (ECMA-424): bills of materials, and VEX, which is the same document with
//! vulnerabilities and without components.

use std::collections::BTreeSet;

use export_model::{ErrorCode, Kind};
use serde::Deserialize;

use super::envelope::{Described, Subject, first_slug, generic_purl, version_at};
use super::lenient::{TextOr, or_default, read};
use crate::Refusal;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bom {
    #[serde(default, deserialize_with = "or_default")]
    bom_format: String,
    #[serde(default, deserialize_with = "or_default")]
    spec_version: String,
    #[serde(default, deserialize_with = "or_default")]
    serial_number: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    metadata: Metadata,
    #[serde(default, deserialize_with = "or_default")]
    components: Vec<Component>,
    #[serde(default, deserialize_with = "or_default")]
    vulnerabilities: Vec<Vulnerability>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default, deserialize_with = "or_default")]
    component: Option<Component>,
    #[serde(default, deserialize_with = "or_default")]
    supplier: Option<Organisation>,
    #[serde(default, deserialize_with = "or_default")]
    manufacture: Option<Organisation>,
    #[serde(default, deserialize_with = "or_default")]
    manufacturer: Option<Organisation>,
    #[serde(default, deserialize_with = "or_default")]
    tools: Tools,
}

#[derive(Deserialize)]
struct Organisation {
    #[serde(default, deserialize_with = "or_default")]
    name: Option<String>,
}

/// Up to version 1.4 a list of tools, since then an object with components.
#[derive(Deserialize)]
#[serde(untagged)]
enum Tools {
    List(Vec<Tool>),
    Parts {
        #[serde(default, deserialize_with = "or_default")]
        components: Vec<Tool>,
    },
}

impl Default for Tools {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

#[derive(Deserialize)]
struct Tool {
    #[serde(default, deserialize_with = "or_default")]
    vendor: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    publisher: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    name: Option<String>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    version: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    purl: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    cpe: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    components: Vec<Component>,
}

#[derive(Deserialize)]
struct Vulnerability {
    #[serde(default, deserialize_with = "or_default")]
    id: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    references: Vec<SameVulnerability>,
    #[serde(default, deserialize_with = "or_default")]
    affects: Vec<Affected>,
}

#[derive(Deserialize)]
struct SameVulnerability {
    #[serde(default, deserialize_with = "or_default")]
    id: Option<String>,
}

#[derive(Deserialize)]
struct Affected {
    #[serde(rename = "ref", default, deserialize_with = "or_default")]
    reference: Option<TextOr<serde::de::IgnoredAny>>,
}

pub(super) fn describe(document: &[u8], file_stem: Option<&str>) -> Result<Described, Refusal> {
    let bom: Bom = read(document, "CycloneDX")?;
    if bom.bom_format != "CycloneDX" || bom.spec_version.is_empty() {
        return Err(Refusal::new(
            ErrorCode::UnknownFormat,
            "`bomFormat` is not CycloneDX, or `specVersion` is missing",
        ));
    }
    let is_vex = bom.components.is_empty() && !bom.vulnerabilities.is_empty();
    let document_version = version_at(document, &["version"]).unwrap_or_else(|| "1".to_owned());
    let mut described = if is_vex {
        vex(&bom, file_stem)?
    } else {
        sbom(&bom, file_stem)?
    };
    described.document_version = Some(document_version);
    Ok(described)
}

fn sbom(bom: &Bom, file_stem: Option<&str>) -> Result<Described, Refusal> {
    let main = bom.metadata.component.as_ref();
    let name = main
        .map(|component| component.name.as_str())
        .filter(|name| !name.is_empty())
        .or(file_stem);
    let purl = main
        .and_then(|component| component.purl.clone())
        .filter(|purl| !purl.is_empty())
        .or_else(|| name.map(generic_purl));
    let upstream_id = serial_number(bom)
        .or_else(|| main_component(bom))
        .or_else(|| file_stem.map(str::to_owned))
        .ok_or_else(nameless)?;
    let mut described = Described {
        subject_key: purl.clone().unwrap_or_else(|| upstream_id.clone()),
        subject: name.zip(purl).map(|(name, purl)| Subject {
            name: name.to_owned(),
            purl,
        }),
        ..described(bom, Kind::Sbom, "CycloneDX", upstream_id)
    };
    collect(&bom.components, &mut described);
    Ok(described)
}

fn vex(bom: &Bom, file_stem: Option<&str>) -> Result<Described, Refusal> {
    // Not the main component: many statements are about the same one.
    let upstream_id = serial_number(bom)
        .or_else(|| file_stem.map(str::to_owned))
        .or_else(|| {
            let first = bom.vulnerabilities.iter().find_map(|one| one.id.as_ref())?;
            Some(format!("{}:{first}", main_component(bom)?))
        })
        .ok_or_else(nameless)?;
    let mut aliases = BTreeSet::new();
    let mut purls = BTreeSet::new();
    for vulnerability in &bom.vulnerabilities {
        aliases.extend(vulnerability.id.clone());
        // Another source's id of the same vulnerability; only names that stand alone.
        let others = vulnerability
            .references
            .iter()
            .filter_map(|one| one.id.clone());
        aliases.extend(others.filter(|id| id.starts_with("CVE-") || id.starts_with("GHSA-")));
        for affected in &vulnerability.affects {
            if let Some(TextOr::Text(text)) = &affected.reference
                && text.starts_with("pkg:")
            {
                purls.insert(text.clone());
            }
        }
    }
    purls.extend(
        bom.metadata
            .component
            .iter()
            .filter_map(|main| main.purl.clone()),
    );
    let primary = aliases
        .first()
        .cloned()
        .unwrap_or_else(|| upstream_id.clone());
    Ok(Described {
        subject_key: primary.clone(),
        primary: Some(primary),
        aliases,
        purls,
        reconciled_from: &["/vulnerabilities"],
        ..described(bom, Kind::Vex, "CycloneDX-VEX", upstream_id)
    })
}

/// What both have in common.
fn described(bom: &Bom, kind: Kind, format: &'static str, upstream_id: String) -> Described {
    let metadata = &bom.metadata;
    let organisations = [
        &metadata.supplier,
        &metadata.manufacturer,
        &metadata.manufacture,
    ]
    .into_iter()
    .map(|organisation| organisation.as_ref()?.name.as_deref());
    let tools = match &metadata.tools {
        Tools::List(tools) | Tools::Parts { components: tools } => tools,
    };
    let tools = tools.iter().flat_map(|tool| {
        [
            tool.vendor.as_deref(),
            tool.publisher.as_deref(),
            tool.name.as_deref(),
        ]
    });
    Described {
        kind,
        format,
        spec_version: bom.spec_version.clone(),
        vendor: first_slug(organisations.chain(tools), "cyclonedx"),
        stream: kind.as_str().to_owned(),
        api: None,
        subject_key: String::new(),
        upstream_id,
        document_version: None,
        subject: None,
        primary: None,
        aliases: BTreeSet::new(),
        purls: BTreeSet::new(),
        cpes: BTreeSet::new(),
        references: Vec::new(),
        reconciled_from: &["/components"],
    }
}

fn serial_number(bom: &Bom) -> Option<String> {
    bom.serial_number
        .clone()
        .filter(|serial| !serial.trim().is_empty())
}

fn main_component(bom: &Bom) -> Option<String> {
    let main = bom.metadata.component.as_ref()?;
    match (&main.purl, &main.version) {
        (Some(purl), _) if !purl.is_empty() => Some(purl.clone()),
        _ if main.name.is_empty() => None,
        (_, Some(version)) => Some(format!("{}@{version}", main.name)),
        (_, None) => Some(main.name.clone()),
    }
}

fn nameless() -> Refusal {
    Refusal::new(
        ErrorCode::AocProvenance,
        "the document names itself nowhere: it has no `serialNumber` and no `metadata.component`, \
         and it came without a file name",
    )
}

/// purls and CPEs of components at every level, which [`read`] has bounded.
fn collect(components: &[Component], described: &mut Described) {
    for component in components {
        described.purls.extend(component.purl.clone());
        described.cpes.extend(component.cpe.clone());
        collect(&component.components, described);
    }
}
