//! `exportctl inspect`

use std::path::Path;

use export_bundle::inspect::{Inspection, inspect_archive, inspect_folder};
use serde_json::json;

use super::{is_standard_input, verify::open};
use crate::failure::Failed;
use crate::output::{Output, grouped, size, table};

pub(super) fn execute(output: &Output, bundle: &Path) -> Result<u8, Failed> {
    let inspection = if !is_standard_input(bundle) && bundle.is_dir() {
        inspect_folder(bundle)
    } else {
        inspect_archive(open(bundle)?)
    }
    .map_err(|e| {
        let detail = format!("{}: {e}", bundle.display());
        Failed::new(e.code(), detail)
    })?;
    tell(output, bundle, &inspection);
    Ok(0)
}

fn tell(output: &Output, bundle: &Path, inspection: &Inspection) {
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
    add("content", size(summary.content_bytes));
    add("stored", size(summary.bytes));
    add("content digest", summary.content_digest.to_string());
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
    let text = format!(
        "{}: what it says of itself; nothing of this was verified\n{}\n{}",
        bundle.display(),
        table(&rows),
        table(&files)
    );
    let value = json!({
        "bundle": bundle,
        "verified": false,
        "summary": summary,
        "key": inspection.named_key,
        "manifest": inspection.manifest,
    });
    output.result(&text, &value);
}
