//! The five documents, from what is known of the run and its payload.

use std::collections::BTreeMap;

use export_adapter::Registry;
use export_bundle::frames::libzstd_version;
use export_bundle::manifest::{
    AsOfSection, CONTENT_SCHEMA, ContentDocument, Counts, DistributionEntry, Manifest,
    ProfileSection, RunSection, SCHEMA, content_digest,
};
use export_bundle::provenance::{Builder, ProvenanceInputs, SealingInputs};
use export_lifecycle::PhaseError;
use export_model::{ErrorCode, Kind, Part, Run, Sealing, Sha256Digest, Tenant, Timestamp};
use export_ports::SignerLevel;
use serde_json::json;

use crate::payload::{PayloadFile, internal, quarantined};

/// Version of the program, as the provenance gives it.
const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn manifest(run: &Run, files: &[PayloadFile], parts: &[Part]) -> Manifest {
    let files: Vec<_> = files.iter().map(|file| file.entry.clone()).collect();
    let mut by_kind: BTreeMap<Kind, u64> = BTreeMap::new();
    let mut by_tenant: BTreeMap<Tenant, u64> =
        run.owners.iter().map(|owner| (owner.clone(), 0)).collect();
    for part in parts {
        let records = part.output.as_ref().map_or(0, |output| output.records);
        if records == 0 {
            continue;
        }
        *by_kind.entry(part.kind).or_default() += records;
        if let Some(sum) = part
            .owner
            .as_ref()
            .and_then(|owner| by_tenant.get_mut(owner))
        {
            *sum += records;
        }
    }
    let (_, variant) = run.profile.kind.adapter_and_variant();
    let tree = run.tree.as_ref().map(|tree| tree.digest);
    Manifest {
        schema: SCHEMA.to_owned(),
        run: RunSection {
            id: run.key.run.clone(),
            tenant: run.key.tenant.clone(),
            profile_id: run.profile.name.clone(),
            profile_revision: run.profile.revision,
            requested_by: run.requested_by.clone(),
            submitted_at: run.submitted_at,
            as_of: AsOfSection {
                watermark: run.watermark.unwrap_or(0),
            },
        },
        profile: ProfileSection {
            name: run.profile.name.clone(),
            kind: run.profile.kind,
            variant: variant.to_owned(),
            config: run.profile.config.clone(),
        },
        selectors: run.selectors.clone(),
        counts: Counts {
            records: by_kind.values().sum(),
            by_kind,
            by_tenant,
            quarantined: quarantined(parts),
        },
        content_digest: content_digest(&files),
        tree_digest: tree.filter(|_| run.base.is_none()),
        base: run.base.clone(),
        result_tree_digest: tree.filter(|_| run.base.is_some()),
        files,
        sealed: None,
        distributions: run
            .profile
            .config
            .targets
            .iter()
            .map(|target| DistributionEntry {
                kind: target.kind().to_owned(),
                location: format!("/api/export/runs/{}/download", run.key.run),
            })
            .collect(),
    }
}

/// Whoever signs: its level, its name of the key, and the key's fingerprint.
pub(crate) struct SignedBy {
    pub(crate) level: SignerLevel,
    pub(crate) key_id: String,
    pub(crate) fingerprint: String,
}

/// What the provenance is made of.
pub(crate) fn provenance(
    run: &Run,
    registry: &Registry,
    manifest: &Manifest,
    manifest_sha256: Sha256Digest,
    by: &SignedBy,
    now: Timestamp,
) -> Result<ProvenanceInputs, PhaseError> {
    let kind = run.profile.kind;
    let adapter = registry.find(kind).ok_or_else(|| {
        let detail = format!("no adapter of this process makes {kind}");
        PhaseError::permanent(ErrorCode::UnknownVariant, detail)
    })?;
    let own = run.sboms.values().flatten();
    let mut sboms: Vec<_> = own.map(|id| (run.key.tenant.clone(), id.clone())).collect();
    sboms.extend(run.sboms_of.iter().cloned());
    sboms.sort_unstable();
    sboms.dedup();
    Ok(ProvenanceInputs {
        manifest_sha256,
        content_digest: manifest.content_digest,
        builder: match by.level {
            SignerLevel::Service => Builder::Service,
            SignerLevel::KeyFile => Builder::KeyFile,
        },
        run_id: run.key.run.clone(),
        tenant: run.key.tenant.clone(),
        profile_name: run.profile.name.clone(),
        profile_revision: run.profile.revision,
        profile_kind: kind,
        selectors: run.selectors.clone(),
        options: run.options.clone(),
        approvals: run.approvals.clone(),
        adapter: (adapter.name.to_owned(), adapter.version.to_owned()),
        exporter_version: VERSION.to_owned(),
        compression_level: run.profile.config.compression.level,
        libzstd_version: libzstd_version().to_owned(),
        started_at: run.started_at.unwrap_or(run.submitted_at),
        finished_at: now,
        watermark: run.watermark.unwrap_or(0),
        sources: run.sources.clone(),
        sealing: sealing(run, manifest),
        base: run.base.clone(),
        policy_snapshot: run.policy_snapshot.clone(),
        sboms,
        key_id: by.key_id.clone(),
        key_fingerprint: by.fingerprint.clone(),
    })
}

/// How files are sealed, as the provenance tells it.
fn sealing(run: &Run, manifest: &Manifest) -> Option<SealingInputs> {
    let how = match run.sealing.as_ref()? {
        Sealing::Age { recipients } => json!({"mode": "age", "recipients": recipients}),
        Sealing::AesGcm { key, wrapped } => {
            json!({"key": key, "mode": "aes-gcm", "wrapped": wrapped})
        }
    };
    let files = manifest.files.iter();
    Some(SealingInputs {
        how,
        files: files.map(|file| (file.path.clone(), file.sha256)).collect(),
    })
}

/// The document that tells, sealed, what everybody may not know.
pub(crate) fn content(
    provenance: &ProvenanceInputs,
    manifest: &Manifest,
) -> Result<Vec<u8>, PhaseError> {
    let writing = |e| internal("writing the sealed document", e);
    let parameters = match provenance.parameters() {
        serde_json::Value::Object(parameters) => parameters.into_iter().collect(),
        _ => BTreeMap::new(),
    };
    ContentDocument {
        dependencies: provenance.dependencies().map_err(writing)?,
        manifest: manifest.clone(),
        parameters,
        schema: CONTENT_SCHEMA.to_owned(),
    }
    .to_bytes()
    .map_err(writing)
}
