//! All of a database, in order.

use crate::entries::{Budget, Entry, Leaves};
use crate::error::ReadError;
use crate::page::Root;
use crate::reader::Database;
use crate::source::Source;

/// Where a walk is.
#[derive(Clone, Debug)]
pub enum Step {
    /// A bucket begins; its name is the entry's key.
    Enter {
        /// The bucket.
        entry: Entry,
        /// What bbolt's `Bucket.Sequence` gives.
        sequence: u64,
    },
    /// A key with its value, of the bucket that was entered last and not left.
    Key(Entry),
    /// The bucket that was entered last ends.
    Leave,
}

/// Every bucket and key of a database, in the order in which [`Writer`](crate::Writer) takes them.
///
/// Each page is read once. A file in which pages are referred to more than once gives an error before
/// more was read than it has. After an error there is nothing more.
#[derive(Debug)]
pub struct Walk<'db, S> {
    database: &'db Database<S>,
    /// The root's, and of the buckets that were entered.
    path: Vec<Leaves>,
    budget: Budget,
}

impl<'db, S: Source> Walk<'db, S> {
    pub(crate) fn new(database: &'db Database<S>) -> Self {
        Self {
            database,
            path: vec![Leaves::of(Root::Page(database.meta().root))],
            budget: Budget::of(database),
        }
    }

    fn step(&mut self) -> Result<Option<Step>, ReadError> {
        let Some(leaves) = self.path.last_mut() else {
            return Ok(None);
        };
        let Some(entry) = leaves.next(self.database, &mut self.budget)? else {
            self.path.pop();
            return Ok((!self.path.is_empty()).then_some(Step::Leave));
        };
        if !entry.is_bucket() {
            return Ok(Some(Step::Key(entry)));
        }
        let (root, sequence) = entry.bucket()?;
        self.path.push(Leaves::of(root));
        Ok(Some(Step::Enter { entry, sequence }))
    }
}

impl<S: Source> Iterator for Walk<'_, S> {
    type Item = Result<Step, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.step();
        if next.is_err() {
            self.path.clear();
        }
        next.transpose()
    }
}
