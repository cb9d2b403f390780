//! CSAF 2.0 documents (OASIS Common Security Advisory Framework): advisories, and VEX by their
//! category. Version 2.1 differs in nothing that an envelope is made of but purls being a list.

use std::collections::BTreeSet;

use export_model::{ErrorCode, Kind};
use serde::Deserialize;

use super::envelope::{Described, Reference, first_slug};
use super::lenient::{or_default, read};
use crate::Refusal;

#[derive(Deserialize)]
struct Csaf {
    document: Document,
    #[serde(default, deserialize_with = "or_default")]
    product_tree: ProductTree,
    #[serde(default, deserialize_with = "or_default")]
    vulnerabilities: Vec<Vulnerability>,
}

#[derive(Deserialize)]
struct Document {
    category: String,
    csaf_version: String,
    publisher: Publisher,
    tracking: Tracking,
    #[serde(default, deserialize_with = "or_default")]
    references: Vec<Link>,
}

#[derive(Deserialize)]
struct Publisher {
    name: String,
}

#[derive(Deserialize)]
struct Tracking {
    id: String,
    version: String,
    #[serde(default, deserialize_with = "or_default")]
    aliases: Vec<String>,
}

#[derive(Deserialize)]
struct Link {
    #[serde(default, deserialize_with = "or_default")]
    category: Option<String>,
    url: String,
}

#[derive(Default, Deserialize)]
struct ProductTree {
    #[serde(default, deserialize_with = "or_default")]
    branches: Vec<Branch>,
    #[serde(default, deserialize_with = "or_default")]
    full_product_names: Vec<Product>,
    #[serde(default, deserialize_with = "or_default")]
    relationships: Vec<Relationship>,
}

#[derive(Deserialize)]
struct Branch {
    #[serde(default, deserialize_with = "or_default")]
    branches: Vec<Branch>,
    #[serde(default, deserialize_with = "or_default")]
    product: Option<Product>,
}

#[derive(Deserialize)]
struct Relationship {
    #[serde(default, deserialize_with = "or_default")]
    full_product_name: Option<Product>,
}

#[derive(Deserialize)]
struct Product {
    #[serde(default, deserialize_with = "or_default")]
    product_identification_helper: Helper,
}

#[derive(Default, Deserialize)]
struct Helper {
    #[serde(default, deserialize_with = "or_default")]
    cpe: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    purl: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    purls: Vec<String>,
}

#[derive(Deserialize)]
struct Vulnerability {
    #[serde(default, deserialize_with = "or_default")]
    cve: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    ids: Vec<OtherId>,
    #[serde(default, deserialize_with = "or_default")]
    references: Vec<Link>,
}

#[derive(Deserialize)]
struct OtherId {
    #[serde(default, deserialize_with = "or_default")]
    text: String,
}

pub(super) fn describe(document: &[u8]) -> Result<Described, Refusal> {
    let csaf: Csaf = read(document, "CSAF")?;
    let about = csaf.document;
    if !matches!(about.csaf_version.as_str(), "2.0" | "2.1") {
        return Err(Refusal::new(
            ErrorCode::UnknownFormat,
            format!(
                "CSAF {} cannot be imported; versions 2.0 and 2.1 can",
                crate::refusal::excerpt(&about.csaf_version)
            ),
        ));
    }
    let mut aliases: BTreeSet<String> = about.tracking.aliases.into_iter().collect();
    aliases.insert(about.tracking.id.clone());
    for vulnerability in &csaf.vulnerabilities {
        aliases.extend(vulnerability.cve.clone());
        // Other systems number from 1; only names that stand alone identify anything here.
        let others = vulnerability.ids.iter().map(|id| &id.text);
        aliases.extend(
            others
                .filter(|id| id.starts_with("CVE-") || id.starts_with("GHSA-"))
                .cloned(),
        );
    }
    let mut tree = Links::default();
    tree.branches(&csaf.product_tree.branches);
    tree.products(&csaf.product_tree.full_product_names);
    for relationship in &csaf.product_tree.relationships {
        tree.products(&relationship.full_product_name);
    }
    let own = about
        .references
        .iter()
        .find(|link| link.category.as_deref() == Some("self"))
        .map(|link| link.url.clone());
    let mut seen = BTreeSet::new();
    let references = about
        .references
        .into_iter()
        .chain(
            csaf.vulnerabilities
                .into_iter()
                .flat_map(|one| one.references),
        )
        .map(|link| Reference {
            // What the standard assumes of links that do not say (section 3.2.1.10).
            kind: link.category.unwrap_or_else(|| "external".to_owned()),
            url: link.url,
        })
        .filter(|reference| seen.insert(reference.clone()))
        .collect();
    Ok(Described {
        kind: if about.category == "csaf_vex" {
            Kind::Vex
        } else {
            Kind::Advisory
        },
        format: "CSAF",
        spec_version: about.csaf_version,
        vendor: first_slug([Some(about.publisher.name.as_str())], "unknown"),
        stream: "csaf".to_owned(),
        api: own,
        document_version: Some(about.tracking.version),
        subject_key: about.tracking.id.clone(),
        subject: None,
        primary: Some(about.tracking.id.clone()),
        upstream_id: about.tracking.id,
        aliases,
        purls: tree.purls,
        cpes: tree.cpes,
        references,
        reconciled_from: &[
            "/document/references",
            "/document/tracking",
            "/product_tree",
            "/vulnerabilities",
        ],
    })
}

#[derive(Default)]
struct Links {
    purls: BTreeSet<String>,
    cpes: BTreeSet<String>,
}

impl Links {
    /// Every level, which [`read`] has bounded.
    fn branches(&mut self, branches: &[Branch]) {
        for branch in branches {
            self.products(&branch.product);
            self.branches(&branch.branches);
        }
    }

    fn products<'a>(&mut self, products: impl IntoIterator<Item = &'a Product>) {
        for product in products {
            let helper = &product.product_identification_helper;
            self.purls
                .extend(helper.purl.iter().chain(&helper.purls).cloned());
            self.cpes.extend(helper.cpe.clone());
        }
    }
}
