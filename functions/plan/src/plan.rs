//! Planning one run.

use std::collections::BTreeMap;

use export_lifecycle::{Held, NoSuchState, PhaseError, transact, watermark};
use export_model::{
    CompiledSelectors, ErrorCode, Kind, Part, Run, RunKey, RunStatus, Sealing, Tenant, Timestamp,
    WorkId,
};
use export_ports::{Ports, Scan, Write};
use export_telemetry as telemetry;
use tracing::Instrument;

use crate::walk::{Planned, walk};

/// Parts that one message's shard covers.
pub const SHARD_PARTS: u32 = 8;
/// Most parts that a run may have: its rows are committed in one transaction.
pub const MAX_PARTS: usize = 10_000;

/// The read that a run makes for `owner`'s records of `kind`.
///
/// Findings are read without a watermark: they belong to a snapshot that is frozen as soon as a
/// run refers to it, so it has only one state.
#[must_use]
pub fn scan(
    run: &Run,
    owner: &Tenant,
    watermark: u64,
    selectors: &CompiledSelectors,
    kind: Kind,
) -> Scan {
    let finding = kind == Kind::Finding;
    Scan {
        tenant: owner.clone(),
        kind,
        watermark: if finding {
            i64::MAX.unsigned_abs()
        } else {
            watermark
        },
        revisions: run.profile.config.revisions,
        selectors: selectors.clone(),
        policy_snapshot_id: run
            .policy_snapshot
            .as_ref()
            .filter(|_| finding)
            .map(|snapshot| snapshot.policy_snapshot_id.clone()),
    }
}

pub(crate) async fn plan(ports: &Ports, held: &Held) -> Result<(), PhaseError> {
    let key = held.run_key();
    let span = tracing::info_span!("export.plan", otel.name = telemetry::SPAN_PLAN,
        run_id = %key.run, tenant = %key.tenant, phase = "plan",
        correlation_id = held.correlation_id());
    async {
        let run = wanted(ports, &key).await?;
        let started = ports.clock.now();
        let watermark = watermark(ports, run.owners(), run.options.as_of)
            .await?
            .map_err(|NoSuchState(what)| {
                PhaseError::permanent(ErrorCode::AsOfUnknown, format!("as_of {what}"))
            })?;
        let mut selectors = compile(&run)?;
        let sboms = resolve_sboms(ports, &run, watermark, &mut selectors).await?;
        not_before_base(&run, watermark)?;
        let run = with_key(ports, run).await?;
        let planned = walk(ports, held, &run, watermark, &selectors).await?;
        let sealing = run.sealing;
        commit(
            ports,
            held,
            &key,
            started,
            watermark,
            (sboms, sealing),
            planned,
        )
        .await
    }
    .instrument(span)
    .await
}

pub(crate) async fn wanted(ports: &Ports, key: &RunKey) -> Result<Run, PhaseError> {
    match ports.state.run(key).await? {
        Some(run) if run.status == RunStatus::Pending => Ok(run),
        _ => Err(PhaseError::Superseded),
    }
}

/// Makes the key of a run that is sealed under one. Of several attempts, only the key of the one that
/// is committed seals anything that is kept.
async fn with_key(ports: &Ports, mut run: Run) -> Result<Run, PhaseError> {
    if let Some(Sealing::AesGcm { key, wrapped }) = &mut run.sealing {
        *wrapped = Some(ports.seals.wrapped_key(&run.key, key).await?);
    }
    Ok(run)
}

/// A delta leads forward.
fn not_before_base(run: &Run, watermark: u64) -> Result<(), PhaseError> {
    match &run.base {
        Some(base) if watermark < base.watermark => Err(PhaseError::permanent(
            ErrorCode::DeltaBase,
            format!(
                "as_of is watermark {watermark}, but the base, run {}, shows the ledger as it was \
                 later, at {}",
                base.export_id, base.watermark
            ),
        )),
        _ => Ok(()),
    }
}

fn compile(run: &Run) -> Result<CompiledSelectors, PhaseError> {
    run.compile_selectors().map_err(|errors| {
        let detail = errors
            .iter()
            .map(|error| format!("{} {}", error.field, error.message))
            .collect::<Vec<_>>()
            .join("; ");
        PhaseError::permanent(ErrorCode::InvalidRequest, detail)
    })
}

/// The SBOMs that selectors name: of the run's tenant by subject, of several owners one by one.
#[derive(Clone, Default)]
struct Sboms {
    own: BTreeMap<String, Vec<String>>,
    of: Vec<(Tenant, String)>,
}

/// Findings name SBOMs by `_id`, requests usually by subject: adds the ids behind the subjects.
///
/// A run across tenants has no findings, and an SBOM is known by its subject without this. So
/// nothing is added there, which also keeps one owner's ids out of what is read of another.
async fn resolve_sboms(
    ports: &Ports,
    run: &Run,
    watermark: u64,
    selectors: &mut CompiledSelectors,
) -> Result<Sboms, PhaseError> {
    let mut sboms = Sboms::default();
    for owner in run.owners() {
        for subject in selectors.sbom_subjects() {
            let ids = ports.ledger.sboms(owner, &subject, watermark).await?;
            if run.is_cross_tenant() {
                sboms
                    .of
                    .extend(ids.into_iter().map(|id| (owner.clone(), id)));
            } else {
                sboms.own.insert(subject, ids);
            }
        }
    }
    sboms.of.sort_unstable();
    sboms.of.dedup();
    let own = &sboms.own;
    selectors.extend_sbom_subjects(|subject| own.get(subject).cloned().unwrap_or_default());
    Ok(sboms)
}

async fn commit(
    ports: &Ports,
    held: &Held,
    key: &RunKey,
    started: Timestamp,
    watermark: u64,
    (sboms, sealing): (Sboms, Option<Sealing>),
    planned: Planned,
) -> Result<(), PhaseError> {
    let Planned { cut, keys, tree } = planned;
    let mut keys = keys.into_iter();
    let parts: Vec<Part> = cut
        .parts
        .into_iter()
        .zip(0..)
        .map(|(part, index)| Part {
            run: key.clone(),
            index,
            ordinal: part.ordinal,
            owner: part.owner,
            kind: part.kind,
            first: part.first,
            last: part.last,
            records: part.records,
            bytes: part.bytes,
            hash: part.hash,
            keys: keys.next(),
            output: None,
            rev: 0,
        })
        .collect();
    let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    transact(ports, key, |draft| {
        if draft.run.status != RunStatus::Pending {
            return Err(PhaseError::Superseded);
        }
        draft.finish(held);
        draft.also(Write::DropParts(key.clone()));
        let run = &mut draft.run;
        run.started_at = Some(started);
        run.watermark = Some(watermark);
        run.sources = cut.sources.clone();
        run.sealing.clone_from(&sealing);
        run.tree.clone_from(&tree);
        run.sboms = sboms.own.clone();
        run.sboms_of = sboms.of.clone();
        run.parts = count;
        run.parts_left = count;
        run.records_planned = parts.iter().map(|part| part.records).sum();
        run.bytes_planned = parts.iter().map(|part| part.bytes).sum();
        let detail = format!("{} records in {count} parts", run.records_planned);
        draft.status(RunStatus::Planned, Some(detail));
        for part in &parts {
            draft.part(part.clone());
        }
        let run = &key.run;
        if count == 0 {
            draft.parts_are_done();
        }
        for (shard, first) in (0..).zip((0..count).step_by(SHARD_PARTS as usize)) {
            draft.step(WorkId::Shard {
                run: run.clone(),
                shard,
                first,
                last: (first + SHARD_PARTS).min(count) - 1,
            });
        }
        Ok(())
    })
    .await?;
    tracing::info!(parts = count, watermark, "planned");
    Ok(())
}
