//! Applying a bundle: verified first, then all or nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use export_bundle::archive::ArchiveReader;
use export_bundle::verify::{
    Report, SignedDocuments, SignedError, Trust, Unseal, VerifyError, read_signed,
};
use export_mirror::index::Index;
use export_model::{ErrorCode, MirrorIndex, ProfileConfig, Sha256Digest, Timestamp};
use export_signing::PublicKey;

use crate::chain::{Derived, Entry, TreeCounts, VerifiedEntry};
use crate::claim::Claim;
use crate::commit::{clean, commit, describe, prune, write_entry};
use crate::differences::Differences;
use crate::error::{Error, writing};
use crate::indexing::Gathered;
use crate::judge::{Contents, Here, Refusal, Way, judge};
use crate::lock::Lock;
use crate::payload::Payload;
use crate::place::Place;
use crate::sealed::contents;
use crate::state::State;
use crate::worker::Worker;
use crate::{check, delta, full};

/// How a bundle is applied.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Whose signatures count at the first apply. Later the mirror holds to the key that signed then,
    /// and these only count with `repin`.
    pub keys: &'a [PublicKey],
    /// Whether the mirror is to hold to another key from here on: the one of `keys` that signed.
    pub repin: bool,
    /// Whether a full export may be older than what is here.
    pub allow_rollback: bool,
    /// How many trees are kept, the one that readers see included; at least that one.
    pub keep: u64,
    /// The time, which the chain remembers.
    pub now: Timestamp,
    /// Who applies it, for whoever tries to at the same time.
    pub holder: &'a str,
    /// The indexes that the tree is to have; none for those that the profile says.
    pub indexes: Option<&'a [Index]>,
    /// Threads that hash and write, beside the one that reads; 0 counts as 1.
    pub threads: usize,
    /// What opens bundles that are sealed.
    pub unseal: Option<&'a dyn Unseal>,
    /// Told of how far it is.
    pub observe: Option<&'a (dyn Fn(Step) + Sync)>,
}

/// How far an apply is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// The bundle is verified and continues what is here; nothing was written yet.
    Judged,
    /// So many documents of the new tree have been dealt with.
    Documents(u64),
    /// The new tree is complete, in staging.
    Built,
    /// It is on disk.
    Synced,
    /// Its documents are in the chain.
    EntryInPlace,
    /// It is beside the trees that readers see.
    TreeInPlace,
    /// Readers see it.
    Committed,
    /// What is not needed any more is gone.
    Pruned,
}

/// What was applied.
#[derive(Debug)]
pub struct Applied {
    /// What the chain remembers of it.
    pub entry: Entry,
    /// Whether it took the place of a tree with the same digest that somebody had edited.
    pub repaired: Option<Differences>,
    /// The versions whose trees were removed after it. Where that failed the new tree is in place all
    /// the same, and the next apply tries again.
    pub pruned: Result<Vec<u64>, Error>,
}

/// What an apply works with.
pub(crate) struct Work<'a> {
    pub(crate) place: &'a Place,
    pub(crate) options: &'a Options<'a>,
    /// The indexes that the tree is to have.
    pub(crate) indexes: Vec<Index>,
}

/// What was built in staging.
pub(crate) struct Built {
    pub(crate) counts: TreeCounts,
    pub(crate) policy_snapshot: Option<Sha256Digest>,
    pub(crate) derived: BTreeMap<String, Derived>,
}

impl Work<'_> {
    /// The tree that is built.
    pub(crate) fn tree(&self) -> PathBuf {
        self.place.staging().join("tree")
    }

    /// Its entry in the chain.
    pub(crate) fn entry(&self) -> PathBuf {
        self.place.staging().join("entry")
    }

    /// What is only needed while it is built.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.place.staging().join("scratch")
    }

    /// How many workers there are.
    pub(crate) fn threads(&self) -> usize {
        self.options.threads.clamp(1, 64)
    }

    /// Gathered for a tree whose documents all are seen.
    pub(crate) fn whole(&self) -> Vec<Gathered> {
        Gathered::whole(&self.indexes, &self.scratch(), self.threads())
    }

    /// Gathered for a change of the tree of `head`. Where that has other indexes than are wanted,
    /// they are made anew.
    pub(crate) fn change(&self, head: &Entry) -> Vec<Gathered> {
        let wanted = self.indexes.iter();
        let there = head
            .derived
            .keys()
            .filter(|path| path.starts_with("indexes/"))
            .count();
        let same = wanted.clone().all(|one| {
            head.derived
                .contains_key(&export_mirror::index::path(one.lines_file()))
        });
        if same && there == 2 * wanted.count() {
            Gathered::update(&self.indexes, &self.scratch(), self.threads())
        } else {
            self.whole()
        }
    }

    pub(crate) fn step(&self, step: Step) {
        if let Some(observe) = self.options.observe {
            observe(step);
        }
    }

    pub(crate) fn told(&self, documents: u64) {
        self.step(Step::Documents(documents));
    }
}

/// Applies the bundle that `reader` gives, in one pass, to the mirror in `dir`, which is made where there
/// is none.
///
/// # Errors
/// When the bundle is not verified or does not continue what is there, when anything in it is not what
/// was signed, or something cannot be read or written. What readers see is then what it was before.
pub fn apply(reader: impl Read, dir: &Path, options: &Options<'_>) -> Result<Applied, Error> {
    let place = Place::new(dir);
    let mut lock = None;
    if place.meta().is_dir() {
        lock = Some(Lock::take(&place, options.holder)?);
    }
    let state = State::load(&place)?;
    let mut archive = ArchiveReader::new(reader);
    let (signed, key) = read_documents(&mut archive, state.as_ref(), options)?;
    let opened = contents(&mut archive, &signed, options.unseal)?;
    let claim = Claim::of(&opened.manifest)?;
    let chain = state.as_ref().map_or(&[][..], |state| &state.chain);
    let of = state
        .as_ref()
        .map(|state| &state.head.manifest)
        // What a sealed one selected is not known any more; the digests of trees are.
        .filter(|head| head.sealed.is_none())
        .unwrap_or(&opened.manifest);
    let contents = Contents {
        selectors: &of.selectors,
        config: &of.profile.config,
    };
    let way = judge(&claim, chain, contents, options.allow_rollback)?;
    let work = Work {
        place: &place,
        options,
        indexes: match options.indexes {
            Some(indexes) => indexes.to_vec(),
            None => indexes_of(&claim.config),
        },
    };
    let repaired = match (way, &state) {
        (Way::Same, Some(state)) => {
            let found = check::tree(&place, &state.head.entry, work.threads())?;
            if found.is_empty() {
                return Err(Error::Refused(Refusal::Same {
                    here: Here::from(&state.head.entry),
                    export_id: claim.export_id,
                }));
            }
            Some(found)
        }
        _ => None,
    };
    work.step(Step::Judged);
    if lock.is_none() {
        fs::create_dir_all(place.meta()).map_err(writing(&place.meta()))?;
        lock = Some(Lock::take(&place, options.holder)?);
        if State::load(&place)?.is_some() {
            // It was made between two looks at it.
            return Err(Error::Busy {
                dir: dir.to_owned(),
                holder: "another process, which has just made it".to_owned(),
            });
        }
    }
    let before = state.as_ref().map_or(0, |state| state.head.entry.version);
    clean(&place, before)?;
    let mut payload = Payload::new(archive, opened.manifest.clone(), opened.keys.clone());
    let done = build(&mut payload, &claim, way, state.as_ref(), &work).and_then(|built| {
        payload.finish()?;
        let verified = enter(&claim, &signed, key, state.as_ref(), built, &work);
        write_entry(&work, &signed.documents, &verified)?;
        work.step(Step::Built);
        commit(&work, &verified)?;
        Ok(verified)
    });
    let verified = match done {
        Ok(verified) => verified,
        Err(error) => {
            // What cannot be removed now is removed by the next apply, and read by nobody.
            let head = crate::chain::head(&place).ok().flatten().unwrap_or(before);
            let _ = clean(&place, head);
            return Err(error);
        }
    };
    let pruned = describe(&place, &verified, false)
        .and_then(|()| prune(&place, &verified.entry, options.keep))
        .and_then(|removed| {
            clean(&place, verified.entry.version)?;
            Ok(removed)
        });
    work.step(Step::Pruned);
    drop(lock);
    Ok(Applied {
        entry: verified.entry,
        repaired,
        pruned,
    })
}

fn build<R: Read>(
    payload: &mut Payload<R>,
    claim: &Claim,
    way: Way,
    state: Option<&State>,
    work: &Work<'_>,
) -> Result<Built, Error> {
    for dir in [work.tree(), work.entry(), work.scratch()] {
        fs::create_dir_all(&dir).map_err(writing(&dir))?;
    }
    match (way, state) {
        (Way::Delta, Some(state)) => delta::build(payload, claim, &state.head.entry, work),
        (Way::Delta, None) => Err(Error::Internal("a delta needs something to change")),
        (Way::Full | Way::Same, _) => full::build(payload, claim, work),
    }
}

/// Reads and judges the documents by the keys that count here; gives the key that signed.
fn read_documents<R: Read>(
    archive: &mut ArchiveReader<R>,
    state: Option<&State>,
    options: &Options<'_>,
) -> Result<(SignedDocuments, PublicKey), Error> {
    let pinned = state.map(|state| &state.head.key);
    let trust = match pinned {
        Some(key) if !options.repin => Trust {
            keys: vec![key.clone()],
        },
        _ => Trust {
            keys: options.keys.to_vec(),
        },
    };
    let signed = read_signed(archive, &trust).map_err(|error| match error {
        SignedError::Read(VerifyError::Read { offset, source }) => {
            Error::ReadBundle { offset, source }
        }
        SignedError::Refused(report) => refused(report, pinned.filter(|_| !options.repin)),
        _ => Error::Internal("the documents cannot be read"),
    })?;
    let key = trust
        .keys
        .into_iter()
        .find(|key| key.fingerprint() == signed.key)
        .ok_or(Error::Internal("signed by a key that nobody gave"))?;
    Ok((signed, key))
}

fn refused(report: Box<Report>, pinned: Option<&PublicKey>) -> Error {
    match pinned {
        Some(pinned) if report.code == Some(ErrorCode::WrongKey) => Error::WrongKey {
            found: report.key,
            pinned: pinned.fingerprint(),
        },
        _ => Error::NotVerified(report),
    }
}

/// The entry of what was built.
fn enter(
    claim: &Claim,
    signed: &SignedDocuments,
    key: PublicKey,
    state: Option<&State>,
    built: Built,
    work: &Work<'_>,
) -> VerifiedEntry {
    let before = state.map(|state| &state.head.entry);
    let entry = Entry {
        schema: Entry::schema(),
        version: before.map_or(0, |entry| entry.version) + 1,
        applied_at: work.options.now,
        export_id: claim.export_id.clone(),
        tenant: claim.tenant.clone(),
        profile: claim.profile.clone(),
        kind: claim.kind,
        watermark: claim.watermark,
        manifest_sha256: signed.manifest_sha256(),
        tree_digest: claim.tree_digest,
        base: claim.base.clone(),
        key: signed.key,
        repinned: before.is_some_and(|entry| entry.key != signed.key),
        rolled_back: before.is_some_and(|entry| entry.watermark > claim.watermark),
        counts: built.counts,
        policy_snapshot: built.policy_snapshot,
        derived: built.derived,
    };
    VerifiedEntry {
        entry,
        manifest: signed.manifest.clone(),
        key,
    }
}

/// The indexes of a profile.
fn indexes_of(config: &ProfileConfig) -> Vec<Index> {
    let index = |wanted| match wanted {
        MirrorIndex::Identifier => Index::Identifier,
        MirrorIndex::Purl => Index::Purl,
        MirrorIndex::Source => Index::Source,
        MirrorIndex::Subject => Index::Subject,
    };
    config.effective_indexes().into_iter().map(index).collect()
}

/// Workers for what each of them gathers.
pub(crate) fn workers<'t>(
    gathered: Vec<Gathered>,
    new: Option<&'t crate::tree::Tree>,
    old: Option<&'t crate::tree::Tree>,
) -> Vec<Worker<'t>> {
    gathered
        .into_iter()
        .map(|gathered| Worker::new(new, old, gathered))
        .collect()
}
