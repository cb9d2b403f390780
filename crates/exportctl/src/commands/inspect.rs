//! `exportctl inspect`

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;

use export_bundle::contents::{read_archive, read_folder};
use export_bundle::inspect::{Inspection, inspect_archive, inspect_folder};
use export_bundle::manifest::{FileEntry, Manifest};
use export_bundle::payload::SUMMARY;
use export_trivy::summary::{DatabaseSummary, JavaSummary};
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::layer::unreadable;
use super::{is_standard_input, verify::open};
use crate::failure::Failed;
use crate::output::{Output, grouped, size, table};

pub(super) fn execute(output: &Output, bundle: &Path) -> Result<u8, Failed> {
    let unreadable = |e| unreadable(bundle, &e);
    let mut content = None;
    let inspection = if is_standard_input(bundle) {
        // It can be read but once.
        read_archive(open(bundle)?, &mut summary(&mut content)).map_err(unreadable)?
    } else {
        let is_folder = bundle.is_dir();
        let found = if is_folder {
            inspect_folder(bundle)
        } else {
            inspect_archive(open(bundle)?)
        }
        .map_err(unreadable)?;
        if found.manifest.profile.kind.is_assembled() {
            if is_folder {
                read_folder(bundle, &mut summary(&mut content))
            } else {
                read_archive(open(bundle)?, &mut summary(&mut content))
            }
            .map_err(unreadable)?;
        }
        found
    };
    tell(output, bundle, &inspection, content.as_ref());
    Ok(0)
}

/// Largest summary that is read.
const MAX_SUMMARY: u64 = 16 << 20;

/// Takes what an assembled payload says of its content.
fn summary(
    content: &mut Option<Value>,
) -> impl FnMut(&Manifest, &FileEntry, &mut dyn Read) -> io::Result<ControlFlow<()>> {
    move |manifest, file, stored| {
        if !manifest.profile.kind.is_assembled() {
            return Ok(ControlFlow::Break(()));
        }
        if file.path != SUMMARY {
            return Ok(ControlFlow::Continue(()));
        }
        let mut bytes = Vec::new();
        stored.take(MAX_SUMMARY).read_to_end(&mut bytes)?;
        *content = Some(
            serde_json::from_slice(&bytes)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?,
        );
        Ok(ControlFlow::Break(()))
    }
}

/// What a scanner finds in the content, for people.
fn scanner_rows(content: &Value) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    if let Ok(summary) = DatabaseSummary::deserialize(content) {
        rows.push(
            ["  ECOSYSTEM", "ADVISORIES", "PACKAGES"]
                .map(str::to_owned)
                .to_vec(),
        );
        for (name, ecosystem) in &summary.ecosystems {
            rows.push(vec![
                format!("  {name}"),
                grouped(ecosystem.advisories),
                grouped(ecosystem.packages),
            ]);
        }
        let unmapped: u64 = summary.unmapped.values().sum();
        rows.push(vec!["  not mapped".to_owned(), grouped(unmapped)]);
        rows.push(vec![
            "  VEX statements".to_owned(),
            grouped(summary.vex_statements),
        ]);
    } else if let Ok(summary) = JavaSummary::deserialize(content) {
        let unmapped: u64 = summary.unmapped.values().sum();
        rows.push(vec!["  artifacts".to_owned(), grouped(summary.artifacts)]);
        rows.push(vec!["  jars".to_owned(), grouped(summary.jars)]);
        rows.push(vec!["  not mapped".to_owned(), grouped(unmapped)]);
    }
    rows
}

fn tell(output: &Output, bundle: &Path, inspection: &Inspection, content: Option<&Value>) {
    let summary = &inspection.summary;
    let mut rows = Vec::new();
    let mut add = |name: &str, value: String| rows.push(vec![format!("  {name}"), value]);
    add("run", summary.run_id.to_string());
    add("tenant", summary.tenant.to_string());
    let revision = summary.profile_revision;
    add(
        "profile",
        format!(
            "{} revision {revision} ({})",
            summary.profile, summary.profile_kind
        ),
    );
    add("watermark", summary.watermark.to_string());
    for (tenant, records) in &summary.by_tenant {
        add("records of", format!("{tenant}: {}", grouped(*records)));
    }
    for (kind, records) in &summary.by_kind {
        add(kind.as_str(), format!("{} records", grouped(*records)));
    }
    for (code, records) in &summary.quarantined {
        add("quarantined", format!("{} by {code}", grouped(*records)));
    }
    // Of what is sealed it is not told.
    if summary.sealed.is_none() {
        add("content", size(summary.content_bytes));
    }
    add("stored", size(summary.bytes));
    match (&summary.content_digest, &summary.sealed) {
        (Some(digest), _) => add("content digest", digest.to_string()),
        (None, Some(mode)) => add("sealed", mode.clone()),
        (None, None) => {}
    }
    if let Some(builder) = &summary.builder_id {
        add("built by", builder.clone());
    }
    if let Some(key) = &inspection.named_key {
        add("claims key", key.to_string());
    }
    let mut files = vec![vec![
        "  FILE".to_owned(),
        "SIZE".to_owned(),
        "RECORDS".to_owned(),
    ]];
    for file in &inspection.manifest.files {
        let records = file.records.map(grouped).unwrap_or_default();
        files.push(vec![format!("  {}", file.path), size(file.size), records]);
    }
    let mut text = format!(
        "{}: what it says of itself; nothing of this was verified\n{}\n{}",
        bundle.display(),
        table(&rows),
        table(&files)
    );
    let found = content.map(scanner_rows).unwrap_or_default();
    if !found.is_empty() {
        text.push('\n');
        text.push_str(&table(&found));
    }
    let mut value = json!({
        "bundle": bundle,
        "verified": false,
        "summary": summary,
        "key": inspection.named_key,
        "manifest": inspection.manifest,
    });
    if let (Some(content), Some(members)) = (content, value.as_object_mut()) {
        members.insert("content".to_owned(), content.clone());
    }
    output.result(&text, &value);
}
