//! Everything that is wrong with a file, as far as it can be read.

use thiserror::Error;

use crate::entries::Entry;
use crate::error::{MetaFault, PageFault, ReadError};
use crate::format::{FREELIST, HEADER, NO_FREELIST, PageHeader, u64_at};
use crate::page::{Kind, Page, Root};
use crate::reader::{Database, MAX_LEVELS};
use crate::source::Source;

/// More than these are counted, not listed.
const LISTED: usize = 1000;

/// What [`Database::check`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What is wrong; at most 1,000 of it. Empty for a sound file.
    pub problems: Vec<Problem>,
    /// How many problems are not listed.
    pub unlisted: u64,
    /// Pages that are used, by buckets or by the freelist.
    pub pages: u64,
    /// Pages that are free.
    pub free: u64,
    /// Keys that have a value.
    pub keys: u64,
    /// Buckets, at any depth; the root is not counted.
    pub buckets: u64,
}

/// Something that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// One of the two meta pages is of no use. The other one is.
    #[error("meta page {page}: {fault}")]
    Meta {
        /// 0 or 1.
        page: u64,
        /// Why.
        fault: MetaFault,
    },
    /// A page that something refers to is not what it has to be.
    #[error("page {page}: {fault}")]
    Page {
        /// Which.
        page: u64,
        /// Why.
        fault: PageFault,
    },
    /// More than one element, or the freelist and an element, refer to a page.
    #[error("page {0} is referred to more than once")]
    Shared(u64),
    /// No bucket refers to a page, and it is not free.
    #[error("page {0} is neither used nor free")]
    Lost(u64),
    /// The freelist has a page twice, or one that is outside of the database.
    #[error("page {0} cannot be on the freelist")]
    Free(u64),
    /// A key does not come after the one before it.
    #[error("page {page}: key {index} does not come after the one before it")]
    Order {
        /// The page; for a bucket in an element, the page of that.
        page: u64,
        /// Which key.
        index: usize,
    },
    /// A key does not belong where the branches above lead to.
    #[error("page {page}: key {index} is not between those of the branch above")]
    Bounds {
        /// Which page.
        page: u64,
        /// Which key.
        index: usize,
    },
    /// The root has a key that is no bucket.
    #[error("page {page}: element {index} is a key outside of every bucket")]
    KeyInRoot {
        /// Which page.
        page: u64,
        /// Which element.
        index: usize,
    },
}

impl<S: Source> Database<S> {
    /// Reads every page once, and says what is wrong: what is referred to twice or not at all, is not
    /// in order, or is malformed. Time and memory are linear in the file's size.
    ///
    /// # Errors
    /// Only [`ReadError::Io`].
    pub fn check(&self) -> Result<Report, ReadError> {
        let mut check = Check {
            database: self,
            used: Pages::new(self.pages()),
            report: Report::default(),
            todo: Vec::new(),
        };
        check.metas()?;
        check.buckets()?;
        check.freelist()?;
        Ok(check.report)
    }
}

/// A page that something refers to.
struct Reference {
    page: u64,
    /// The branch's key, which is not above any key below it.
    from: Option<Entry>,
    /// The key after that, which is above all of them.
    to: Option<Entry>,
    /// How many branches are above it, in its bucket.
    level: usize,
    in_root: bool,
}

struct Check<'db, S> {
    database: &'db Database<S>,
    used: Pages,
    report: Report,
    todo: Vec<Reference>,
}

impl<S: Source> Check<'_, S> {
    fn problem(&mut self, problem: Problem) {
        if self.report.problems.len() < LISTED {
            self.report.problems.push(problem);
        } else {
            self.report.unlisted += 1;
        }
    }

    fn metas(&mut self) -> Result<(), ReadError> {
        for (page, meta) in (0..).zip(self.database.metas()?) {
            if let Err(fault) = meta {
                self.problem(Problem::Meta { page, fault });
            }
            if page < self.database.pages() {
                self.used.insert(page);
            }
        }
        Ok(())
    }

    fn buckets(&mut self) -> Result<(), ReadError> {
        self.todo.push(Reference {
            page: self.database.meta().root,
            from: None,
            to: None,
            level: 0,
            in_root: true,
        });
        while let Some(reference) = self.todo.pop() {
            let Some(page) = self.read(reference.page)? else {
                continue;
            };
            if reference.level == MAX_LEVELS {
                self.problem(Problem::Page {
                    page: page.id(),
                    fault: PageFault::Deep,
                });
                continue;
            }
            self.page(&page, &reference);
        }
        Ok(())
    }

    /// A page that is part of a tree, if it can be read and was not met before.
    fn read(&mut self, id: u64) -> Result<Option<Page>, ReadError> {
        let Some(bytes) = self.take(id)? else {
            return Ok(None);
        };
        let page = Page::parse(bytes, id).map_err(|fault| ReadError::Page { page: id, fault });
        self.found(page)
    }

    /// A page with its overflow, if none of it was met before: that is found out before any of it is
    /// read, so that nothing is read twice.
    fn take(&mut self, id: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let Some(pages) = self.found(self.database.extent(id))? else {
            return Ok(None);
        };
        for page in id..id + pages {
            if !self.used.insert(page) {
                self.problem(Problem::Shared(page));
                return Ok(None);
            }
        }
        self.report.pages += pages;
        self.found(self.database.page_bytes(id))
    }

    fn found<T>(&mut self, read: Result<T, ReadError>) -> Result<Option<T>, ReadError> {
        match read {
            Ok(found) => Ok(Some(found)),
            Err(ReadError::Page { page, fault }) => {
                self.problem(Problem::Page { page, fault });
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn page(&mut self, page: &Page, reference: &Reference) {
        self.order(page);
        for index in 0..page.count() {
            let below = reference
                .from
                .as_ref()
                .is_some_and(|from| page.key(index) < from.key());
            let above = reference
                .to
                .as_ref()
                .is_some_and(|to| page.key(index) >= to.key());
            if below || above {
                self.problem(Problem::Bounds {
                    page: page.id(),
                    index,
                });
            }
            if page.kind() == Kind::Branch {
                let to = if index + 1 < page.count() {
                    Some(Entry::new(page.clone(), index + 1))
                } else {
                    reference.to.clone()
                };
                self.todo.push(Reference {
                    page: page.child(index),
                    from: Some(Entry::new(page.clone(), index)),
                    to,
                    level: reference.level + 1,
                    in_root: reference.in_root,
                });
            } else if page.is_bucket(index) {
                self.bucket(page, index);
            } else {
                self.report.keys += 1;
                if reference.in_root {
                    self.problem(Problem::KeyInRoot {
                        page: page.id(),
                        index,
                    });
                }
            }
        }
    }

    fn bucket(&mut self, page: &Page, index: usize) {
        self.report.buckets += 1;
        match page.bucket(index) {
            Ok((Root::Page(root), _)) => self.todo.push(Reference {
                page: root,
                from: None,
                to: None,
                level: 0,
                in_root: false,
            }),
            Ok((Root::Inline(inline), _)) => {
                self.report.keys += inline.count() as u64;
                self.order(&inline);
            }
            Err(fault) => self.problem(Problem::Page {
                page: page.id(),
                fault,
            }),
        }
    }

    fn order(&mut self, page: &Page) {
        for index in 1..page.count() {
            if page.key(index - 1) >= page.key(index) {
                self.problem(Problem::Order {
                    page: page.id(),
                    index,
                });
            }
        }
    }

    fn freelist(&mut self) -> Result<(), ReadError> {
        let mut free = Pages::new(self.database.pages());
        let persisted = self.database.meta().freelist != NO_FREELIST;
        if persisted {
            for page in self.free_pages()? {
                let inside = (2..self.database.pages()).contains(&page);
                if !inside || !free.insert(page) {
                    self.problem(Problem::Free(page));
                } else if self.used.contains(page) {
                    self.problem(Problem::Shared(page));
                }
            }
        }
        for page in 2..self.database.pages() {
            match (self.used.contains(page), free.contains(page)) {
                (false, false) if persisted => self.problem(Problem::Lost(page)),
                (true, false) => {}
                _ => self.report.free += 1,
            }
        }
        Ok(())
    }

    fn free_pages(&mut self) -> Result<Vec<u64>, ReadError> {
        let page = self.database.meta().freelist;
        let Some(bytes) = self.take(page)? else {
            return Ok(Vec::new());
        };
        let pages = parse_freelist(&bytes, page).map_err(|fault| ReadError::Page { page, fault });
        Ok(self.found(pages)?.unwrap_or_default())
    }
}

fn parse_freelist(bytes: &[u8], id: u64) -> Result<Vec<u64>, PageFault> {
    let header = PageHeader::decode(bytes).ok_or(PageFault::Count(0))?;
    if header.id != id {
        return Err(PageFault::WrongId(header.id));
    }
    if header.flags != FREELIST {
        return Err(PageFault::Kind(header.flags));
    }
    // More than the header has room for are counted in front of the list.
    let (start, count) = match header.count {
        u16::MAX => (HEADER + 8, u64_at(bytes, HEADER).unwrap_or_default()),
        count => (HEADER, u64::from(count)),
    };
    let list = bytes.get(start..).unwrap_or_default();
    if count > (list.len() / 8) as u64 {
        return Err(PageFault::Count(count));
    }
    Ok(list
        .chunks_exact(8)
        .take(count as usize)
        .filter_map(|id| u64_at(id, 0))
        .collect())
}

/// A set of pages.
struct Pages(Vec<u64>);

impl Pages {
    /// A database has no more pages than its file, so this is a small part of that.
    fn new(pages: u64) -> Self {
        Self(vec![0; pages.div_ceil(64) as usize])
    }

    /// Whether it is new.
    fn insert(&mut self, page: u64) -> bool {
        let bit = 1 << (page % 64);
        match self.0.get_mut((page / 64) as usize) {
            Some(word) => {
                let new = *word & bit == 0;
                *word |= bit;
                new
            }
            None => false,
        }
    }

    fn contains(&self, page: u64) -> bool {
        self.0
            .get((page / 64) as usize)
            .is_some_and(|word| word & (1 << (page % 64)) != 0)
    }
}
