//! Writing, signing and publishing the set.

use bytes::Bytes;
use export_adapter::Registry;
use export_bundle::paths::{self, member_order};
use export_bundle::payload::CONTENT;
use export_lifecycle::{Held, PhaseError, transact};
use export_model::{
    Distribution, DistributionStatus, ErrorCode, EventBody, ObjectKey, Part, Published, Run,
    RunStatus, Sha256Digest, WorkId,
};
use export_ports::Ports;
use export_signing::{PublicKey, Signature, bundle, detached, to_sign};
use export_staging::Seal;
use export_telemetry as telemetry;
use tracing::Instrument;

use crate::documents::{self, SignedBy};
use crate::mirror;
use crate::payload::{self, Making, PayloadFile, internal, key};

/// Rows a page.
const PAGE: usize = 1_000;

pub(crate) async fn sign(
    ports: &Ports,
    registry: &Registry,
    held: &Held,
) -> Result<(), PhaseError> {
    let key = held.run_key();
    let span = tracing::info_span!("export.sign", otel.name = telemetry::SPAN_SIGN,
        run_id = %key.run, tenant = %key.tenant, phase = "sign",
        correlation_id = held.correlation_id());
    async {
        let run = match ports.state.run(&key).await? {
            Some(run) if run.status == RunStatus::Signing => run,
            _ => return Err(PhaseError::Superseded),
        };
        let published = write(ports, registry, held, &run).await?;
        publish(ports, held, &run, published).await
    }
    .instrument(span)
    .await
}

async fn all_parts(ports: &Ports, run: &Run) -> Result<Vec<Part>, PhaseError> {
    let mut parts: Vec<Part> = Vec::new();
    while parts.len() < run.parts as usize {
        let from = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        let page = ports.state.parts(&run.key, from, PAGE).await?;
        if page.is_empty() {
            let detail = format!("run {} has lost parts from {from} on", run.key);
            return Err(PhaseError::permanent(ErrorCode::Internal, detail));
        }
        parts.extend(page);
    }
    Ok(parts)
}

async fn write(
    ports: &Ports,
    registry: &Registry,
    held: &Held,
    run: &Run,
) -> Result<Published, PhaseError> {
    let parts = all_parts(ports, run).await?;
    let making = &Making {
        ports,
        held,
        run,
        seal: Seal::of(ports, run).await?,
    };
    let mut files = payload::part_files(run, &making.seal, &parts)?;
    files.extend(payload::assembled_files(run));
    files.extend(mirror::files(making).await?);
    files.push(payload::inputs(making, &parts).await?);
    files.extend(payload::quarantine(making, &parts).await?);
    files.extend(payload::policy_snapshot(making, &parts).await?);
    files.sort_by(|a, b| a.entry.path.cmp(&b.entry.path));

    let pem = ports.signer.public_key_pem().await?;
    let public = PublicKey::from_pem(pem.as_bytes())
        .map_err(|e| PhaseError::permanent(ErrorCode::SigningFailed, e.to_string()))?;
    let by = SignedBy {
        level: ports.signer.level(),
        key_id: ports.signer.key_id(),
        fingerprint: public.fingerprint().to_string(),
    };

    let now = ports.clock.now();
    let whole = documents::manifest(run, &files, &parts);
    let manifest = match &run.sealing {
        None => whole.clone(),
        Some(sealing) => {
            let told = Sha256Digest::of(b"");
            let told = documents::provenance(run, registry, &whole, told, &by, now)?;
            let content = documents::content(&told, &whole)?;
            let content = payload::document_file(making, CONTENT, content).await?;
            let entry = &content.entry;
            let named = (entry.path.clone(), entry.size, entry.sha256);
            files.push(content);
            whole.sealed(sealing.mode(), named)
        }
    };
    files.sort_by(|a, b| member_order(&a.entry.path, &b.entry.path));
    let export_json = manifest
        .to_bytes()
        .map_err(|e| internal("writing export.json", e))?;
    let to_sign = to_sign::export_json_to_sign(&export_json);
    let signature = signature(ports, to_sign.bytes()).await?;
    let sigstore = bundle::message_bundle(&signature, &to_sign.sha256(), &public.fingerprint());
    let manifest_sha256 = Sha256Digest::of(&export_json);

    let statement = documents::provenance(run, registry, &manifest, manifest_sha256, &by, now)?
        .to_bytes()
        .map_err(|e| internal("writing provenance.json", e))?;
    let to_sign = to_sign::statement_to_sign(&statement);
    let attestation = self::signature(ports, to_sign.bytes()).await?;
    let dsse = bundle::dsse_bundle(&statement, &attestation, &public.fingerprint());

    let content_digest = whole.content_digest;
    // Each is durable when its call returns, which takes a while; together they take it once.
    let put = |path, bytes| document(ports, held, run, path, bytes);
    let signature = detached::write(&signature).into_bytes();
    let documents = tokio::try_join!(
        put(paths::MANIFEST, export_json),
        put(paths::MANIFEST_SIGNATURE, signature),
        put(paths::MANIFEST_BUNDLE, sigstore),
        put(paths::PROVENANCE, statement),
        put(paths::PROVENANCE_BUNDLE, dsse),
    )?;
    let mut members = Vec::from(<[_; 5]>::from(documents));
    members.extend(
        files
            .into_iter()
            .map(|PayloadFile { entry, object }| (entry.path, object, entry.size)),
    );
    Ok(Published {
        token: held.token().to_owned(),
        content_digest,
        manifest_sha256,
        key_fingerprint: by.fingerprint,
        key_id: by.key_id,
        members,
    })
}

async fn document(
    ports: &Ports,
    held: &Held,
    run: &Run,
    path: &'static str,
    bytes: Vec<u8>,
) -> Result<(String, ObjectKey, u64), PhaseError> {
    let object = key(run, held, path)?;
    let size = bytes.len() as u64;
    ports.objects.put(&object, Bytes::from(bytes)).await?;
    Ok((path.to_owned(), object, size))
}

async fn signature(ports: &Ports, message: &[u8]) -> Result<Signature, PhaseError> {
    let der = ports.signer.sign(message).await?;
    Signature::from_der(der).map_err(|e| {
        let detail = format!("the signer's answer is no signature: {e}");
        PhaseError::permanent(ErrorCode::SigningFailed, detail)
    })
}

async fn publish(
    ports: &Ports,
    held: &Held,
    run: &Run,
    published: Published,
) -> Result<(), PhaseError> {
    let content_digest = published.content_digest;
    let fingerprint = published.key_fingerprint.clone();
    transact(ports, &run.key, |draft| {
        if draft.run.status != RunStatus::Signing {
            return Err(PhaseError::Superseded);
        }
        draft.finish(held);
        draft.run.published = Some(published.clone());
        draft.event(EventBody::Signed {
            content_digest,
            key_fingerprint: fingerprint.clone(),
        });
        draft.status(RunStatus::Distributing, None);
        for (index, target) in (0..).zip(&run.profile.config.targets) {
            draft.distribution(Distribution {
                run: run.key.clone(),
                index,
                target: target.clone(),
                status: DistributionStatus::Pending,
                checkpoint: None,
                archive: None,
                failure: None,
                rev: 0,
            });
            draft.step(WorkId::Distribute {
                run: run.key.run.clone(),
                target: index,
            });
        }
        Ok(())
    })
    .await?;
    tracing::info!(%content_digest, key = %fingerprint, "signed");
    Ok(())
}
