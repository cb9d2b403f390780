//! What changed between two vulnerability databases.

mod red_hat;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use export_bolt::{Database, ReadError, Step, Walk};
use serde::{Deserialize, Serialize};

use self::red_hat::Products;
use crate::TrivyError;
use crate::db::OWN_BUCKETS;

/// The bucket whose advisories have numbers for products.
const RED_HAT: &[u8] = b"Red Hat";

/// How an advisory differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Only the second database has it.
    Added,
    /// Only the first database has it.
    Removed,
    /// Both have it, and say different things.
    Changed,
}

/// An advisory that differs. Changes are sorted by bucket, package and id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// How.
    pub change: ChangeKind,
    /// The language's prefix, or the operating system's bucket.
    pub ecosystem: String,
    /// The root bucket.
    pub bucket: String,
    /// The package's key.
    pub package: String,
    /// The vulnerability's id.
    pub id: String,
}

/// Counts of changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeCounts {
    /// Only in the second.
    pub added: u64,
    /// Only in the first.
    pub removed: u64,
    /// Different.
    pub changed: u64,
    /// The same in both.
    pub unchanged: u64,
}

/// Two databases that have been opened.
///
/// Neither is trusted: a damaged file gives an error. Memory is a few pages of each, and the names of
/// Red Hat's products.
#[derive(Debug)]
pub struct Diff {
    first: Opened,
    second: Opened,
}

#[derive(Debug)]
struct Opened {
    path: PathBuf,
    database: Database<File>,
    products: Products,
}

impl Diff {
    /// Opens two files `trivy.db`.
    ///
    /// # Errors
    /// [`TrivyError::File`], or [`TrivyError::Bolt`] for what is no database.
    pub fn open(first: &Path, second: &Path) -> Result<Self, TrivyError> {
        Ok(Self {
            first: open(first)?,
            second: open(second)?,
        })
    }

    /// The changes from the first database to the second, as a stream. After an error there is
    /// nothing more.
    #[must_use]
    pub fn changes(&self) -> Changes<'_> {
        Changes {
            first: Advisories::of(&self.first),
            second: Advisories::of(&self.second),
            counts: BTreeMap::new(),
            failed: false,
        }
    }
}

fn open(path: &Path) -> Result<Opened, TrivyError> {
    let file = File::open(path).map_err(TrivyError::file("open", path))?;
    let database = Database::open(file).map_err(|error| failed(path, error))?;
    let products = Products::of(&database).map_err(|error| failed(path, error))?;
    Ok(Opened {
        path: path.to_owned(),
        database,
        products,
    })
}

fn failed(path: &Path, source: ReadError) -> TrivyError {
    TrivyError::Bolt {
        doing: "read",
        path: path.to_owned(),
        source: Box::new(source),
    }
}

/// The stream of changes.
pub struct Changes<'a> {
    first: Advisories<'a>,
    second: Advisories<'a>,
    counts: BTreeMap<String, ChangeCounts>,
    failed: bool,
}

impl Changes<'_> {
    /// By ecosystem, of what the stream has passed; of everything, once it has ended.
    #[must_use]
    pub fn counts(&self) -> &BTreeMap<String, ChangeCounts> {
        &self.counts
    }

    fn same(&self, a: &Item, b: &Item) -> bool {
        if a.value == b.value && a.bucket != RED_HAT {
            return true;
        }
        if a.bucket != RED_HAT {
            return false;
        }
        let (a, b) = (
            self.first.opened.products.named(&a.value),
            self.second.opened.products.named(&b.value),
        );
        a.is_some() && a == b
    }

    fn step(&mut self) -> Result<Option<Change>, TrivyError> {
        loop {
            self.first.peek()?;
            self.second.peek()?;
            let order = match (&self.first.next, &self.second.next) {
                (None, None) => return Ok(None),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.place().cmp(&b.place()),
            };
            let a = (order != Ordering::Greater)
                .then(|| self.first.next.take())
                .flatten();
            let b = (order != Ordering::Less)
                .then(|| self.second.next.take())
                .flatten();
            let (kind, item) = match (a, b) {
                (Some(a), Some(b)) if self.same(&a, &b) => (None, a),
                (Some(a), Some(_)) => (Some(ChangeKind::Changed), a),
                (Some(a), None) => (Some(ChangeKind::Removed), a),
                (None, Some(b)) => (Some(ChangeKind::Added), b),
                (None, None) => return Ok(None),
            };
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            let bucket = text(item.bucket);
            let ecosystem = bucket
                .split_once("::")
                .map_or(bucket.as_str(), |(prefix, _)| prefix)
                .to_owned();
            let counts = self.counts.entry(ecosystem.clone()).or_default();
            *match kind {
                None => &mut counts.unchanged,
                Some(ChangeKind::Added) => &mut counts.added,
                Some(ChangeKind::Removed) => &mut counts.removed,
                Some(ChangeKind::Changed) => &mut counts.changed,
            } += 1;
            if let Some(change) = kind {
                return Ok(Some(Change {
                    change,
                    ecosystem,
                    bucket,
                    package: text(item.package),
                    id: text(item.id),
                }));
            }
        }
    }
}

impl Iterator for Changes<'_> {
    type Item = Result<Change, TrivyError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.step();
        self.failed = step.is_err();
        step.transpose()
    }
}

struct Item {
    bucket: Vec<u8>,
    package: Vec<u8>,
    id: Vec<u8>,
    value: Vec<u8>,
}

impl Item {
    fn place(&self) -> (&[u8], &[u8], &[u8]) {
        (&self.bucket, &self.package, &self.id)
    }
}

/// The advisories of one database, in order.
struct Advisories<'a> {
    opened: &'a Opened,
    walk: Walk<'a, File>,
    /// Names of the buckets that are open.
    open: Vec<Vec<u8>>,
    next: Option<Item>,
}

impl<'a> Advisories<'a> {
    fn of(opened: &'a Opened) -> Self {
        Self {
            opened,
            walk: opened.database.walk(),
            open: Vec::new(),
            next: None,
        }
    }

    /// Sees to it that there is a next one, if there is one.
    fn peek(&mut self) -> Result<(), TrivyError> {
        while self.next.is_none() {
            let Some(step) = self.walk.next() else {
                return Ok(());
            };
            match step.map_err(|error| failed(&self.opened.path, error))? {
                Step::Enter { entry, .. } => self.open.push(entry.key().to_vec()),
                Step::Leave => {
                    self.open.pop();
                }
                Step::Key(entry) => {
                    if let [bucket, package] = self.open.as_slice()
                        && !OWN_BUCKETS.iter().any(|own| own.as_bytes() == bucket)
                    {
                        self.next = Some(Item {
                            bucket: bucket.clone(),
                            package: package.clone(),
                            id: entry.key().to_vec(),
                            value: entry.value().unwrap_or_default().to_vec(),
                        });
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
