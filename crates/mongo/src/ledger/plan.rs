//! What a batch does to the ledger, decided before anything is written.

use std::collections::{HashMap, HashSet};

use export_model::{AdmittedRecord, Sha256Digest};
use export_ports::Appended;

use super::entry::DocumentKey;
use super::schema::NEVER;

/// Where a revision is: in the ledger already, under its `seq`, or among the new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Stored(i64),
    New(usize),
}

/// The newest revision of a document. Without a time is before every time.
#[derive(Clone, Copy, Debug)]
struct Head {
    order: (Option<i64>, Sha256Digest),
    place: Place,
}

/// What is known of the documents of a batch.
#[derive(Default)]
pub(super) struct Known {
    heads: HashMap<DocumentKey, Head>,
    /// Every known revision that is no head.
    older: HashSet<(DocumentKey, Sha256Digest)>,
}

impl Known {
    /// The ledger's newest revision of a document.
    pub(super) fn head(
        &mut self,
        key: DocumentKey,
        modified: Option<i64>,
        content_hash: Sha256Digest,
        seq: i64,
    ) {
        let head = Head {
            order: (modified, content_hash),
            place: Place::Stored(seq),
        };
        self.heads.insert(key, head);
    }

    /// An older revision that the ledger has.
    pub(super) fn older(&mut self, key: DocumentKey, content_hash: Sha256Digest) {
        self.older.insert((key, content_hash));
    }

    /// Whether the ledger's newest revision of the document is another one: then it may have this
    /// one as an older revision.
    pub(super) fn has_another_head(&self, key: DocumentKey, content_hash: Sha256Digest) -> bool {
        self.heads
            .get(&key)
            .is_some_and(|head| head.order.1 != content_hash)
    }

    fn has(&self, key: DocumentKey, content_hash: Sha256Digest) -> bool {
        self.heads
            .get(&key)
            .is_some_and(|head| head.order.1 == content_hash)
            || self.older.contains(&(key, content_hash))
    }
}

/// A record that becomes an entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NewEntry {
    /// Which of the batch.
    pub(super) record: usize,
    pub(super) seq: i64,
    pub(super) superseded_at: i64,
}

/// What to write.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) new: Vec<NewEntry>,
    /// Stored entries, and the `seq` that supersedes each.
    pub(super) superseded: Vec<(i64, i64)>,
    pub(super) appended: Appended,
}

/// Decides about `records`, whose documents are `keys`, in a ledger whose last number is `last_seq`.
pub(super) fn plan(
    records: &[AdmittedRecord],
    keys: &[DocumentKey],
    mut known: Known,
    last_seq: i64,
) -> Plan {
    let mut plan = Plan::default();
    let mut seq = last_seq;
    for (number, (record, key)) in records.iter().zip(keys).enumerate() {
        if known.has(*key, record.content_hash) {
            plan.appended.present += 1;
            continue;
        }
        seq += 1;
        let order = (record.modified.map(|time| time.0), record.content_hash);
        let mut superseded_at = NEVER;
        let newest = Head {
            order,
            place: Place::New(plan.new.len()),
        };
        match known.heads.get(key).copied() {
            None => {
                known.heads.insert(*key, newest);
            }
            Some(head) if order > head.order => {
                match head.place {
                    Place::Stored(old) => plan.superseded.push((old, seq)),
                    Place::New(index) => {
                        if let Some(entry) = plan.new.get_mut(index) {
                            entry.superseded_at = seq;
                        }
                    }
                }
                known.older.insert((*key, head.order.1));
                known.heads.insert(*key, newest);
                plan.appended.superseded += 1;
            }
            Some(_) => {
                superseded_at = seq;
                known.older.insert((*key, record.content_hash));
                plan.appended.superseded += 1;
            }
        }
        plan.new.push(NewEntry {
            record: number,
            seq,
            superseded_at,
        });
        plan.appended.added += 1;
    }
    plan
}
