//! What changed: the base's listing beside the walk along the new state.

use std::cmp::Ordering;
use std::io::Read;

use export_model::{Kind, Position, Sha256Digest};

use crate::ListingError;
use crate::line::Entry;
use crate::listing::ListingReader;

/// What a document of either tree is in the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference<'a> {
    /// The base has it, the new state does not.
    Remove(Entry<'a>),
    /// The new state has it, the base does not.
    Add,
    /// Both have it, with other bytes in the base.
    Change(Entry<'a>),
    /// Both have it, with the same bytes.
    Same(Entry<'a>),
}

/// Why a comparison cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// The base's listing cannot be read.
    #[error(transparent)]
    Base(#[from] ListingError),
    /// The walk is not in canonical order: a fault of the caller's.
    #[error("the {kind} `{id}` of the new state is not in canonical order")]
    Order {
        /// The document's kind.
        kind: Kind,
        /// Its id.
        id: String,
    },
}

/// Compares a base's listing with a new state, told document by document in canonical order.
pub struct Merge<R> {
    base: ListingReader<R>,
    /// Whether the base's current entry was dealt with.
    begun: bool,
    last: Option<(Kind, Position)>,
}

impl<R: Read> Merge<R> {
    /// Compares with `base`, of which nothing was read yet.
    pub fn new(base: ListingReader<R>) -> Self {
        Self {
            base,
            begun: false,
            last: None,
        }
    }

    /// Takes the next document of the new state. `sink` is told of everything in the base that
    /// comes before it and is gone, and then of the document itself, as the last.
    ///
    /// # Errors
    /// When the base cannot be read, the document is not after the one before, or `sink` fails.
    pub fn step<E: From<MergeError>>(
        &mut self,
        kind: Kind,
        position: &Position,
        sha256: &Sha256Digest,
        size: u64,
        sink: &mut impl FnMut(Difference<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let key = (kind, position.subject_key.as_str(), position.id.as_str());
        self.in_order(kind, position)?;
        self.begin()?;
        while let Some(entry) = self.base.current() {
            match entry.key().cmp(&key) {
                Ordering::Less => sink(Difference::Remove(entry))?,
                Ordering::Greater => break,
                Ordering::Equal => {
                    sink(if entry.sha256 == *sha256 && entry.size == size {
                        Difference::Same(entry)
                    } else {
                        Difference::Change(entry)
                    })?;
                    self.advance()?;
                    return Ok(());
                }
            }
            self.advance()?;
        }
        sink(Difference::Add)
    }

    /// Tells `sink` of everything in the base that comes after the last document.
    ///
    /// # Errors
    /// When the base cannot be read, or `sink` fails.
    pub fn finish<E: From<MergeError>>(
        mut self,
        sink: &mut impl FnMut(Difference<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.begin()?;
        while let Some(entry) = self.base.current() {
            sink(Difference::Remove(entry))?;
            self.advance()?;
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), MergeError> {
        if !self.begun {
            self.begun = true;
            self.advance()?;
        }
        Ok(())
    }

    fn advance(&mut self) -> Result<(), MergeError> {
        self.base.advance()?;
        Ok(())
    }

    fn in_order(&mut self, kind: Kind, position: &Position) -> Result<(), MergeError> {
        match &mut self.last {
            None => self.last = Some((kind, position.clone())),
            Some((last, at)) if (*last, &*at) < (kind, position) => {
                *last = kind;
                at.clone_from(position);
            }
            Some(_) => {
                return Err(MergeError::Order {
                    kind,
                    id: position.id.clone(),
                });
            }
        }
        Ok(())
    }
}
