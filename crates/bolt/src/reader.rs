//! A database that is read.

use crate::entries::{Entries, Entry};
use crate::error::{MetaFault, PageFault, ReadError};
use crate::format::{HEADER, META, META_PAGE, Meta, PageHeader, is_page_size};
use crate::page::{Kind, Page, Root};
use crate::source::Source;
use crate::walk::Walk;

/// bbolt splits in two at least, so 2^64 pages have no more levels than this.
pub(crate) const MAX_LEVELS: usize = 64;

/// A database, as its newest valid meta page describes it.
///
/// The source is not trusted: what a page says is checked before it is used, so that a damaged or
/// hostile file gives an error. A page is read whenever it is needed; nothing is kept.
#[derive(Debug)]
pub struct Database<S> {
    source: S,
    meta: Meta,
}

/// A bucket of a database.
#[derive(Debug)]
pub struct Bucket<'db, S> {
    database: &'db Database<S>,
    root: Root,
    sequence: u64,
}

impl<S> Clone for Bucket<'_, S> {
    fn clone(&self) -> Self {
        Self {
            database: self.database,
            root: self.root.clone(),
            sequence: self.sequence,
        }
    }
}

impl<S: Source> Database<S> {
    /// Reads the meta pages.
    ///
    /// # Errors
    /// [`ReadError::NotBolt`], [`ReadError::Truncated`], [`ReadError::Io`].
    pub fn open(source: S) -> Result<Self, ReadError> {
        let (length, first, second) = metas(&source)?;
        let meta = match (first, second) {
            (Ok(first), Ok(second)) if second.txid > first.txid => second,
            (Ok(meta), _) | (Err(_), Ok(meta)) => meta,
            (Err(fault), Err(_)) => return Err(ReadError::NotBolt(fault)),
        };
        if meta
            .high_water
            .checked_mul(u64::from(meta.page_size))
            .is_none_or(|needed| needed > length)
        {
            return Err(ReadError::Truncated {
                length,
                pages: meta.high_water,
            });
        }
        Ok(Self { source, meta })
    }

    /// Bytes in a page.
    pub fn page_size(&self) -> u32 {
        self.meta.page_size
    }

    /// How many pages there are.
    pub fn pages(&self) -> u64 {
        self.meta.high_water
    }

    /// The root: buckets, and no keys.
    pub fn root(&self) -> Bucket<'_, S> {
        Bucket {
            database: self,
            root: Root::Page(self.meta.root),
            sequence: self.meta.sequence,
        }
    }

    /// The bucket at a path of names; the root, if it is empty. `None` if there is none.
    ///
    /// # Errors
    /// What is wrong with the pages on the way.
    pub fn bucket(&self, path: &[&[u8]]) -> Result<Option<Bucket<'_, S>>, ReadError> {
        let mut bucket = self.root();
        for name in path {
            match bucket.bucket(name)? {
                Some(inner) => bucket = inner,
                None => return Ok(None),
            }
        }
        Ok(Some(bucket))
    }

    /// The value of a key in the bucket at a path. `None` if there is none, or if it is a bucket.
    ///
    /// # Errors
    /// What is wrong with the pages on the way.
    pub fn get(&self, path: &[&[u8]], key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        match self.bucket(path)? {
            Some(bucket) => bucket.get(key),
            None => Ok(None),
        }
    }

    /// Everything, in order: buckets with what is in them. Linear in the file's size, whatever is in it.
    pub fn walk(&self) -> Walk<'_, S> {
        Walk::new(self)
    }

    /// Both meta pages, for who checks them.
    pub(crate) fn metas(&self) -> Result<[Result<Meta, MetaFault>; 2], ReadError> {
        let (_, first, second) = metas(&self.source)?;
        Ok([first, second])
    }

    pub(crate) fn meta(&self) -> &Meta {
        &self.meta
    }

    /// A page that is part of a tree.
    pub(crate) fn page(&self, id: u64) -> Result<Page, ReadError> {
        let bytes = self.page_bytes(id)?;
        Page::parse(bytes, id).map_err(|fault| ReadError::Page { page: id, fault })
    }

    /// How many pages a page has, with its overflow.
    pub(crate) fn extent(&self, id: u64) -> Result<u64, ReadError> {
        let mut header = [0; HEADER];
        read_at(&self.source, self.offset(id)?, &mut header)?;
        self.overflow(id, &header).map(|overflow| overflow + 1)
    }

    /// A page with its overflow.
    pub(crate) fn page_bytes(&self, id: u64) -> Result<Vec<u8>, ReadError> {
        let size = self.meta.page_size as usize;
        let offset = self.offset(id)?;
        let mut bytes = vec![0; size];
        read_at(&self.source, offset, &mut bytes)?;
        let overflow = self.overflow(id, &bytes)?;
        if overflow > 0 {
            // No more than the file has.
            bytes.resize(size * (overflow as usize + 1), 0);
            read_at(&self.source, offset + size as u64, &mut bytes[size..])?;
        }
        Ok(bytes)
    }

    fn offset(&self, id: u64) -> Result<u64, ReadError> {
        if (2..self.meta.high_water).contains(&id) {
            // Within the file: that was made sure of when it was opened.
            Ok(id * u64::from(self.meta.page_size))
        } else {
            Err(ReadError::Page {
                page: id,
                fault: PageFault::OutOfRange,
            })
        }
    }

    fn overflow(&self, id: u64, header: &[u8]) -> Result<u64, ReadError> {
        let overflow = PageHeader::decode(header).map_or(0, |header| header.overflow);
        if u64::from(overflow) < self.meta.high_water - id {
            Ok(u64::from(overflow))
        } else {
            Err(ReadError::Page {
                page: id,
                fault: PageFault::Overflow(overflow),
            })
        }
    }
}

impl<'db, S: Source> Bucket<'db, S> {
    /// What bbolt's `Bucket.Sequence` gives.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The value of a key. `None` if there is none, or if it is a bucket.
    ///
    /// # Errors
    /// What is wrong with the pages on the way.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        let found = self.find(key)?;
        Ok(found.and_then(|entry| entry.value().map(<[u8]>::to_vec)))
    }

    /// A bucket in this one. `None` if there is none, or if it is a key with a value.
    ///
    /// # Errors
    /// What is wrong with the pages on the way.
    pub fn bucket(&self, name: &[u8]) -> Result<Option<Self>, ReadError> {
        match self.find(name)? {
            Some(entry) => self.open(&entry),
            None => Ok(None),
        }
    }

    /// The bucket that an entry of this database is. `None` if it is a key with a value.
    ///
    /// # Errors
    /// [`ReadError::Page`].
    pub fn open(&self, entry: &Entry) -> Result<Option<Self>, ReadError> {
        if !entry.is_bucket() {
            return Ok(None);
        }
        let (root, sequence) = entry.bucket()?;
        Ok(Some(Self {
            database: self.database,
            root,
            sequence,
        }))
    }

    /// Keys and buckets, in order. Buckets are not entered.
    pub fn entries(&self) -> Entries<'db, S> {
        Entries::new(self.database, self.root.clone())
    }

    fn find(&self, key: &[u8]) -> Result<Option<Entry>, ReadError> {
        let mut page = match &self.root {
            Root::Page(id) => self.database.page(*id)?,
            Root::Inline(page) => page.clone(),
        };
        for _ in 0..MAX_LEVELS {
            let at = page.lower_bound(key);
            let same = at < page.count() && page.key(at) == key;
            if page.kind() == Kind::Leaf {
                return Ok(same.then(|| Entry::new(page, at)));
            }
            // The child whose first key is not above the key; the first, if all are above.
            let child = if same { at } else { at.saturating_sub(1) };
            page = self.database.page(page.child(child))?;
        }
        Err(ReadError::Page {
            page: page.id(),
            fault: PageFault::Deep,
        })
    }
}

type Metas = (u64, Result<Meta, MetaFault>, Result<Meta, MetaFault>);

/// The file's length and both meta pages. Where the first is damaged, nothing says how large pages are,
/// and the second is looked for at every size.
fn metas<S: Source>(source: &S) -> Result<Metas, ReadError> {
    let length = source.length().map_err(|source| ReadError::Io {
        offset: 0,
        length: 0,
        source,
    })?;
    let first = meta_at(source, length, 0)?;
    let second = match first {
        Ok(first) => match meta_at(source, length, u64::from(first.page_size))? {
            Ok(second) if second.page_size != first.page_size => Err(MetaFault::OtherPageSize),
            second => second,
        },
        Err(fault) => {
            let mut second = Err(fault);
            for size in (9..=16).map(|bits| 1_u32 << bits) {
                match meta_at(source, length, u64::from(size))? {
                    Ok(meta) if is_page_size(size) && meta.page_size == size => {
                        second = Ok(meta);
                        break;
                    }
                    _ => {}
                }
            }
            second
        }
    };
    Ok((length, first, second))
}

fn meta_at<S: Source>(
    source: &S,
    length: u64,
    offset: u64,
) -> Result<Result<Meta, MetaFault>, ReadError> {
    let mut bytes = [0; HEADER + META];
    if offset + bytes.len() as u64 > length {
        return Ok(Err(MetaFault::Short));
    }
    read_at(source, offset, &mut bytes)?;
    let marked = PageHeader::decode(&bytes).is_some_and(|header| header.flags == META_PAGE);
    Ok(Meta::decode(&bytes[HEADER..]).and_then(|meta| {
        if marked {
            Ok(meta)
        } else {
            Err(MetaFault::Header)
        }
    }))
}

fn read_at<S: Source>(source: &S, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
    source
        .read_at(offset, buffer)
        .map_err(|source| ReadError::Io {
            offset,
            length: buffer.len(),
            source,
        })
}
