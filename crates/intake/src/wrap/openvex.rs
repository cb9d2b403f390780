//! OpenVEX documents: <https://github.com/openvex/spec>.
//!
//! `@id` should name one document, but generators give the same `@id` to documents about different
//! products (it is often a hash of statements that leaves products out). Taken at their word, those
//! would supersede each other and evidence would be lost. So the document's name here is its `@id`
//! and a digest of the products that it is about.

use std::collections::BTreeSet;

use export_model::{ErrorCode, Kind, Sha256Digest};
use serde::Deserialize;

use super::envelope::{Described, first_slug, version_at};
use super::lenient::{TextOr, or_default, read};
use crate::Refusal;

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "@context", default)]
    context: serde_json::Value,
    #[serde(rename = "@id", default, deserialize_with = "or_default")]
    id: String,
    #[serde(default, deserialize_with = "or_default")]
    author: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    statements: Vec<Statement>,
}

#[derive(Deserialize)]
struct Statement {
    #[serde(default, deserialize_with = "or_default")]
    vulnerability: Option<TextOr<Vulnerability>>,
    #[serde(default, deserialize_with = "or_default")]
    products: Vec<TextOr<Product>>,
}

#[derive(Deserialize)]
struct Vulnerability {
    #[serde(default, deserialize_with = "or_default")]
    name: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    aliases: Vec<String>,
}

#[derive(Deserialize)]
struct Product {
    #[serde(rename = "@id", default, deserialize_with = "or_default")]
    id: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    identifiers: Identifiers,
    #[serde(default, deserialize_with = "or_default")]
    subcomponents: Vec<TextOr<Product>>,
}

#[derive(Default, Deserialize)]
struct Identifiers {
    #[serde(default, deserialize_with = "or_default")]
    purl: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    cpe22: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    cpe23: Option<String>,
}

pub(super) fn describe(document: &[u8]) -> Result<Described, Refusal> {
    let vex: Document = read(document, "OpenVEX")?;
    let spec_version = context_version(&vex.context).ok_or_else(|| {
        Refusal::new(
            ErrorCode::UnknownFormat,
            "`@context` does not name OpenVEX (https://openvex.dev/ns/v0.2.0)",
        )
    })?;
    if vex.id.trim().is_empty() {
        return Err(Refusal::new(
            ErrorCode::AocProvenance,
            "the document names itself nowhere: `@id` is missing",
        ));
    }
    let mut aliases = BTreeSet::new();
    let mut links = Links::default();
    let mut products = BTreeSet::new();
    for statement in &vex.statements {
        match &statement.vulnerability {
            Some(TextOr::Text(name)) => {
                aliases.insert(name.clone());
            }
            Some(TextOr::Other(vulnerability)) => {
                aliases.extend(vulnerability.name.clone());
                aliases.extend(vulnerability.aliases.iter().cloned());
            }
            None => {}
        }
        for product in &statement.products {
            products.extend(name_of(product));
            links.add(product);
        }
    }
    aliases.remove("");
    let upstream_id = match digest(&products) {
        Some(digest) => format!("{}#{digest}", vex.id.trim()),
        None => vex.id.trim().to_owned(),
    };
    let primary = aliases
        .first()
        .cloned()
        .unwrap_or_else(|| upstream_id.clone());
    Ok(Described {
        kind: Kind::Vex,
        format: "OpenVEX",
        spec_version,
        vendor: first_slug([vex.author.as_deref()], "unknown"),
        stream: "openvex".to_owned(),
        api: None,
        upstream_id,
        document_version: version_at(document, &["version"]),
        subject_key: primary.clone(),
        subject: None,
        primary: Some(primary),
        aliases,
        purls: links.purls,
        cpes: links.cpes,
        references: Vec::new(),
        reconciled_from: &["/statements"],
    })
}

/// `0.2.0` of `https://openvex.dev/ns/v0.2.0`; the first version has no number there.
fn context_version(context: &serde_json::Value) -> Option<String> {
    let texts = match context {
        serde_json::Value::Array(list) => list.iter().collect(),
        single => vec![single],
    };
    let tail = texts
        .into_iter()
        .filter_map(serde_json::Value::as_str)
        .find_map(|text| text.strip_prefix("https://openvex.dev/ns"))?;
    let version = tail.trim_matches('/').trim_start_matches('v');
    Some(if version.is_empty() { "0.0.1" } else { version }.to_owned())
}

fn name_of(product: &TextOr<Product>) -> Option<String> {
    match product {
        TextOr::Text(name) => Some(name.clone()),
        TextOr::Other(product) => product
            .id
            .clone()
            .or_else(|| product.identifiers.purl.clone())
            .or_else(|| product.identifiers.cpe23.clone())
            .or_else(|| product.identifiers.cpe22.clone()),
    }
}

/// The first 12 digits of SHA-256 over the products' names, sorted, each with a line feed.
fn digest(products: &BTreeSet<String>) -> Option<String> {
    if products.is_empty() {
        return None;
    }
    let mut lines = String::new();
    for product in products {
        lines.push_str(product);
        lines.push('\n');
    }
    let hex = Sha256Digest::of(lines.as_bytes()).hex();
    hex.get(..12).map(str::to_owned)
}

#[derive(Default)]
struct Links {
    purls: BTreeSet<String>,
    cpes: BTreeSet<String>,
}

impl Links {
    fn add(&mut self, product: &TextOr<Product>) {
        match product {
            TextOr::Text(name) => self.name(name),
            TextOr::Other(product) => {
                let identifiers = &product.identifiers;
                for name in [
                    &product.id,
                    &identifiers.purl,
                    &identifiers.cpe22,
                    &identifiers.cpe23,
                ]
                .into_iter()
                .flatten()
                {
                    self.name(name);
                }
                for part in &product.subcomponents {
                    self.add(part);
                }
            }
        }
    }

    fn name(&mut self, name: &str) {
        if name.starts_with("pkg:") {
            self.purls.insert(name.to_owned());
        } else if name.starts_with("cpe:") {
            self.cpes.insert(name.to_owned());
        }
    }
}
