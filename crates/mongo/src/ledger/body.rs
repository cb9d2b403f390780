//! Bodies: the bytes of records, and what else is too large for a document.
//!
//! A record of up to 8 MiB is one binary value. MongoDB takes no document over 16 MiB, so a larger
//! record is a file of the GridFS bucket `ledger_bodies_large`, in the layout of the GridFS
//! specification. It is written here and not by the driver's bucket, which cannot take part in a
//! transaction: so a file is there exactly if its record is, and nothing has to be swept.

use export_model::{Facets, StoredFacets, Timestamp};
use export_ports::PortError;
use mongodb::ClientSession;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, RawBsonRef, RawDocument, doc};

use super::Store;
use super::append::{Failure, driver};
use super::call::damaged;
use super::entry::{MAX_RECORD_BYTES, binary, date};
use super::schema::{BODIES, LARGE_CHUNKS, LARGE_FILES};
use crate::failure::failed;

/// Largest record that is one value.
const MAX_INLINE: usize = 8 << 20;
/// Bytes of a file's chunk.
const FILE_CHUNK: usize = 4 << 20;
/// One insert takes this much, or as many documents.
const INSERT_BYTES: usize = 8 << 20;
const INSERT_DOCUMENTS: usize = 1_000;
/// Bodies that are asked for by one query. An answer has at most 16 MiB anyway.
const READ_CHUNK: usize = 1_000;

/// Collects bodies into inserts.
pub(super) struct Writer<'a> {
    store: &'a Store,
    now: Timestamp,
    waiting: Vec<Document>,
    bytes: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn new(store: &'a Store, now: Timestamp) -> Self {
        Self {
            store,
            now,
            waiting: Vec::new(),
            bytes: 0,
        }
    }

    /// Adds the record of `seq`.
    pub(super) async fn add(
        &mut self,
        session: &mut ClientSession,
        seq: i64,
        body: &[u8],
    ) -> Result<(), Failure> {
        let document = if body.len() > MAX_INLINE {
            let name = format!("record/{seq}");
            doc! { "_id": seq, "file": self.file(session, name, body).await? }
        } else {
            self.bytes += body.len();
            doc! { "_id": seq, "bytes": binary(body) }
        };
        self.waiting.push(document);
        if self.bytes >= INSERT_BYTES || self.waiting.len() >= INSERT_DOCUMENTS {
            self.insert(session).await?;
        }
        Ok(())
    }

    /// Adds the facets of `seq` as a file, and gives its id.
    pub(super) async fn facets(
        &mut self,
        session: &mut ClientSession,
        seq: i64,
        facets: &Facets,
    ) -> Result<ObjectId, Failure> {
        let blob = StoredFacets::encode(facets);
        self.file(session, format!("facets/{seq}"), &blob).await
    }

    /// Inserts what is still waiting.
    pub(super) async fn finish(mut self, session: &mut ClientSession) -> Result<(), Failure> {
        self.insert(session).await
    }

    async fn insert(&mut self, session: &mut ClientSession) -> Result<(), Failure> {
        self.bytes = 0;
        if self.waiting.is_empty() {
            return Ok(());
        }
        self.store
            .documents(BODIES)
            .insert_many(self.waiting.drain(..))
            .session(session)
            .await
            .map_err(driver(format!("adding to {BODIES}")))?;
        Ok(())
    }

    /// Writes a file (GridFS specification, "Data Model").
    async fn file(
        &self,
        session: &mut ClientSession,
        name: String,
        bytes: &[u8],
    ) -> Result<ObjectId, Failure> {
        let id = ObjectId::new();
        for (number, chunk) in (0_i32..).zip(bytes.chunks(FILE_CHUNK)) {
            let chunk = doc! {
                "_id": ObjectId::new(), "files_id": id, "n": number, "data": binary(chunk),
            };
            self.store
                .documents(LARGE_CHUNKS)
                .insert_one(chunk)
                .session(&mut *session)
                .await
                .map_err(driver(format!("adding {name} to {LARGE_CHUNKS}")))?;
        }
        let doing = format!("adding {name} to {LARGE_FILES}");
        let file = doc! {
            "_id": id,
            "length": i64::try_from(bytes.len()).unwrap_or(i64::MAX),
            "chunkSize": i32::try_from(FILE_CHUNK).unwrap_or(i32::MAX),
            "uploadDate": date(self.now),
            "filename": name,
        };
        self.store
            .documents(LARGE_FILES)
            .insert_one(file)
            .session(session)
            .await
            .map_err(driver(doing))?;
        Ok(id)
    }
}

/// A whole file.
pub(super) async fn read_file(store: &Store, id: ObjectId) -> Result<Vec<u8>, PortError> {
    let doing = || format!("reading file {id} of {LARGE_CHUNKS}");
    let bad = |why: &str| damaged(LARGE_CHUNKS, id, why);
    let mut cursor = store
        .raw(LARGE_CHUNKS)
        .find(doc! { "files_id": id })
        .sort(doc! { "n": 1 })
        .await
        .map_err(|error| failed(doing(), error))?;
    let mut bytes = Vec::new();
    let mut number = 0;
    while cursor
        .advance()
        .await
        .map_err(|error| failed(doing(), error))?
    {
        let chunk = cursor.current();
        if chunk.get_i32("n").ok() != Some(number) {
            return Err(bad("a chunk is missing"));
        }
        number += 1;
        let data = chunk
            .get_binary("data")
            .map_err(|error| bad(&error.to_string()))?;
        if bytes.len() + data.bytes.len() > 2 * MAX_RECORD_BYTES {
            return Err(bad("it is larger than any file that was written"));
        }
        bytes.extend_from_slice(data.bytes);
    }
    if number == 0 {
        return Err(bad("it has no chunks"));
    }
    Ok(bytes)
}

/// Which body goes where: its `seq`, and its place in the page.
pub(super) struct Wanted {
    pub(super) seq: i64,
    pub(super) place: std::ops::Range<usize>,
}

/// Reads bodies into their places in `page`. Each must be there, and fill its place.
pub(super) async fn read(
    store: &Store,
    mut wanted: Vec<Wanted>,
    page: &mut [u8],
) -> Result<(), PortError> {
    wanted.sort_unstable_by_key(|body| body.seq);
    for chunk in wanted.chunks(READ_CHUNK) {
        read_chunk(store, chunk, page).await?;
    }
    Ok(())
}

async fn read_chunk(store: &Store, wanted: &[Wanted], page: &mut [u8]) -> Result<(), PortError> {
    let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else {
        return Ok(());
    };
    let doing = || format!("reading {} to {} of {BODIES}", first.seq, last.seq);
    // Without gaps, as one append leaves them, they are a range.
    let together = usize::try_from(last.seq.saturating_sub(first.seq)) == Ok(wanted.len() - 1);
    let filter = if together {
        doc! { "_id": { "$gte": first.seq, "$lte": last.seq } }
    } else {
        let numbers: Vec<_> = wanted.iter().map(|body| body.seq).collect();
        doc! { "_id": { "$in": numbers } }
    };
    let mut cursor = store
        .raw(BODIES)
        .find(filter)
        .sort(doc! { "_id": 1 })
        .batch_size(u32::try_from(wanted.len()).unwrap_or(u32::MAX))
        .await
        .map_err(|error| failed(doing(), error))?;
    // Both are in the order of `seq`.
    for body in wanted {
        let bad = |why: &str| damaged(BODIES, body.seq, why);
        let is_there = cursor
            .advance()
            .await
            .map_err(|error| failed(doing(), error))?;
        if !is_there || cursor.current().get_i64("_id").ok() != Some(body.seq) {
            return Err(bad("there is no such document"));
        }
        let file;
        let bytes = match content(cursor.current()) {
            Some(Content::Bytes(bytes)) => bytes,
            Some(Content::File(id)) => {
                file = read_file(store, id).await?;
                &file
            }
            None => return Err(bad("it has neither `bytes` nor `file`")),
        };
        let place = page
            .get_mut(body.place.clone())
            .filter(|place| place.len() == bytes.len())
            .ok_or_else(|| bad("its size is not the one that the index has"))?;
        place.copy_from_slice(bytes);
    }
    Ok(())
}

enum Content<'a> {
    Bytes(&'a [u8]),
    File(ObjectId),
}

fn content(body: &RawDocument) -> Option<Content<'_>> {
    match (body.get("bytes").ok()?, body.get("file").ok()?) {
        (Some(RawBsonRef::Binary(binary)), None) => Some(Content::Bytes(binary.bytes)),
        (None, Some(RawBsonRef::ObjectId(id))) => Some(Content::File(id)),
        _ => None,
    }
}
