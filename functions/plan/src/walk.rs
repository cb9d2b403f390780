//! The walk along the index: once, in canonical order, never touching a record.

use export_lifecycle::{Held, PhaseError};
use export_model::{
    CompiledSelectors, ErrorCode, IndexEntry, Kind, MirrorTree, Run, StagedFile, Tenant, Timestamp,
};
use export_ports::{Evidence, Ports};

use crate::cut::{Cut, Cutter};
use crate::mirror::{Mirror, Planning};
use crate::plan::{MAX_PARTS, scan, wanted};

/// Index lines a page.
const PAGE: usize = 10_000;
/// How often the walk looks whether its run is still wanted.
const LOOK_MILLIS: u64 = 200;

/// What a walk gives.
pub(crate) struct Planned {
    pub(crate) cut: Cut,
    /// Of deltas: for each part, which records are in it.
    pub(crate) keys: Vec<StagedFile>,
    /// Of mirrors: the tree.
    pub(crate) tree: Option<MirrorTree>,
}

/// What takes the walk.
enum Taking {
    Parts(Cutter),
    Mirror(Planning),
}

/// The kinds that a run exports, in canonical order.
fn kinds(run: &Run, selectors: &CompiledSelectors) -> Vec<Kind> {
    let mut kinds = run.profile.config.effective_kinds(run.profile.kind);
    if let Some(wanted) = &selectors.base.kinds {
        kinds.retain(|kind| wanted.contains(kind));
    }
    if run.policy_snapshot.is_none() {
        kinds.retain(|kind| *kind != Kind::Finding);
    }
    kinds
}

pub(crate) async fn walk(
    ports: &Ports,
    held: &Held,
    run: &Run,
    watermark: u64,
    selectors: &CompiledSelectors,
) -> Result<Planned, PhaseError> {
    let config = &run.profile.config;
    let cutter = Cutter::new(
        Kind::Advisory,
        config.records_per_part,
        config.bytes_per_part,
    );
    let mut taking = if run.profile.kind.is_mirror() {
        Taking::Mirror(Planning::begin(ports, held, run, cutter).await?)
    } else {
        Taking::Parts(cutter)
    };
    let walked = walk_all(ports, held, run, watermark, selectors, &mut taking).await;
    match taking {
        Taking::Parts(cutter) => walked.map(|()| Planned {
            cut: cutter.finish(),
            keys: Vec::new(),
            tree: None,
        }),
        Taking::Mirror(planning) => {
            let Mirror { cut, keys, tree } = planning.finish(walked).await?;
            Ok(Planned {
                cut,
                keys,
                tree: Some(tree),
            })
        }
    }
}

async fn walk_all(
    ports: &Ports,
    held: &Held,
    run: &Run,
    watermark: u64,
    selectors: &CompiledSelectors,
    taking: &mut Taking,
) -> Result<(), PhaseError> {
    let mut looked = ports.clock.now();
    let kinds = kinds(run, selectors);
    let of = |owner| kinds.iter().map(move |kind| (owner, *kind));
    let groups: Vec<(&Tenant, Kind)> = run.owners().iter().flat_map(of).collect();
    for (owner, kind) in groups {
        taking.group(run, owner, kind).await?;
        let scan = scan(run, owner, watermark, selectors, kind);
        let evidence: &dyn Evidence = match kind {
            Kind::Finding => &*ports.policy,
            _ => &*ports.ledger,
        };
        let mut after = None;
        loop {
            let page = evidence.index(&scan, after.as_ref(), PAGE).await?;
            let more = page.len() == PAGE;
            after = page.last().map(|entry| entry.position.clone());
            taking.page(run, kind, page).await?;
            look(ports, held, run, &mut looked).await?;
            if !more {
                break;
            }
        }
    }
    Ok(())
}

/// Looks whether the run is still wanted, now and then, and whether this is still its plan.
async fn look(
    ports: &Ports,
    held: &Held,
    run: &Run,
    looked: &mut Timestamp,
) -> Result<(), PhaseError> {
    let now = ports.clock.now();
    if now.millis_since(*looked) >= LOOK_MILLIS {
        *looked = now;
        wanted(ports, &run.key).await?;
    }
    if held.is_lost() {
        return Err(PhaseError::Superseded);
    }
    Ok(())
}

impl Taking {
    /// Goes on with another owner's records, or another kind.
    async fn group(&mut self, run: &Run, owner: &Tenant, kind: Kind) -> Result<(), PhaseError> {
        match self {
            Self::Parts(cutter) => {
                if run.is_cross_tenant() {
                    cutter.next_owner(owner);
                }
                cutter.next_kind(kind);
                Ok(())
            }
            Self::Mirror(planning) => planning.kind(kind).await,
        }
    }

    async fn page(
        &mut self,
        run: &Run,
        kind: Kind,
        page: Vec<IndexEntry>,
    ) -> Result<(), PhaseError> {
        let cutter = match self {
            Self::Mirror(planning) => return planning.page(kind, page).await,
            Self::Parts(cutter) => cutter,
        };
        for entry in page {
            cutter.add(entry);
        }
        if cutter.len() > MAX_PARTS {
            return Err(PhaseError::permanent(
                ErrorCode::TooManyParts,
                format!("run {} would have more than {MAX_PARTS} parts", run.key.run),
            ));
        }
        Ok(())
    }
}
