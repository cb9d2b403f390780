//! What a mirror is, and what made it, without looking at the tree.

use std::path::Path;

use export_model::{Selectors, Tenant};
use export_signing::Fingerprint;
use serde::Serialize;

use crate::chain::{Entry, VerifiedEntry, numbered};
use crate::error::Error;
use crate::place::Place;
use crate::state::State;

/// What a mirror is.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// What readers see.
    pub head: Entry,
    /// Whose evidence it is.
    pub tenant: Tenant,
    /// What it selects.
    pub selectors: Selectors,
    /// The key that it holds to.
    pub key: Fingerprint,
    /// Versions that something was applied as, the head's included.
    pub applied: u64,
    /// Versions whose trees are there, oldest first.
    pub kept: Vec<u64>,
    /// Bytes of manifests and indexes in the tree.
    pub derived_bytes: u64,
    /// Whether an apply did not end; the next one removes what it left.
    pub unfinished: bool,
}

/// What made a version.
#[derive(Clone, Debug, Serialize)]
pub struct Link {
    /// What was applied.
    pub entry: Entry,
    /// What is wrong with its documents or with its place in the chain; none where nothing is.
    pub problem: Option<String>,
}

/// What the mirror in `dir` is.
///
/// # Errors
/// When there is none, or the head's own documents are damaged.
pub fn status(dir: &Path) -> Result<Status, Error> {
    let place = Place::new(dir);
    let State { chain, head } = State::require(&place)?;
    let version = head.entry.version;
    let mut kept = numbered(&place.versions())?;
    let entries = numbered(&place.chain())?;
    let unfinished =
        kept.iter().chain(&entries).any(|number| *number > version) || place.staging().exists();
    kept.retain(|number| *number <= version);
    kept.sort_unstable();
    Ok(Status {
        tenant: head.entry.tenant.clone(),
        selectors: head.manifest.selectors.clone(),
        key: head.key.fingerprint(),
        applied: chain.len() as u64,
        kept,
        derived_bytes: head.entry.derived.values().map(|one| one.size).sum(),
        unfinished,
        head: head.entry,
    })
}

/// What made the mirror in `dir`, oldest first, each verified.
///
/// # Errors
/// When there is no mirror, or the head's own documents are damaged.
pub fn log(dir: &Path) -> Result<Vec<Link>, Error> {
    let place = Place::new(dir);
    let State { chain, .. } = State::require(&place)?;
    Ok(links(&place, &chain))
}

/// Verifies each entry by itself, and that each follows from the one before.
pub(crate) fn links(place: &Place, chain: &[Entry]) -> Vec<Link> {
    let mut before: Option<&Entry> = None;
    let mut links = Vec::new();
    for entry in chain {
        let problem = match VerifiedEntry::read(place, entry.version) {
            Err(error) => Some(error.to_string()),
            Ok(_) => follows(before, entry),
        };
        links.push(Link {
            entry: entry.clone(),
            problem,
        });
        before = Some(entry);
    }
    links
}

fn follows(before: Option<&Entry>, entry: &Entry) -> Option<String> {
    let Some(before) = before else {
        return match (entry.version, &entry.base) {
            (1, None) => None,
            (1, Some(_)) => Some("it is the first, and a delta".to_owned()),
            _ => Some("what came before it is missing".to_owned()),
        };
    };
    if entry.version != before.version + 1 {
        return Some(format!(
            "version {} before it is missing",
            entry.version.saturating_sub(1)
        ));
    }
    if entry.key != before.key && !entry.repinned {
        return Some("it was signed by another key than the one before it".to_owned());
    }
    match &entry.base {
        Some(base) if base.tree_digest != before.tree_digest => {
            Some("it is a delta of another tree than the one before it".to_owned())
        }
        _ => None,
    }
}
