//! `CycloneDX` documents that say how vulnerabilities affect components (`CycloneDX` 1.4 to 1.6,
//! `vulnerabilities`).

use std::collections::HashMap;

use serde::Deserialize;

use crate::row::{Cvss, Detail, Unmapped, VexRow};
use crate::source::Origin;

use super::lenient::{self, List, Number, Object, Text};
use super::purl::Purl;
use super::record::Envelope;
use super::sink::{Sink, description};
use super::{cvss, date, severity};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Document {
    metadata: Object<Metadata>,
    components: List<Object<Component>>,
    vulnerabilities: List<Object<Vulnerability>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    timestamp: Text,
    component: Object<Component>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Component {
    #[serde(rename = "bom-ref")]
    reference: Text,
    purl: Text,
    components: List<Object<Component>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Vulnerability {
    id: Text,
    references: List<Object<Alias>>,
    ratings: List<Object<Rating>>,
    cwes: List<Number>,
    description: Text,
    detail: Text,
    advisories: List<Object<Advisory>>,
    published: Text,
    updated: Text,
    analysis: Object<Analysis>,
    affects: List<Object<Affected>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Alias {
    id: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Advisory {
    url: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Rating {
    source: Object<Source>,
    severity: Text,
    score: Number,
    vector: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Source {
    name: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Analysis {
    state: Text,
    justification: Text,
    detail: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Affected {
    #[serde(rename = "ref")]
    reference: Text,
}

pub(super) fn map(envelope: &Envelope, raw: &str, sink: &mut Sink<'_>) {
    let (document, wrong) = match lenient::read::<Document>(raw) {
        Ok(read) => read,
        Err(error) => return sink.unmapped(Unmapped::Malformed, &error.to_string()),
    };
    if wrong > 0 {
        let detail = format!("{wrong} members of a wrong type");
        sink.unmapped(Unmapped::Malformed, &detail);
    }
    if document.vulnerabilities.is_empty() {
        return sink.unmapped(Unmapped::Format, "the document names no vulnerability");
    }
    date::keep_newest(&mut sink.rows().modified, &document.metadata.timestamp);
    let mut purls = HashMap::new();
    collect(&document.metadata.component, &mut purls);
    for component in document.components.iter() {
        collect(component, &mut purls);
    }
    for vulnerability in document.vulnerabilities.iter() {
        let id = vulnerability.id.trim_ascii();
        if id.is_empty() || id.contains('\0') {
            sink.unmapped(Unmapped::BadKey, "a vulnerability has no id");
            continue;
        }
        statements(&document, &purls, vulnerability, sink);
        let origin = Origin {
            id,
            vendor: &envelope.vendor,
            stream: &envelope.stream,
        };
        let (source, precedence) = Origin { id: "", ..origin }.detail_source(None);
        sink.detail(id, precedence, &detail(vulnerability, &source));
    }
}

/// No deeper than the reader lets documents nest.
fn collect<'a>(component: &'a Component, purls: &mut HashMap<&'a str, &'a str>) {
    if !component.reference.is_empty() && Purl::parse(&component.purl).is_some() {
        purls.insert(&component.reference, &component.purl);
    }
    for inner in component.components.iter() {
        collect(inner, purls);
    }
}

/// The purl of what a reference names: a component here, one of another document that is a purl
/// itself, or a purl.
fn purl(reference: &str, purls: &HashMap<&str, &str>) -> Option<String> {
    if let Some(purl) = purls.get(reference) {
        return Some((*purl).to_owned());
    }
    let there = match reference.strip_prefix("urn:cdx:") {
        Some(link) => link.split_once('#')?.1,
        None => reference,
    };
    [there.to_owned(), super::purl::decoded(there)]
        .into_iter()
        .find_map(|there| match purls.get(&*there) {
            Some(purl) => Some((*purl).to_owned()),
            None => Purl::parse(&there).map(|_| there),
        })
}

fn statements(
    document: &Document,
    purls: &HashMap<&str, &str>,
    vulnerability: &Vulnerability,
    sink: &mut Sink<'_>,
) {
    let analysis = &vulnerability.analysis;
    let status = match &*analysis.state {
        "not_affected" | "false_positive" => "not_affected",
        "resolved" | "resolved_with_pedigree" => "fixed",
        "" | "exploitable" | "in_triage" => return,
        state => return sink.unmapped(Unmapped::Malformed, &format!("state {state:?}")),
    };
    let updated = if vulnerability.updated.is_empty() {
        &document.metadata.timestamp
    } else {
        &vulnerability.updated
    };
    let aliases = vulnerability.references.iter().map(|alias| &*alias.id);
    let aliases: Vec<String> = aliases
        .filter(|alias| !alias.is_empty() && **alias != *vulnerability.id)
        .map(str::to_owned)
        .collect();
    if vulnerability.affects.is_empty() {
        sink.unmapped(Unmapped::NoPurl, &vulnerability.id);
    }
    for affected in vulnerability.affects.iter() {
        if sink.is_spent() {
            return;
        }
        let Some(product) = purl(&affected.reference, purls) else {
            sink.unmapped(Unmapped::NoPurl, &affected.reference);
            continue;
        };
        sink.vex(VexRow {
            vulnerability: vulnerability.id.trim_ascii().to_owned(),
            aliases: aliases.clone(),
            product,
            subcomponents: Vec::new(),
            status: status.to_owned(),
            justification: if status == "not_affected" {
                justification(&analysis.justification).to_owned()
            } else {
                String::new()
            },
            impact_statement: description(&analysis.detail),
            timestamp: date::normalised(updated).unwrap_or_default(),
            record: String::new(),
        });
    }
}

/// `OpenVEX`'s word for `CycloneDX`'s.
fn justification(word: &str) -> &'static str {
    match word {
        "code_not_present" => "vulnerable_code_not_present",
        "code_not_reachable" => "vulnerable_code_not_in_execute_path",
        "requires_configuration" | "requires_dependency" | "requires_environment" => {
            "vulnerable_code_cannot_be_controlled_by_adversary"
        }
        "protected_by_compiler"
        | "protected_at_runtime"
        | "protected_at_perimeter"
        | "protected_by_mitigating_control" => "inline_mitigations_already_exist",
        _ => "",
    }
}

/// Trivy's id of who rated, where it has one.
fn rater(name: &str) -> Option<&'static str> {
    match name.trim_ascii().to_ascii_lowercase().as_str() {
        "nvd" | "national vulnerability database" => Some("nvd"),
        "github" | "github advisories" | "ghsa" => Some("ghsa"),
        "red hat" | "redhat" => Some("redhat"),
        _ => None,
    }
}

fn detail(vulnerability: &Vulnerability, source: &str) -> Detail {
    let text = if vulnerability.description.is_empty() {
        &vulnerability.detail
    } else {
        &vulnerability.description
    };
    let advisories = vulnerability.advisories.iter();
    let mut detail = Detail {
        description: description(text.trim_ascii()),
        cwe_ids: vulnerability
            .cwes
            .iter()
            .filter_map(|cwe| cwe.0)
            .filter(|cwe| *cwe >= 1.0 && cwe.fract() == 0.0)
            .map(|cwe| format!("CWE-{cwe}"))
            .collect(),
        references: advisories
            .map(|advisory| &*advisory.url)
            .filter(|url| url.contains("://") && !url.contains(char::is_whitespace))
            .map(str::to_owned)
            .collect(),
        published_date: date::normalised(&vulnerability.published),
        last_modified_date: date::normalised(&vulnerability.updated),
        ..Detail::default()
    };
    let mut by_source: Vec<(&str, u8, Cvss)> = Vec::new();
    for rating in vulnerability.ratings.iter() {
        let source = rater(&rating.source.name).unwrap_or(source);
        let at = match by_source.iter().position(|(known, ..)| *known == source) {
            Some(at) => at,
            None => {
                by_source.push((source, 0, Cvss::default()));
                by_source.len() - 1
            }
        };
        if let Some((_, stated, scores)) = by_source.get_mut(at) {
            cvss::add(scores, &rating.vector);
            let of_score = || rating.score.0.map_or(0, cvss::rating);
            if *stated == 0 {
                *stated = severity::of_word(&rating.severity);
            }
            if *stated == 0 && rating.vector.is_empty() {
                *stated = of_score();
            }
        }
    }
    for (source, stated, scores) in by_source {
        severity::set(&mut detail, source, stated, scores);
    }
    detail
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use crate::map::testing::database;
    use crate::row::Unmapped;

    #[test]
    fn analyses() {
        let rows = database(
            "CycloneDX-VEX",
            r#"{"metadata":{"timestamp":"2022-03-03T00:00:00Z","component":{"bom-ref":"p","purl":"pkg:maven/g/a@1"}},
              "components":[{"bom-ref":"x","components":[{"bom-ref":"y","purl":"pkg:npm/y@1"}]}],
              "vulnerabilities":[
               {"id":"CVE-1","analysis":{"state":"not_affected","justification":"code_not_reachable","detail":"why"},
                "affects":[{"ref":"p"},{"ref":"y"},{"ref":"x"},{"ref":"urn:cdx:3e671687/1#pkg:npm/z@3"}],
                "references":[{"id":"GHSA-a"}],"cwes":[79],"advisories":[{"url":"https://x/1"}],
                "ratings":[{"source":{"name":"NVD"},"severity":"critical","vector":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H"},
                           {"score":5.0}]},
               {"id":"CVE-2","analysis":{"state":"resolved"},"affects":[{"ref":"p"}]},
               {"id":"CVE-3","analysis":{"state":"exploitable"},"affects":[{"ref":"x"}]},
               {"id":"CVE-4","analysis":{"state":"in_triage"},"affects":[{"ref":"x"}]},
               {"id":"CVE-5","analysis":{"state":"odd"},"affects":[{"ref":"x"}]}]}"#,
        );
        let found: Vec<_> = rows
            .vex
            .iter()
            .map(|row| {
                (
                    &*row.vulnerability,
                    &*row.product,
                    &*row.status,
                    &*row.justification,
                )
            })
            .collect();
        let why = "vulnerable_code_not_in_execute_path";
        assert_eq!(
            found,
            [
                ("CVE-1", "pkg:maven/g/a@1", "not_affected", why),
                ("CVE-1", "pkg:npm/y@1", "not_affected", why),
                ("CVE-1", "pkg:npm/z@3", "not_affected", why),
                ("CVE-2", "pkg:maven/g/a@1", "fixed", ""),
            ]
        );
        let detail = &rows.details[0].value;
        assert_eq!(detail.vendor_severity["nvd"], 4);
        assert_eq!(detail.vendor_severity["v"], 2);
        assert_eq!(detail.cvss["nvd"].v3_score, Some(10.0));
        assert!(detail.cwe_ids.contains("CWE-79"));
        let reasons: Vec<_> = rows.unmapped.iter().map(|row| row.reason).collect();
        assert_eq!(reasons, [Unmapped::NoPurl, Unmapped::Malformed]);
    }
}
