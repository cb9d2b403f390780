//! Evidence that was made up for tests.

use serde_json::{Value, json};

use super::sha256_hex;

/// A ledger record around `raw`, with the right content hash.
pub(crate) fn record(tenant: &str, kind: &str, id: &str, raw: &Value) -> Value {
    // `serde_json::Value` sorts members, which for plain ASCII is the canonical order.
    let hash = sha256_hex(raw.to_string().as_bytes());
    json!({
        "_id": format!("{kind}_raw:example.feed:{id}:{}", &hash[..12]),
        "tenant": tenant,
        "kind": kind,
        "subject_key": id,
        "source": {
            "vendor": "example",
            "stream": "feed",
            "api": format!("https://example.com/{id}"),
            "collector_version": "collector/1.0.0",
        },
        "upstream": {
            "upstream_id": id,
            "document_version": "1",
            "fetched_at": "2026-11-01T00:00:00Z",
            "received_at": "2026-11-01T00:00:00Z",
            "content_hash": format!("sha256:{hash}"),
            "signature": {"present": false},
        },
        "content": {"format": "OSV", "spec_version": "1.6.0", "raw": raw},
        "identifiers": {"primary": id, "aliases": [id], "cve": [], "ghsa": []},
        "linkset": {
            "purls": [format!("pkg:npm/{}", id.to_lowercase())],
            "cpes": [],
            "aliases": [id],
            "references": [],
            "reconciled_from": ["/affected"],
        },
    })
}

/// An OSV-shaped advisory.
pub(crate) fn advisory(id: &str) -> Value {
    json!({
        "id": id,
        "modified": "2026-10-01T00:00:00Z",
        "summary": format!("Something is wrong with {id}"),
        "affected": [{"package": {"ecosystem": "npm", "name": id.to_lowercase()}}],
    })
}

/// The same, last changed at `modified`.
pub(crate) fn advisory_at(id: &str, modified: &str) -> Value {
    let mut raw = advisory(id);
    raw["modified"] = modified.into();
    raw["summary"] = format!("As of {modified}").into();
    raw
}

/// A policy snapshot.
pub(crate) fn snapshot(tenant: &str, id: &str) -> Value {
    json!({
        "policy_snapshot_id": id,
        "policy_version": "7",
        "inputs_hash": format!("sha256:{}", sha256_hex(id.as_bytes())),
        "created_at": "2026-11-01T00:00:00Z",
        "name": "baseline",
        "tenant": tenant,
    })
}

/// A finding of `snapshot` about a component of `sbom`.
pub(crate) fn finding(tenant: &str, snapshot: &str, sbom: &str, number: u32) -> Value {
    let purl = format!("pkg:npm/component-{number}@1.0.0");
    json!({
        "_id": format!("finding:{snapshot}:{number}"),
        "tenant": tenant,
        "kind": "finding",
        "subject_key": purl,
        "policy_snapshot_id": snapshot,
        "policy_version": "7",
        "inputs_hash": format!("sha256:{}", sha256_hex(snapshot.as_bytes())),
        "subject": {"sbom_id": sbom, "component_purl": purl},
        "advisory_id": format!("advisory_raw:example.feed:EX-{number:05}"),
        "vulnerability_id": format!("CVE-1900-{number:05}"),
        "status": "affected",
        "severity": {"normalized": "high"},
        "evaluated_at": "2026-11-01T00:00:00Z",
        "decision_trace": [{"rule": "match.purl", "result": "hit"}],
    })
}

/// `count` records of `tenant` as JSON lines.
pub(crate) fn lines(tenant: &str, count: u32) -> String {
    (0..count)
        .map(|n| {
            let id = format!("EX-{n:05}");
            format!("{}\n", record(tenant, "advisory", &id, &advisory(&id)))
        })
        .collect()
}
