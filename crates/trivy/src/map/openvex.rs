//! `OpenVEX` documents (`OpenVEX` specification 0.2.0; 0.0.1's strings for objects, too).

use serde::Deserialize;

use crate::row::{Unmapped, VexRow};

use super::date;
use super::lenient::{self, List, Named, Object, Text};
use super::purl::Purl;
use super::record::Envelope;
use super::sink::{Sink, description};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Document {
    timestamp: Text,
    last_updated: Text,
    statements: List<Object<Statement>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Statement {
    vulnerability: Named,
    aliases: List<Text>,
    timestamp: Text,
    products: List<Part>,
    subcomponents: List<Part>,
    status: Text,
    justification: Text,
    impact_statement: Text,
}

/// A product, or a part of one: a string, or an object.
#[derive(Debug, Default)]
struct Part {
    id: String,
    purl: String,
    subcomponents: Vec<Part>,
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Members {
            #[serde(rename = "@id")]
            id: Text,
            identifiers: Object<Identifiers>,
            subcomponents: List<Part>,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Identifiers {
            purl: Text,
        }
        lenient::string_or(
            deserializer,
            |id| Self {
                id,
                ..Self::default()
            },
            |members: Members| Self {
                id: members.id.0,
                purl: members.identifiers.0.purl.0,
                subcomponents: members.subcomponents.0,
            },
        )
    }
}

impl Part {
    /// Its purl, as it is written.
    fn purl(&self) -> Option<&str> {
        [&self.purl, &self.id]
            .into_iter()
            .map(|text| text.trim_ascii())
            .find(|text| Purl::parse(text).is_some())
    }
}

pub(super) fn map(_: &Envelope, raw: &str, sink: &mut Sink<'_>) {
    let (document, wrong) = match lenient::read::<Document>(raw) {
        Ok(read) => read,
        Err(error) => return sink.unmapped(Unmapped::Malformed, &error.to_string()),
    };
    if wrong > 0 {
        let detail = format!("{wrong} members of a wrong type");
        sink.unmapped(Unmapped::Malformed, &detail);
    }
    let modified = if document.last_updated.is_empty() {
        &document.timestamp
    } else {
        &document.last_updated
    };
    date::keep_newest(&mut sink.rows().modified, modified);
    for statement in document.statements.iter() {
        match &*statement.status {
            "not_affected" | "fixed" => one(&document, statement, sink),
            "affected" | "under_investigation" => {}
            status => sink.unmapped(Unmapped::Malformed, &format!("status {status:?}")),
        }
    }
}

fn one(document: &Document, statement: &Statement, sink: &mut Sink<'_>) {
    let vulnerability = &statement.vulnerability;
    if vulnerability.name.is_empty() || vulnerability.name.contains('\0') {
        return sink.unmapped(Unmapped::BadKey, "a statement names no vulnerability");
    }
    if statement.products.is_empty() {
        return sink.unmapped(Unmapped::NoPurl, &vulnerability.name);
    }
    let timestamp = if statement.timestamp.is_empty() {
        &document.timestamp
    } else {
        &statement.timestamp
    };
    let mut aliases = vulnerability.aliases.clone();
    aliases.extend(statement.aliases.iter().map(|alias| alias.0.clone()));
    aliases.retain(|alias| !alias.is_empty());
    for product in statement.products.iter() {
        if sink.is_spent() {
            return;
        }
        let Some(purl) = product.purl() else {
            sink.unmapped(Unmapped::NoPurl, &product.id);
            continue;
        };
        let parts = product
            .subcomponents
            .iter()
            .chain(statement.subcomponents.iter());
        let mut subcomponents = Vec::new();
        let mut has_parts = false;
        for part in parts {
            has_parts = true;
            match part.purl() {
                Some(purl) => subcomponents.push(purl.to_owned()),
                None => sink.unmapped(Unmapped::NoPurl, &part.id),
            }
        }
        // About parts that cannot be named: it must not become one about all of the product.
        if has_parts && subcomponents.is_empty() {
            continue;
        }
        sink.vex(VexRow {
            vulnerability: vulnerability.name.clone(),
            aliases: aliases.clone(),
            product: purl.to_owned(),
            subcomponents,
            status: statement.status.0.clone(),
            justification: statement.justification.0.clone(),
            impact_statement: description(&statement.impact_statement),
            timestamp: date::normalised(timestamp).unwrap_or_default(),
            record: String::new(),
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use crate::map::testing::database;
    use crate::row::Unmapped;

    #[test]
    fn statements() {
        let rows = database(
            "OpenVEX",
            r#"{"@context":"https://openvex.dev/ns/v0.2.0","timestamp":"2026-01-01T00:00:00Z","statements":[
              {"vulnerability":{"name":"CVE-1","aliases":["GHSA-a"]},"products":[{"@id":"pkg:oci/x","subcomponents":[
                {"@id":"pkg:golang/stdlib"},{"@id":"nonsense"}]},{"@id":"urn:x","identifiers":{"purl":"pkg:npm/a@1"}},
                {"@id":"urn:y"}],"status":"not_affected","justification":"component_not_present","impact_statement":"none"},
              {"vulnerability":"CVE-2","products":["pkg:npm/b@2"],"status":"fixed","timestamp":"2026-02-01"},
              {"vulnerability":"CVE-3","products":[{"@id":"pkg:npm/b","subcomponents":[{"@id":"x"}]}],"status":"fixed"},
              {"vulnerability":"CVE-4","products":["pkg:npm/b@2"],"status":"affected"},
              {"vulnerability":"CVE-5","products":["pkg:npm/b@2"],"status":"maybe"},
              {"vulnerability":"","products":["pkg:npm/b@2"],"status":"fixed"},
              {"vulnerability":"CVE-6","products":[],"status":"fixed"}]}"#,
        );
        let found: Vec<_> = rows
            .vex
            .iter()
            .map(|row| {
                (
                    &*row.vulnerability,
                    &*row.product,
                    &*row.status,
                    row.subcomponents.len(),
                    &*row.timestamp,
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                (
                    "CVE-1",
                    "pkg:oci/x",
                    "not_affected",
                    1,
                    "2026-01-01T00:00:00Z"
                ),
                (
                    "CVE-1",
                    "pkg:npm/a@1",
                    "not_affected",
                    0,
                    "2026-01-01T00:00:00Z"
                ),
                ("CVE-2", "pkg:npm/b@2", "fixed", 0, "2026-02-01T00:00:00Z"),
            ]
        );
        assert_eq!(rows.vex[0].aliases, ["GHSA-a"]);
        assert_eq!(rows.vex[0].record, "r:1");
        let reasons: Vec<_> = rows.unmapped.iter().map(|row| row.reason).collect();
        let no = Unmapped::NoPurl;
        assert_eq!(
            reasons,
            [no, no, no, Unmapped::Malformed, Unmapped::BadKey, no]
        );
        assert_eq!(rows.modified.as_deref(), Some("2026-01-01T00:00:00Z"));
    }

    #[test]
    fn one_text_for_many_products() {
        let products: Vec<String> = (0..50_000).map(|n| format!("\"pkg:npm/p{n}\"")).collect();
        let text = "x".repeat(100_000);
        let rows = database(
            "OpenVEX",
            &format!(
                r#"{{"statements":[{{"vulnerability":"CVE-1","products":[{}],"status":"fixed","impact_statement":"{text}"}}]}}"#,
                products.join(",")
            ),
        );
        assert!(
            rows.vex.len() > 900 && rows.vex.len() < 1_100,
            "{}",
            rows.vex.len()
        );
        assert_eq!(rows.unmapped.len(), 1);
        assert_eq!(rows.unmapped[0].reason, Unmapped::Limit);
    }
}
