//! What has to happen in the order of the archive, one frame after the other.

use export_canonical::record::Limits;
use export_digest::ContentHasher;
use export_model::{InputHasher, Kind, Position, Sha256Digest};

use super::layer::{Layer, Tree};
use super::lines::{FrameLines, RecordLine, RecordLines};
use super::{Role, problem};
use crate::manifest::Manifest;
use crate::payload::snapshot::TraceFingerprint;
use crate::verify::report::Problem;

/// The most memory for keys of files that had quarantined records.
const KEPT_BYTES: usize = 32 << 20;
/// The most bytes of `payload/inputs.jsonl.zst` and of the quarantine list.
const LISTED_BYTES: usize = 32 << 20;

/// A record of a file that had quarantined records: what its input hash is made of.
pub(super) struct Kept {
    pub(super) position: Position,
    pub(super) sha256: Sha256Digest,
}

/// How the input hash of a file can be compared.
pub(super) enum FileHash {
    /// Nothing was quarantined: this is it.
    Whole(Sha256Digest),
    /// Quarantined records have to be put in between.
    Keys(Vec<Kept>),
    /// It cannot: there was a problem, or too little memory.
    Unknown,
}

/// What a file of records came to.
pub(super) struct FileResult {
    pub(super) index: usize,
    pub(super) hash: FileHash,
    pub(super) first: Option<Position>,
    pub(super) last: Option<Position>,
    /// Bytes of its records.
    pub(super) bytes: u64,
}

/// The file whose frames are coming.
#[derive(Default)]
struct Open {
    index: usize,
    sha: ContentHasher,
    size: u64,
    lines: u64,
    /// Bytes of documents.
    documents: u64,
    layer: Layer,
    /// The beginning of a line that its frame did not end.
    carry: Vec<u8>,
    hasher: InputHasher,
    kept: Option<Vec<Kept>>,
    first: Option<Position>,
    /// Whether a problem was found, so that nothing more is to be said of its lines.
    broken: bool,
}

/// The newest record. Files of one owner and kind come one after the other; those of owners may
/// come in another order than owners have, because `-` and `.` sort before `/`.
struct Newest {
    owner: String,
    kind: Kind,
    position: Position,
}

/// What is known up to the frame whose turn it is.
#[derive(Default)]
pub(super) struct Chain {
    open: Option<Open>,
    last: Option<Newest>,
    scratch: RecordLines,
    kept_bytes: usize,
    /// How large `kept_bytes` may become.
    kept_limit: usize,
    pub(super) results: Vec<FileResult>,
    pub(super) traces: TraceFingerprint,
    pub(super) tree: Tree,
    pub(super) inputs: Vec<u8>,
    /// The quarantine list; none where it is too long.
    pub(super) quarantine: Option<Vec<u8>>,
    pub(super) problems: Vec<Problem>,
    pub(super) unchecked: Vec<String>,
}

impl Chain {
    pub(super) fn new(manifest: &Manifest) -> Self {
        Self {
            quarantine: Some(Vec::new()),
            kept_limit: KEPT_BYTES,
            results: Vec::with_capacity(manifest.files.len().min(1 << 16)),
            ..Self::default()
        }
    }

    /// Takes the next frame of a file.
    pub(super) fn frame(
        &mut self,
        manifest: &Manifest,
        file: usize,
        content: &[u8],
        lines: &FrameLines,
    ) {
        let Some(entry) = manifest.files.get(file) else {
            return;
        };
        let mut open = self.take_open(manifest, file);
        open.size += content.len() as u64;
        if !open.broken {
            let role = Role::of(entry);
            if !matches!(role, Role::Records(_)) {
                open.sha.update(content);
            }
            let outcome = match role {
                Role::Records(kind) => {
                    self.records(&mut open, kind, manifest.owner_of(entry), content, lines)
                }
                Role::Inputs if self.inputs.len() + content.len() > LISTED_BYTES => {
                    Err("it is longer than any list of parts".to_owned())
                }
                Role::Inputs => {
                    self.inputs.extend_from_slice(content);
                    Ok(())
                }
                Role::Quarantine => {
                    self.list_quarantine(&entry.path, content);
                    Ok(())
                }
                Role::Layer(kind) => self.layer(&mut open, kind, manifest.owner_of(entry), content),
                Role::Changes => self.tree.changes(content),
                Role::Other => Ok(()),
            };
            if let Err(what) = outcome {
                open.broken = true;
                self.problems.push(problem(&entry.path, what));
            }
        }
        self.open = Some(open);
    }

    /// Notes that a frame of a file cannot be decompressed.
    pub(super) fn fail(&mut self, manifest: &Manifest, file: usize, what: &str) {
        let mut open = self.take_open(manifest, file);
        if !open.broken
            && let Some(entry) = manifest.files.get(file)
        {
            self.problems.push(problem(&entry.path, what));
        }
        open.broken = true;
        self.open = Some(open);
    }

    /// Ends a file.
    pub(super) fn end(&mut self, manifest: &Manifest, file: usize, failed: Option<&str>) {
        if let Some(what) = failed {
            self.fail(manifest, file, what);
        }
        let open = self.take_open(manifest, file);
        let Some(entry) = manifest.files.get(file) else {
            return;
        };
        let role = Role::of(entry);
        let first_id = open.first.as_ref().map(|position| position.id.as_str());
        let last = self
            .last
            .as_ref()
            .filter(|last| {
                open.first.is_some()
                    && role.record_kind() == Some(last.kind)
                    && last.owner == manifest.owner_of(entry)
            })
            .map(|last| last.position.clone());
        let mut broken = open.broken;
        if !broken {
            let digest = Sha256Digest(open.sha.finalize());
            let range = entry.range.as_ref();
            let what = if open.size != entry.content_size || digest != entry.content_sha256 {
                Some(format!(
                    "its content has {} bytes and the digest {digest}; signed were {} and {}",
                    open.size, entry.content_size, entry.content_sha256
                ))
            } else if !open.carry.is_empty() {
                Some("its last line has no end".to_owned())
            } else if matches!(role, Role::Layer(_)) && !open.layer.has_ended() {
                Some("its archive has no end".to_owned())
            } else if role.record_kind().is_some() && entry.records != Some(open.lines) {
                Some(format!(
                    "it has {} records, but {} were signed",
                    open.lines,
                    entry.records.unwrap_or(0)
                ))
            } else if role.record_kind().is_some()
                && (range.map(|range| range.first.as_str()) != first_id
                    || range.map(|range| range.last.as_str())
                        != last.as_ref().map(|position| position.id.as_str()))
            {
                Some("its first or last record is not the one that was signed".to_owned())
            } else {
                None
            };
            if let Some(what) = what {
                broken = true;
                self.problems.push(problem(&entry.path, what));
            }
        }
        if role.record_kind().is_some() {
            let bytes = match role {
                Role::Layer(_) => open.documents,
                _ => entry.content_size.saturating_sub(open.lines),
            };
            let hash = match (broken, open.kept, entry.quarantined) {
                (true, ..) => FileHash::Unknown,
                (false, Some(kept), _) => FileHash::Keys(kept),
                (false, None, Some(1..)) => FileHash::Unknown,
                (false, None, _) => FileHash::Whole(open.hasher.finish()),
            };
            self.results.push(FileResult {
                index: file,
                hash,
                first: open.first,
                last,
                bytes,
            });
        }
    }

    fn take_open(&mut self, manifest: &Manifest, file: usize) -> Open {
        match self.open.take() {
            Some(open) if open.index == file => open,
            _ => Open {
                index: file,
                kept: manifest
                    .files
                    .get(file)
                    .and_then(|entry| entry.quarantined)
                    .filter(|count| *count > 0)
                    .map(|_| Vec::new()),
                ..Open::default()
            },
        }
    }

    /// Takes the lines of a frame, and adds its content to the file's digest unless it is broken.
    fn records(
        &mut self,
        open: &mut Open,
        kind: Kind,
        tenant: &str,
        content: &[u8],
        lines: &FrameLines,
    ) -> Result<(), String> {
        let numbered = |lines: u64, what: String| format!("line {}: {what}", lines + 1);
        let (head, tail) = content.split_at_checked(lines.tail).unwrap_or_default();
        let Some(first) = lines.head else {
            open.sha.update(content);
            return carry(open, content);
        };
        // The line that the frame before began, or the frame's own first.
        let (end, mut rest) = head.split_at_checked(first).unwrap_or_default();
        let end = end.strip_suffix(b"\n").unwrap_or(end);
        let mut scratch = std::mem::take(&mut self.scratch);
        let (checked, digest) = if open.carry.is_empty() {
            let digest = open.sha.update_with_digest(end);
            (scratch.check(end, kind, tenant), digest.into())
        } else {
            open.sha.update(end);
            carry(open, end)?;
            let line = std::mem::take(&mut open.carry);
            (scratch.check(&line, kind, tenant), Sha256Digest::of(&line))
        };
        open.sha.update(b"\n");
        checked.map_err(|what| numbered(open.lines, what))?;
        if let Some(record) = scratch.lines.first() {
            self.record(open, (tenant, kind), &scratch, record, digest)
                .map_err(|what| numbered(open.lines, what))?;
            open.lines += 1;
        }
        for record in &lines.records.lines {
            let (line, after) = rest.split_at_checked(record.length).unwrap_or_default();
            let digest = open.sha.update_with_digest(line).into();
            open.sha.update(b"\n");
            rest = after.get(1..).unwrap_or_default();
            self.record(open, (tenant, kind), &lines.records, record, digest)
                .map_err(|what| numbered(open.lines, what))?;
            open.lines += 1;
        }
        if let Some(what) = &lines.error {
            return Err(numbered(open.lines, what.clone()));
        }
        scratch.clear();
        self.scratch = scratch;
        open.sha.update(tail);
        carry(open, tail)
    }

    /// Takes the documents of a frame.
    fn layer(
        &mut self,
        open: &mut Open,
        kind: Kind,
        tenant: &str,
        content: &[u8],
    ) -> Result<(), String> {
        let mut layer = std::mem::take(&mut open.layer);
        let mut scratch = std::mem::take(&mut self.scratch);
        let fed = layer.feed(
            content,
            (kind, tenant),
            &mut scratch,
            |lines, record, document, digest| {
                let size = document.len() as u64;
                self.record(open, (tenant, kind), lines, record, digest)?;
                self.tree.document(kind, lines.key(record), &digest, size);
                open.documents += size;
                open.lines += 1;
                Ok(())
            },
        );
        scratch.clear();
        self.scratch = scratch;
        open.layer = layer;
        fed
    }

    fn record(
        &mut self,
        open: &mut Open,
        (owner, kind): (&str, Kind),
        source: &RecordLines,
        record: &RecordLine,
        digest: Sha256Digest,
    ) -> Result<(), String> {
        let (subject, id) = source.key(record);
        match &mut self.last {
            Some(Newest {
                owner: last_owner,
                kind: last_kind,
                position: last,
            }) if *last_kind == kind && last_owner == owner => {
                if (last.subject_key.as_str(), last.id.as_str()) >= (subject, id) {
                    return Err(format!("the record `{id}` is out of canonical order"));
                }
                last.subject_key.clear();
                last.subject_key.push_str(subject);
                last.id.clear();
                last.id.push_str(id);
            }
            other => {
                *other = Some(Newest {
                    owner: owner.to_owned(),
                    kind,
                    position: position(subject, id),
                });
            }
        }
        if open.first.is_none() {
            open.first = Some(position(subject, id));
        }
        if let Some(trace) = &record.trace {
            self.traces.add(id, trace);
        }
        match &mut open.kept {
            None => open.hasher.add(id, &digest),
            Some(kept) => {
                self.kept_bytes += subject.len() + id.len() + size_of::<Kept>();
                if self.kept_bytes <= self.kept_limit {
                    kept.push(Kept {
                        position: position(subject, id),
                        sha256: digest,
                    });
                } else {
                    open.kept = None;
                }
            }
        }
        Ok(())
    }

    fn list_quarantine(&mut self, path: &str, content: &[u8]) {
        match &mut self.quarantine {
            Some(list) if list.len() + content.len() <= LISTED_BYTES => {
                list.extend_from_slice(content);
            }
            Some(_) => {
                self.quarantine = None;
                self.unchecked.push(format!(
                    "{path}: it is too long to be held in memory, so input hashes of parts with \
                     quarantined records were not computed"
                ));
            }
            None => {}
        }
    }
}

fn position(subject: &str, id: &str) -> Position {
    Position {
        subject_key: subject.to_owned(),
        id: id.to_owned(),
    }
}

/// Keeps the beginning of a line, which may be as long as a record may be.
fn carry(open: &mut Open, bytes: &[u8]) -> Result<(), String> {
    if open.carry.len() + bytes.len() > Limits::default().bytes {
        return Err(format!(
            "line {}: it is longer than a record may be",
            open.lines + 1
        ));
    }
    open.carry.extend_from_slice(bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use export_signing::SigningKey;

    use super::super::inputs::compare;
    use super::super::lines::check_frame;
    use super::*;
    use crate::test_support::{Sample, by_path};

    /// Feeds a whole bundle to a chain that may keep so much of the keys.
    fn chain(kept_limit: usize) -> Chain {
        let key = SigningKey::generate().unwrap();
        let members = Sample::policy().members(&key);
        let members = by_path(&members);
        let manifest = Manifest::parse(members["export.json"]).unwrap();
        let mut chain = Chain::new(&manifest);
        chain.kept_limit = kept_limit;
        let mut snapshot = Vec::new();
        for (index, file) in manifest.files.iter().enumerate() {
            let stored = members[file.path.as_str()];
            if file.compression.is_none() {
                snapshot = stored.to_vec();
                continue;
            }
            let content = zstd::stream::decode_all(stored).unwrap();
            let mut lines = FrameLines::default();
            check_frame(&content, Role::of(file), "acme", &mut lines);
            chain.frame(&manifest, index, &content, &lines);
            chain.end(&manifest, index, None);
        }
        compare(&manifest, &mut chain, &snapshot);
        chain
    }

    #[test]
    fn what_does_not_fit_in_memory_is_said_to_be_unchecked() {
        let enough = chain(KEPT_BYTES);
        assert_eq!((enough.problems, enough.unchecked), (vec![], vec![]));
        let little = chain(0);
        assert_eq!(little.problems, []);
        assert_eq!(little.unchecked.len(), 1, "{:?}", little.unchecked);
        assert!(little.unchecked[0].starts_with("payload/advisory/part-00000.jsonl: "));
    }
}
