//! What a Maven index says of one artifact: lines that were given a document by us.

use std::collections::BTreeSet;

use export_model::{Kind, Sha256Digest};

use super::envelope::{self, Described, Subject};
use super::osv_purl::push_encoded;
use super::{WrapContext, no_tenant};
use crate::Refusal;
use crate::maven::Entry;

/// The record of one artifact's `entries`, of which `document` is made.
pub(crate) fn wrap_maven(
    entries: &[Entry],
    document: &[u8],
    context: &WrapContext<'_>,
) -> Result<Vec<u8>, Refusal> {
    let tenant = context.tenant.ok_or_else(no_tenant)?;
    let (group, artifact) = entries
        .first()
        .map_or(("", ""), |entry| (entry.g.as_str(), entry.a.as_str()));
    let mut purl = "pkg:maven/".to_owned();
    push_encoded(&mut purl, group);
    purl.push('/');
    push_encoded(&mut purl, artifact);
    let name = format!("{group}:{artifact}");
    let hex = Sha256Digest::of(document).hex();
    let described = Described {
        kind: Kind::Sbom,
        format: "MavenIndex",
        spec_version: "1".to_owned(),
        vendor: "maven".to_owned(),
        stream: "index".to_owned(),
        api: None,
        // What another import says more is a document beside this one.
        upstream_id: format!("{name}@{}", hex.get(..16).unwrap_or_default()),
        document_version: None,
        subject_key: purl.clone(),
        subject: Some(Subject {
            name,
            purl: purl.clone(),
        }),
        primary: None,
        aliases: BTreeSet::new(),
        purls: BTreeSet::from([purl]),
        cpes: BTreeSet::new(),
        references: Vec::new(),
        reconciled_from: &["/artifacts"],
    };
    envelope::write(&described, document, tenant, context)
}
