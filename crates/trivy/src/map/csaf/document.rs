//! The members of a CSAF document that mapping reads (OASIS CSAF 2.0, and 2.1 where it differs).

use serde::Deserialize;

use crate::map::lenient::{List, Number, Object, Text};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Document {
    pub(super) document: Object<About>,
    pub(super) product_tree: Object<Tree>,
    pub(super) vulnerabilities: List<Object<Vulnerability>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct About {
    pub(super) tracking: Object<Tracking>,
    pub(super) title: Text,
    pub(super) aggregate_severity: Object<Worded>,
    pub(super) references: List<Object<Reference>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tracking {
    pub(super) id: Text,
    pub(super) initial_release_date: Text,
    pub(super) current_release_date: Text,
    pub(super) status: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Worded {
    pub(super) text: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reference {
    pub(super) url: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tree {
    pub(super) branches: List<Object<Branch>>,
    pub(super) full_product_names: List<Object<Product>>,
    pub(super) relationships: List<Object<Relationship>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Branch {
    pub(super) category: Text,
    pub(super) name: Text,
    pub(super) branches: List<Object<Branch>>,
    pub(super) product: Object<Product>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Product {
    pub(super) name: Text,
    pub(super) product_id: Text,
    pub(super) product_identification_helper: Object<Helper>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Helper {
    pub(super) cpe: Text,
    pub(super) purl: Text,
    pub(super) purls: List<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Relationship {
    pub(super) full_product_name: Object<Product>,
    pub(super) product_reference: Text,
    pub(super) relates_to_product_reference: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Vulnerability {
    pub(super) cve: Text,
    pub(super) ids: List<Object<Worded>>,
    pub(super) title: Text,
    pub(super) cwe: Object<Cwe>,
    pub(super) cwes: List<Object<Cwe>>,
    pub(super) notes: List<Object<Note>>,
    pub(super) scores: List<Object<Score>>,
    pub(super) metrics: List<Object<Metric>>,
    pub(super) product_status: Object<Status>,
    pub(super) remediations: List<Object<Remediation>>,
    pub(super) threats: List<Object<Threat>>,
    pub(super) flags: List<Object<Flag>>,
    pub(super) references: List<Object<Reference>>,
    pub(super) release_date: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Cwe {
    pub(super) id: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Note {
    pub(super) category: Text,
    pub(super) text: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Score {
    pub(super) cvss_v2: Object<Vector>,
    pub(super) cvss_v3: Object<Vector>,
    pub(super) cvss_v4: Object<Vector>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Metric {
    pub(super) content: Object<Score>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Vector {
    pub(super) vector_string: Text,
    pub(super) base_severity: Text,
    pub(super) base_score: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub(super) fixed: List<Text>,
    pub(super) first_fixed: List<Text>,
    pub(super) recommended: List<Text>,
    pub(super) known_affected: List<Text>,
    pub(super) first_affected: List<Text>,
    pub(super) last_affected: List<Text>,
    pub(super) known_not_affected: List<Text>,
    pub(super) under_investigation: List<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Remediation {
    pub(super) category: Text,
    pub(super) details: Text,
    pub(super) url: Text,
    pub(super) product_ids: List<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Threat {
    pub(super) category: Text,
    pub(super) details: Text,
    pub(super) product_ids: List<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Flag {
    pub(super) label: Text,
    pub(super) product_ids: List<Text>,
}
