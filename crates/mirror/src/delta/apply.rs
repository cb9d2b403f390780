//! A listing and a delta give the new listing.

use std::cmp::Ordering;
use std::io::Read;

use export_model::Kind;

use super::{DeltaReader, Op};
use crate::ListingError;
use crate::line::Entry;
use crate::listing::{ListingReader, write_line};

/// What becomes of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// It stays.
    Keep(Entry<'a>),
    /// It comes.
    Add(Entry<'a>),
    /// It gets other bytes.
    Change {
        /// What is there.
        old: Entry<'a>,
        /// What is to be there.
        new: Entry<'a>,
    },
    /// It goes.
    Remove(Entry<'a>),
}

impl<'a> Step<'a> {
    /// The document in the new tree; none where it goes. Its `line` is that of where it was read.
    #[must_use]
    pub fn result(&self) -> Option<Entry<'a>> {
        match *self {
            Self::Keep(entry) | Self::Add(entry) | Self::Change { new: entry, .. } => Some(entry),
            Self::Remove(_) => None,
        }
    }

    /// Appends the line of the new listing, if the document is in it.
    pub fn write_result(&self, out: &mut Vec<u8>) {
        match self {
            Self::Keep(entry) => out.extend_from_slice(entry.line),
            Self::Add(new) | Self::Change { new, .. } => write_line(
                out,
                new.kind,
                new.subject_key,
                new.id,
                &new.sha256,
                new.size,
            ),
            Self::Remove(_) => {}
        }
    }
}

/// Why a delta does not fit a listing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The listing or the delta cannot be read.
    #[error(transparent)]
    Read(#[from] ListingError),
    /// A document that is to be added is there.
    #[error("the delta adds the {kind} `{id}`, which is in the tree already")]
    There {
        /// Its kind.
        kind: Kind,
        /// Its id.
        id: String,
    },
    /// A document that is to be changed or removed is not there.
    #[error("the delta is to {} the {kind} `{id}`, which is not in the tree", .op.as_str())]
    Missing {
        /// What was to be done.
        op: Op,
        /// Its kind.
        kind: Kind,
        /// Its id.
        id: String,
    },
    /// A document that is to be removed has other bytes than the delta says.
    #[error("the delta removes the {kind} `{id}`, but knows other bytes of it than the tree has")]
    Differs {
        /// Its kind.
        kind: Kind,
        /// Its id.
        id: String,
    },
    /// A document that is to be changed has those bytes already.
    #[error("the delta changes the {kind} `{id}` to what the tree has already")]
    Unchanged {
        /// Its kind.
        kind: Kind,
        /// Its id.
        id: String,
    },
}

/// Walks along a listing and a delta; gives what becomes of every document, in canonical order.
pub struct Apply<A, B> {
    old: ListingReader<A>,
    delta: DeltaReader<B>,
    /// Which of the two goes on before the next step.
    spent: (bool, bool),
}

impl<A: Read, B: Read> Apply<A, B> {
    /// Applies `delta` to `old`, of which nothing was read yet.
    pub fn new(old: ListingReader<A>, delta: DeltaReader<B>) -> Self {
        Self {
            old,
            delta,
            spent: (true, true),
        }
    }

    /// What becomes of the next document; none at the end.
    ///
    /// # Errors
    /// When either cannot be read, or the delta is not one of this listing.
    #[expect(clippy::should_implement_trait, reason = "it lends what it gives")]
    pub fn next(&mut self) -> Result<Option<Step<'_>>, ApplyError> {
        if self.spent.0 {
            self.old.advance()?;
        }
        if self.spent.1 {
            self.delta.advance()?;
        }
        let (old, change) = match (self.old.current(), self.delta.current()) {
            (None, None) => {
                self.spent = (false, false);
                return Ok(None);
            }
            (Some(old), None) => {
                self.spent = (true, false);
                return Ok(Some(Step::Keep(old)));
            }
            (None, Some(change)) => (None, change),
            (Some(old), Some(change)) => match old.key().cmp(&change.entry.key()) {
                Ordering::Less => {
                    self.spent = (true, false);
                    return Ok(Some(Step::Keep(old)));
                }
                Ordering::Equal => (Some(old), change),
                Ordering::Greater => (None, change),
            },
        };
        self.spent = (old.is_some(), true);
        let new = change.entry;
        let (kind, id) = (new.kind, || new.id.to_owned());
        match (change.op, old) {
            (Op::Add, None) => Ok(Some(Step::Add(new))),
            (Op::Add, Some(_)) => Err(ApplyError::There { kind, id: id() }),
            (op, None) => Err(ApplyError::Missing { op, kind, id: id() }),
            (Op::Change, Some(old)) if old.sha256 == new.sha256 => {
                Err(ApplyError::Unchanged { kind, id: id() })
            }
            (Op::Change, Some(old)) => Ok(Some(Step::Change { old, new })),
            (Op::Remove, Some(old)) if old.sha256 != new.sha256 || old.size != new.size => {
                Err(ApplyError::Differs { kind, id: id() })
            }
            (Op::Remove, Some(old)) => Ok(Some(Step::Remove(old))),
        }
    }
}
