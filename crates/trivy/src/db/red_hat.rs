//! Red Hat's advisories, whose products are numbers.

use serde::Serialize;

use crate::TrivyError;
use crate::row::RedHatEntry;

/// trivy-db, `vulnsrc/redhat-oval`, `Advisory`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Advisory<'a> {
    entries: Vec<Entry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    fixed_version: &'a str,
    affected: Vec<usize>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    arches: &'a [String],
    #[serde(skip_serializing_if = "is_zero")]
    status: u8,
    cves: Vec<Cve<'a>>,
}

#[derive(Serialize)]
struct Cve<'a> {
    #[serde(rename = "ID", skip_serializing_if = "str::is_empty")]
    id: &'a str,
    #[serde(rename = "Severity")]
    severity: u8,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_zero(value: &u8) -> bool {
    *value == 0
}

/// A product's number: its place among all.
pub(super) fn number(cpes: &[String], cpe: &str) -> Result<usize, TrivyError> {
    cpes.binary_search_by(|known| known.as_str().cmp(cpe))
        .map_err(|_| TrivyError::Row)
}

/// The advisory under `id`, as the database has it. In one that is named by its CVE, the entries do
/// not name it again.
pub(super) fn value(id: &str, json: &[u8], cpes: &[String]) -> Result<Vec<u8>, TrivyError> {
    let entries: Vec<RedHatEntry> = serde_json::from_slice(json).map_err(|_| TrivyError::Row)?;
    let entries = entries
        .iter()
        .map(|entry| {
            let affected = entry.cpes.iter().map(|cpe| number(cpes, cpe));
            Ok(Entry {
                fixed_version: &entry.fixed_version,
                affected: affected.collect::<Result<_, TrivyError>>()?,
                arches: &entry.arches,
                status: entry.status,
                cves: entry
                    .cves
                    .iter()
                    .map(|(cve, severity)| Cve {
                        id: if cve == id { "" } else { cve },
                        severity: *severity,
                    })
                    .collect(),
            })
        })
        .collect::<Result<_, TrivyError>>()?;
    serde_json::to_vec(&Advisory { entries }).map_err(TrivyError::Serialise)
}
