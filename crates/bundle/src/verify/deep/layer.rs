//! The documents of a mirror's layers, as their bytes come.

use export_mirror::layer::{END, header, member_bytes, padding};
use export_mirror::path::DocumentPath;
use export_mirror::{MAX_DOCUMENT_BYTES, delta, listing};
use export_model::{Kind, Sha256Digest};
use export_ustar::{BLOCK, Size, fields};
use sha2::{Digest as _, Sha256};

use super::lines::{RecordLine, RecordLines};

/// What comes next.
enum Next {
    /// A header, of which there is a part.
    Header,
    /// A document, and how much of it is missing.
    Document { path: String, size: usize },
    /// So many zeros.
    Padding(usize),
    /// So much of the archive's end.
    End(usize),
}

/// A layer being read.
pub(super) struct Layer {
    next: Next,
    /// What has come of a header or a document.
    have: Vec<u8>,
}

impl Default for Layer {
    fn default() -> Self {
        Self {
            next: Next::Header,
            have: Vec::new(),
        }
    }
}

impl Layer {
    /// Takes the next bytes; `each` is given every document that they complete: its path, its bytes,
    /// and what a check of them found.
    pub(super) fn feed(
        &mut self,
        mut bytes: &[u8],
        (kind, tenant): (Kind, &str),
        scratch: &mut RecordLines,
        mut each: impl FnMut(&RecordLines, &RecordLine, &[u8], Sha256Digest) -> Result<(), String>,
    ) -> Result<(), String> {
        while !bytes.is_empty() {
            match &mut self.next {
                Next::Header => {
                    if take(&mut bytes, &mut self.have, BLOCK) {
                        self.header()?;
                    }
                }
                Next::Document { path, size } => {
                    let size = *size;
                    if !take(&mut bytes, &mut self.have, size) {
                        return Ok(());
                    }
                    scratch.clear();
                    let checked = scratch.check(&self.have, kind, tenant);
                    checked.map_err(|what| format!("`{path}`: {what}"))?;
                    if let Some(record) = scratch.lines.first() {
                        let (_, id) = scratch.key(record);
                        let expected = DocumentPath::of(kind, id);
                        if expected.as_str() != path {
                            return Err(format!("`{path}` is where {expected} belongs"));
                        }
                        let digest = Sha256Digest::of(&self.have);
                        each(scratch, record, &self.have, digest)?;
                    }
                    self.have.clear();
                    self.next = match padding(size as u64).len() {
                        0 => Next::Header,
                        left => Next::Padding(left),
                    };
                }
                Next::Padding(left) => {
                    if zeros(&mut bytes, left)? {
                        self.next = Next::Header;
                    }
                }
                Next::End(0) => return Err("something follows the layer's end".to_owned()),
                Next::End(left) => {
                    zeros(&mut bytes, left)?;
                }
            }
        }
        Ok(())
    }

    fn header(&mut self) -> Result<(), String> {
        let block: [u8; BLOCK] = std::mem::take(&mut self.have)
            .try_into()
            .unwrap_or([0; BLOCK]);
        if block == [0; BLOCK] {
            self.next = Next::End(END.len() - BLOCK);
            return Ok(());
        }
        let fields = fields(&block);
        let path = String::from_utf8_lossy(&fields.path).into_owned();
        let size = match fields.size {
            Size::Bytes(size) if header(&path, size).is_ok_and(|expected| expected == block) => {
                size
            }
            _ => {
                let path = crate::paths::shown(&path);
                return Err(format!("`{path}` is no member that a layer can have"));
            }
        };
        if size > MAX_DOCUMENT_BYTES {
            return Err(format!(
                "`{path}` has {size} bytes, more than a document may"
            ));
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        self.next = Next::Document { path, size };
        Ok(())
    }

    /// Whether the archive has ended.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.next, Next::End(0))
    }
}

/// Moves bytes until there are `size`; says whether there are.
fn take(bytes: &mut &[u8], have: &mut Vec<u8>, size: usize) -> bool {
    let missing = size.saturating_sub(have.len()).min(bytes.len());
    let (now, later) = bytes.split_at(missing);
    have.extend_from_slice(now);
    *bytes = later;
    have.len() == size
}

/// Passes over zeros; says whether all of them have come.
fn zeros(bytes: &mut &[u8], left: &mut usize) -> Result<bool, String> {
    let (now, later) = bytes.split_at((*left).min(bytes.len()));
    if now.iter().any(|byte| *byte != 0) {
        return Err("something stands between its documents".to_owned());
    }
    *bytes = later;
    *left -= now.len();
    Ok(*left == 0)
}

/// What a mirror's documents come to, to be compared with its lists.
#[derive(Default)]
pub(super) struct Tree {
    documents: listing::ListingHasher,
    /// Over the lines of documents that are carried, and of those that a delta says it changes.
    carried: Sha256,
    changed: Sha256,
    line: Vec<u8>,
    /// Of the list of changes: the beginning of a line that its frame did not end.
    rest: Vec<u8>,
}

impl Tree {
    /// Adds a document that is carried.
    pub(super) fn document(
        &mut self,
        kind: Kind,
        (subject, id): (&str, &str),
        digest: &Sha256Digest,
        size: u64,
    ) {
        self.line.clear();
        listing::write_line(&mut self.line, kind, subject, id, digest, size);
        self.documents.add(kind, size, &self.line);
        self.carried.update(&self.line);
    }

    /// Takes the next bytes of a delta's list of changes.
    pub(super) fn changes(&mut self, bytes: &[u8]) -> Result<(), String> {
        let whole = memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1);
        let (now, later) = bytes.split_at(whole);
        if self.rest.len() + later.len() > export_mirror::MAX_LINE_BYTES {
            return Err("it has a line that is longer than any".to_owned());
        }
        if now.is_empty() {
            self.rest.extend_from_slice(later);
            return Ok(());
        }
        let lines = [std::mem::take(&mut self.rest).as_slice(), now].concat();
        self.rest.extend_from_slice(later);
        let mut reader = delta::DeltaReader::new(lines.as_slice());
        while let Some(change) = reader.next().map_err(|error| error.to_string())? {
            if change.op == delta::Op::Remove {
                continue;
            }
            let entry = change.entry;
            self.line.clear();
            let (subject, id) = (entry.subject_key, entry.id);
            listing::write_line(
                &mut self.line,
                entry.kind,
                subject,
                id,
                &entry.sha256,
                entry.size,
            );
            self.changed.update(&self.line);
        }
        Ok(())
    }

    /// What the documents of a complete tree amount to.
    pub(super) fn summary(&self) -> listing::Summary {
        self.documents.clone().finish()
    }

    /// Whether the documents are those that the list of changes names.
    pub(super) fn carries_what_has_changed(self) -> bool {
        self.rest.is_empty() && self.carried.finalize() == self.changed.finalize()
    }
}

/// Size and digest of the layer of a tree's counts.
pub(super) fn manifests(summary: &listing::Summary) -> (u64, Sha256Digest) {
    let (mut hash, mut size) = (Sha256::new(), END.len() as u64);
    for (kind, tally) in &summary.kinds {
        let bytes = listing::manifest_file(*kind, tally);
        let length = bytes.len() as u64;
        if let Ok(header) = header(&listing::manifest_path(*kind), length) {
            hash.update(header);
        }
        hash.update(&bytes);
        hash.update(padding(length));
        size += member_bytes(length);
    }
    hash.update(END);
    (size, Sha256Digest(hash.finalize().into()))
}
