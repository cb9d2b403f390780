//! What a delta starts from: an export of the same mirror whose list of the tree is still kept.

use export_model::{
    ErrorCode, FieldError, MirrorBase, Profile, ProfileKind, Run, RunId, RunKey, RunOptions,
    Selectors, Tenant,
};
use export_ports::Ports;

use crate::PhaseError;

const FIELD: &str = "options.base_export_id";

/// The run that a delta starts from, and what is recorded of it; none for other kinds of profiles.
/// What it selected becomes `selectors` where the request selects nothing.
///
/// # Errors
/// `ERR_DELTA_BASE` where the named run cannot be one, `ERR_DELTA_BASE_PRUNED` where it was one; the
/// state port's errors.
pub(crate) async fn base(
    ports: &Ports,
    tenant: &Tenant,
    profile: &Profile,
    selectors: &mut Selectors,
    options: &RunOptions,
) -> Result<Option<(Run, MirrorBase)>, PhaseError> {
    let (ProfileKind::MirrorDelta, Some(id)) = (profile.kind, &options.base_export_id) else {
        return Ok(None);
    };
    let key = RunKey {
        tenant: tenant.clone(),
        run: id.clone(),
    };
    let Some(run) = ports.state.run(&key).await? else {
        return Err(not_a_base(format!("tenant {tenant} has no run {id}")));
    };
    if !run.profile.kind.is_mirror() {
        let kind = run.profile.kind;
        return Err(not_a_base(format!("run {id} is {kind}, not a mirror")));
    }
    let (Some(published), Some(tree), Some(watermark), true) = (
        &run.published,
        &run.tree,
        run.watermark,
        run.status.is_terminal(),
    ) else {
        let status = run.status;
        return Err(not_a_base(format!(
            "run {id} is {status}: a delta starts from a completed one"
        )));
    };
    if !run.profile.config.is_same_mirror(&profile.config) {
        return Err(not_a_base(format!(
            "run {id} is of another mirror: its profile `{}` (revision {}) has other kinds, \
             revisions or indexes than `{}`",
            run.profile.name, run.profile.revision, profile.name
        )));
    }
    if *selectors == Selectors::default() {
        selectors.clone_from(&run.selectors);
    } else if *selectors != run.selectors {
        return Err(not_a_base(format!(
            "run {id} selects something else; leave the selectors out to have its own"
        )));
    }
    if tree.listing.is_none() {
        return Err(pruned(id, run.profile.config.retention.listing_days()));
    }
    let base = MirrorBase {
        export_id: id.clone(),
        manifest_sha256: published.manifest_sha256,
        tree_digest: tree.digest,
        watermark,
    };
    Ok(Some((run, base)))
}

/// The refusal of a base whose list is gone.
#[must_use]
pub fn pruned(id: &RunId, days: u32) -> PhaseError {
    refused(
        ErrorCode::DeltaBasePruned,
        format!(
            "the list of run {id}'s tree was kept for {days} days and is gone: start from a newer \
             export, or export mirror:full"
        ),
    )
}

fn not_a_base(detail: String) -> PhaseError {
    refused(ErrorCode::DeltaBase, detail)
}

fn refused(code: ErrorCode, detail: String) -> PhaseError {
    PhaseError::Refused {
        code,
        fields: vec![FieldError {
            field: FIELD.into(),
            message: detail.clone(),
        }],
        detail,
    }
}
