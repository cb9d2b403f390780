//! Whether a bundle continues what is here. Nothing has been written when this is decided.

use std::fmt;

use export_model::{ErrorCode, MirrorBase, ProfileConfig, RunId, Selectors, Sha256Digest, Tenant};

use crate::chain::Entry;
use crate::claim::Claim;

/// The state of a mirror, as messages name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Here {
    /// Its version.
    pub version: u64,
    /// The export that made it.
    pub export_id: RunId,
    /// The state of the ledger.
    pub watermark: u64,
    /// Digest of its listing.
    pub tree_digest: Sha256Digest,
}

impl From<&Entry> for Here {
    fn from(entry: &Entry) -> Self {
        Self {
            version: entry.version,
            export_id: entry.export_id.clone(),
            watermark: entry.watermark,
            tree_digest: entry.tree_digest,
        }
    }
}

impl fmt::Display for Here {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            export_id,
            watermark,
            tree_digest,
        } = self;
        write!(
            f,
            "version {version} (export {export_id}, watermark {watermark}, tree {tree_digest})"
        )
    }
}

/// Why a bundle that is verified is not applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Another tenant's.
    #[error(
        "the export is of tenant `{other}`, but this mirror of `{here}`; apply it to a folder of its own"
    )]
    OtherTenant {
        /// The mirror's.
        here: Tenant,
        /// The bundle's.
        other: Tenant,
    },
    /// Another profile's.
    #[error(
        "the export was made with the profile `{other}`, which has other kinds, revisions or indexes than this mirror, made with `{here}`; apply it to a folder of its own"
    )]
    OtherProfile {
        /// The mirror's.
        here: String,
        /// The bundle's.
        other: String,
    },
    /// Another selection.
    #[error(
        "the export, made with the profile `{profile}`, selects other records than this mirror holds; apply it to a folder of its own"
    )]
    OtherSelection {
        /// The bundle's profile.
        profile: String,
    },
    /// It has been applied.
    #[error(
        "export {export_id} was applied before, as version {version}; here is {here}: there is nothing to do"
    )]
    Replay {
        /// The mirror.
        here: Here,
        /// The bundle's export.
        export_id: RunId,
        /// What it made.
        version: u64,
    },
    /// A full export of what is here, undamaged.
    #[error(
        "export {export_id} holds the tree that is here already, and it is undamaged: {here}; there is nothing to do"
    )]
    Same {
        /// The mirror.
        here: Here,
        /// The bundle's export.
        export_id: RunId,
    },
    /// The delta's base is an older version, or none of this mirror's.
    #[error("{}", fork(here, base, *at))]
    Fork {
        /// The mirror.
        here: Here,
        /// What the delta was made for.
        base: Box<MirrorBase>,
        /// The version that this was, where it was one.
        at: Option<u64>,
    },
    /// The delta's base is ahead.
    #[error("{}", gap(here.as_ref(), base))]
    Gap {
        /// The mirror; none where there is nothing yet.
        here: Option<Here>,
        /// What the delta was made for.
        base: Box<MirrorBase>,
    },
    /// It is older than what is here.
    #[error(
        "export {export_id} is of watermark {watermark}, which is older than what is here: {here}; {}",
        if *full { "to go back on purpose, allow the rollback" } else { "apply a newer one" }
    )]
    Rollback {
        /// The mirror.
        here: Here,
        /// The bundle's export.
        export_id: RunId,
        /// Its watermark.
        watermark: u64,
        /// Whether it is a full export, which may be allowed.
        full: bool,
    },
}

fn named(base: &MirrorBase) -> String {
    let MirrorBase {
        export_id,
        watermark,
        tree_digest,
        ..
    } = base;
    format!("export {export_id} (watermark {watermark}, tree {tree_digest})")
}

fn fork(here: &Here, base: &MirrorBase, at: Option<u64>) -> String {
    let what = match at {
        Some(version) => format!("version {version} of this mirror, which has gone on since"),
        None => "a state that this mirror never was in".to_owned(),
    };
    format!(
        "the delta was made for {}, {what}; here is {here}: make a delta whose base is export {}, or \
         apply a full export",
        named(base),
        here.export_id
    )
}

fn gap(here: Option<&Here>, base: &MirrorBase) -> String {
    match here {
        Some(here) => format!(
            "the delta was made for {}, but here is {here}: apply export {} first, or a full export",
            named(base),
            base.export_id
        ),
        None => format!(
            "the delta was made for {}, but there is nothing here yet: apply a full export first, such as \
             {}",
            named(base),
            base.export_id
        ),
    }
}

impl Refusal {
    /// The documented code of this refusal.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::OtherTenant { .. } | Self::OtherProfile { .. } | Self::OtherSelection { .. } => {
                ErrorCode::MirrorOther
            }
            Self::Replay { .. } | Self::Same { .. } => ErrorCode::MirrorReplay,
            Self::Fork { .. } => ErrorCode::MirrorFork,
            Self::Gap { .. } => ErrorCode::MirrorGap,
            Self::Rollback { .. } => ErrorCode::MirrorRollback,
        }
    }
}

/// What applying a bundle does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A tree of its own takes the place of whatever is here.
    Full,
    /// The same tree as is here, which is of use only where that was edited.
    Same,
    /// The tree that is here is changed.
    Delta,
}

/// What decides what is in a mirror.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contents<'a> {
    pub(crate) selectors: &'a Selectors,
    pub(crate) config: &'a ProfileConfig,
}

/// Decides by the versions that led to what is here, oldest first, and by what the mirror is of.
pub(crate) fn judge(
    claim: &Claim,
    chain: &[Entry],
    contents: Contents<'_>,
    allow_rollback: bool,
) -> Result<Way, Refusal> {
    let Some(head) = chain.last() else {
        return match &claim.base {
            None => Ok(Way::Full),
            Some(base) => Err(Refusal::Gap {
                here: None,
                base: Box::new(base.clone()),
            }),
        };
    };
    if claim.tenant != head.tenant {
        return Err(Refusal::OtherTenant {
            here: head.tenant.clone(),
            other: claim.tenant.clone(),
        });
    }
    // Of names the profiles of full exports and of deltas may have different ones.
    if !claim.config.is_same_mirror(contents.config) {
        return Err(Refusal::OtherProfile {
            here: head.profile.clone(),
            other: claim.profile.clone(),
        });
    }
    if claim.selectors != *contents.selectors {
        return Err(Refusal::OtherSelection {
            profile: claim.profile.clone(),
        });
    }
    let here = || Here::from(head);
    let rollback = |full| Refusal::Rollback {
        here: here(),
        export_id: claim.export_id.clone(),
        watermark: claim.watermark,
        full,
    };
    let Some(base) = &claim.base else {
        if claim.tree_digest == head.tree_digest {
            return Ok(Way::Same);
        }
        if claim.watermark < head.watermark && !allow_rollback {
            return Err(rollback(true));
        }
        return Ok(Way::Full);
    };
    if let Some(entry) = chain.iter().find(|e| e.export_id == claim.export_id) {
        return Err(Refusal::Replay {
            here: here(),
            export_id: claim.export_id.clone(),
            version: entry.version,
        });
    }
    if base.tree_digest == head.tree_digest {
        if claim.watermark < head.watermark {
            return Err(rollback(false));
        }
        return Ok(Way::Delta);
    }
    let at = chain
        .iter()
        .rev()
        .find(|e| e.export_id == base.export_id || e.tree_digest == base.tree_digest)
        .map(|entry| entry.version);
    if at.is_none() && base.watermark > head.watermark {
        return Err(Refusal::Gap {
            here: Some(here()),
            base: Box::new(base.clone()),
        });
    }
    if at.is_none() && claim.watermark < head.watermark {
        return Err(rollback(false));
    }
    Err(Refusal::Fork {
        here: here(),
        base: Box::new(base.clone()),
        at,
    })
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
