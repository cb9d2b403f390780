//! OSV entries: <https://ossf.github.io/osv-schema/>.

use std::collections::BTreeSet;

use export_model::Kind;
use serde::Deserialize;

use super::envelope::{Described, Reference};
use super::lenient::{or_default, read};
use super::{osv_purl, osv_sources};
use crate::Refusal;

/// What the schema assumes of entries that do not state their version.
const FIRST_VERSION: &str = "1.0.0";
/// How Go prints a time that was never set; it says nothing about the document.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

#[derive(Deserialize)]
struct Entry {
    id: String,
    modified: String,
    #[serde(default, deserialize_with = "or_default")]
    schema_version: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    aliases: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    affected: Vec<Affected>,
    #[serde(default, deserialize_with = "or_default")]
    references: Vec<Link>,
    #[serde(default, deserialize_with = "or_default")]
    database_specific: Database,
}

#[derive(Deserialize)]
struct Affected {
    #[serde(default, deserialize_with = "or_default")]
    package: Option<Package>,
}

#[derive(Deserialize)]
struct Package {
    #[serde(default, deserialize_with = "or_default")]
    ecosystem: String,
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    purl: Option<String>,
}

#[derive(Deserialize)]
struct Link {
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    kind: Option<String>,
    url: String,
}

/// `source` is where osv.dev found the entry. The member is the database's own, so anything may
/// stand there.
#[derive(Default, Deserialize)]
struct Database {
    #[serde(default)]
    source: serde_json::Value,
}

pub(super) fn describe(document: &[u8]) -> Result<Described, Refusal> {
    let entry: Entry = read(document, "an OSV entry")?;
    let (vendor, stream) = osv_sources::source(&entry.id);
    let purls = entry
        .affected
        .iter()
        .filter_map(|affected| affected.package.as_ref())
        .filter_map(|package| match &package.purl {
            Some(purl) if !purl.is_empty() => Some(purl.clone()),
            _ => osv_purl::purl(&package.ecosystem, &package.name),
        })
        .collect();
    let mut aliases: BTreeSet<String> = entry.aliases.into_iter().collect();
    aliases.insert(entry.id.clone());
    Ok(Described {
        kind: Kind::Advisory,
        format: "OSV",
        spec_version: entry
            .schema_version
            .unwrap_or_else(|| FIRST_VERSION.to_owned()),
        vendor,
        stream,
        api: osv_sources::address(&entry.id).or_else(|| {
            let source = entry.database_specific.source.as_str()?;
            source.starts_with("https://").then(|| source.to_owned())
        }),
        document_version: (entry.modified != NO_TIME).then_some(entry.modified),
        subject_key: entry.id.clone(),
        subject: None,
        primary: Some(entry.id.clone()),
        upstream_id: entry.id,
        aliases,
        purls,
        cpes: BTreeSet::new(),
        references: entry
            .references
            .into_iter()
            .map(|link| Reference {
                kind: link.kind.as_deref().unwrap_or("web").to_ascii_lowercase(),
                url: link.url,
            })
            .collect(),
        reconciled_from: &["/affected", "/aliases", "/references"],
    })
}
