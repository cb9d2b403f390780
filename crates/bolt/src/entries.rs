//! What a bucket has, in order.

use crate::error::ReadError;
use crate::page::{Kind, Page, Root};
use crate::reader::Database;
use crate::source::Source;

/// A key with its value, or a bucket with its name. It shares the bytes of the page that it is on.
#[derive(Clone, Debug)]
pub struct Entry {
    page: Page,
    index: usize,
}

impl Entry {
    pub(crate) fn new(page: Page, index: usize) -> Self {
        Self { page, index }
    }

    /// The key, or the name of the bucket.
    pub fn key(&self) -> &[u8] {
        self.page.key(self.index)
    }

    /// The key's value; `None` for a bucket.
    pub fn value(&self) -> Option<&[u8]> {
        (!self.is_bucket()).then(|| self.page.value(self.index))
    }

    /// Whether it is a bucket.
    pub fn is_bucket(&self) -> bool {
        self.page.is_bucket(self.index)
    }

    pub(crate) fn page_id(&self) -> u64 {
        self.page.id()
    }

    pub(crate) fn bucket(&self) -> Result<(Root, u64), ReadError> {
        self.page
            .bucket(self.index)
            .map_err(|fault| ReadError::Page {
                page: self.page.id(),
                fault,
            })
    }
}

/// How many pages may still be read: as many as the database has, since each belongs to one place. What
/// refers in circles uses it up.
#[derive(Debug)]
pub(crate) struct Budget(u64);

impl Budget {
    pub(crate) fn of<S: Source>(database: &Database<S>) -> Self {
        Self(database.pages())
    }

    fn page<S: Source>(&mut self, database: &Database<S>, id: u64) -> Result<Page, ReadError> {
        self.0 = self.0.checked_sub(1).ok_or(ReadError::Circle)?;
        let bytes = database.page_bytes(id)?;
        let overflow = bytes.len() / database.page_size() as usize - 1;
        self.0 = self
            .0
            .checked_sub(overflow as u64)
            .ok_or(ReadError::Circle)?;
        Page::parse(bytes, id).map_err(|fault| ReadError::Page { page: id, fault })
    }
}

/// Goes through the leaves of a bucket.
#[derive(Debug)]
pub(crate) struct Leaves {
    /// The way down, with the element of each page that comes next.
    path: Vec<(Page, usize)>,
    /// Where to begin, until that was done.
    root: Option<Root>,
    last: Option<Entry>,
}

impl Leaves {
    pub(crate) fn of(root: Root) -> Self {
        Self {
            path: Vec::new(),
            root: Some(root),
            last: None,
        }
    }

    /// The next entry; after an error, nothing.
    pub(crate) fn next<S: Source>(
        &mut self,
        database: &Database<S>,
        budget: &mut Budget,
    ) -> Result<Option<Entry>, ReadError> {
        let next = self.step(database, budget);
        if next.is_err() {
            self.path.clear();
        }
        next
    }

    fn step<S: Source>(
        &mut self,
        database: &Database<S>,
        budget: &mut Budget,
    ) -> Result<Option<Entry>, ReadError> {
        match self.root.take() {
            Some(Root::Page(id)) => self.path.push((budget.page(database, id)?, 0)),
            Some(Root::Inline(page)) => self.path.push((page, 0)),
            None => {}
        }
        while let Some((page, next)) = self.path.last_mut() {
            if *next == page.count() {
                self.path.pop();
                continue;
            }
            let index = *next;
            *next += 1;
            match page.kind() {
                Kind::Branch => {
                    let child = page.child(index);
                    self.path.push((budget.page(database, child)?, 0));
                }
                Kind::Leaf => {
                    let entry = Entry::new(page.clone(), index);
                    if let Some(last) = &self.last
                        && last.key() >= entry.key()
                    {
                        return Err(ReadError::Order {
                            page: entry.page_id(),
                        });
                    }
                    self.last = Some(entry.clone());
                    return Ok(Some(entry));
                }
            }
        }
        Ok(None)
    }
}

/// The keys and buckets of a bucket, ascending. After an error there is nothing more.
#[derive(Debug)]
pub struct Entries<'db, S> {
    database: &'db Database<S>,
    leaves: Leaves,
    budget: Budget,
}

impl<'db, S: Source> Entries<'db, S> {
    pub(crate) fn new(database: &'db Database<S>, root: Root) -> Self {
        Self {
            database,
            leaves: Leaves::of(root),
            budget: Budget::of(database),
        }
    }
}

impl<S: Source> Iterator for Entries<'_, S> {
    type Item = Result<Entry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.leaves
            .next(self.database, &mut self.budget)
            .transpose()
    }
}
