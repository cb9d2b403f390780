//! What belongs to the payload but to no single part.

use std::collections::BTreeMap;

use bytes::Bytes;
use export_bundle::frames::{FRAME_BYTES, FrameCompressor};
use export_bundle::manifest::{
    Algorithm, CompressionEntry, FileEntry, MEDIA_TYPE_JSON, MEDIA_TYPE_JSON_LINES, MEDIA_TYPE_TAR,
    RecordRange,
};
use export_bundle::payload::{
    INPUTS, POLICY_SNAPSHOT, QUARANTINE,
    inputs::InputLine,
    snapshot::{SnapshotDocument, TraceFingerprint},
};
use export_lifecycle::{Held, PhaseError};
use export_model::{
    AssembledCompression, AssembledFile, ErrorCode, Kind, ObjectKey, Part, PartOutput, Run,
    Sha256Digest,
};
use export_ports::{Ports, Upload};
use export_sealing::Sealer;
use export_staging::Seal;
use sha2::{Digest, Sha256};

/// Bytes that are read from an object at once.
const READ: u64 = 1 << 20;
/// Least bytes of an upload's part but the last (S3).
const UPLOAD_PART: usize = 8 << 20;

/// The run that documents are made for, and how they are stored.
pub(crate) struct Making<'a> {
    pub(crate) ports: &'a Ports,
    pub(crate) held: &'a Held,
    pub(crate) run: &'a Run,
    pub(crate) seal: Seal,
}

/// A payload file: what the manifest says of it, and where it lies.
pub(crate) struct PayloadFile {
    pub(crate) entry: FileEntry,
    pub(crate) object: ObjectKey,
}

/// A defect of ours, in words.
pub(crate) fn internal(what: &str, error: impl std::fmt::Display) -> PhaseError {
    PhaseError::permanent(ErrorCode::Internal, format!("{what}: {error}"))
}

pub(crate) fn key(run: &Run, held: &Held, path: &str) -> Result<ObjectKey, PhaseError> {
    ObjectKey::new(&run.key, held.token(), path).map_err(|e| internal("naming an object", e))
}

/// The output of every part, or the defect that one has none.
pub(crate) fn outputs(parts: &[Part]) -> Result<Vec<(&Part, &PartOutput)>, PhaseError> {
    parts
        .iter()
        .map(|part| match &part.output {
            Some(output) => Ok((part, output)),
            None => Err(internal(
                "signing",
                format!("part {} is not done", part.index),
            )),
        })
        .collect()
}

/// The files that parts have become.
pub(crate) fn part_files(
    run: &Run,
    seal: &Seal,
    parts: &[Part],
) -> Result<Vec<PayloadFile>, PhaseError> {
    let kind = run.profile.kind;
    let media_type = if kind.is_mirror() {
        MEDIA_TYPE_TAR
    } else {
        MEDIA_TYPE_JSON_LINES
    };
    let mut files = Vec::new();
    for (part, output) in outputs(parts)? {
        let (Some(object), Some((first, last))) = (&output.object, &output.range) else {
            continue;
        };
        let quarantined = output
            .quarantine
            .iter()
            .flat_map(|(_, codes)| codes.iter().map(|(_, count)| *count))
            .sum();
        files.push(PayloadFile {
            entry: FileEntry {
                path: seal.path(&format!("{}.zst", part.payload_path(kind))),
                size: output.size,
                sha256: output.sha256,
                content_size: output.content_size,
                content_sha256: output.content_sha256,
                media_type: media_type.to_owned(),
                compression: Some(zstd(run)),
                records: Some(output.records),
                range: Some(RecordRange {
                    first: first.clone(),
                    last: last.clone(),
                }),
                quarantined: (quarantined > 0).then_some(quarantined),
            },
            object: object.clone(),
        });
    }
    Ok(files)
}

/// The files that all parts together have become.
pub(crate) fn assembled_files(run: &Run) -> Vec<PayloadFile> {
    run.assembled.iter().map(assembled_file).collect()
}

/// A file that was made of more than one part, or of none.
pub(crate) fn assembled_file(file: &AssembledFile) -> PayloadFile {
    let entry = FileEntry {
        path: file.path.clone(),
        size: file.size,
        sha256: file.sha256,
        content_size: file.content_size,
        content_sha256: file.content_sha256,
        media_type: file.media_type.clone(),
        compression: file.compression.map(|compression| match compression {
            AssembledCompression::Gzip { level } => CompressionEntry {
                algorithm: Algorithm::Gzip,
                level,
            },
            AssembledCompression::Zstd { level } => CompressionEntry {
                algorithm: Algorithm::Zstd,
                level,
            },
        }),
        records: None,
        range: None,
        quarantined: None,
    };
    PayloadFile {
        entry,
        object: file.object.clone(),
    }
}

fn zstd(run: &Run) -> CompressionEntry {
    CompressionEntry {
        algorithm: Algorithm::Zstd,
        level: run.profile.config.compression.level,
    }
}

/// How many records were quarantined, by code.
pub(crate) fn quarantined(parts: &[Part]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    let lists = parts
        .iter()
        .filter_map(|part| part.output.as_ref()?.quarantine.as_ref());
    for (code, count) in lists.flat_map(|(_, codes)| codes) {
        *counts.entry(code.clone()).or_insert(0) += count;
    }
    counts
}

/// Writes `payload/inputs.jsonl.zst`: every part, whether it became a file or not.
pub(crate) async fn inputs(making: &Making<'_>, parts: &[Part]) -> Result<PayloadFile, PhaseError> {
    let mut file = Compressed::new(making, INPUTS)?;
    for part in parts {
        let line = InputLine::of(part, making.run.profile.kind)
            .to_line()
            .map_err(|e| internal("writing the list of inputs", e))?;
        file.write(&line).await?;
    }
    file.finish(MEDIA_TYPE_JSON_LINES).await
}

/// Writes `payload/quarantine.jsonl.zst`; none when nothing was quarantined.
pub(crate) async fn quarantine(
    making: &Making<'_>,
    parts: &[Part],
) -> Result<Option<PayloadFile>, PhaseError> {
    let mut file = None;
    for part in parts {
        let Some((list, _)) = part.output.as_ref().and_then(|o| o.quarantine.as_ref()) else {
            continue;
        };
        let file = match &mut file {
            Some(file) => file,
            none => none.insert(Compressed::new(making, QUARANTINE)?),
        };
        let mut offset = 0;
        loop {
            let bytes = making
                .ports
                .objects
                .read(list, offset..offset + READ)
                .await?;
            if bytes.is_empty() {
                break;
            }
            offset += bytes.len() as u64;
            file.write(&bytes).await?;
        }
    }
    match file {
        Some(file) => Ok(Some(file.finish(MEDIA_TYPE_JSON_LINES).await?)),
        None => Ok(None),
    }
}

/// Writes `payload/policy_snapshot.json`; none when the run exports no policy.
pub(crate) async fn policy_snapshot(
    making: &Making<'_>,
    parts: &[Part],
) -> Result<Option<PayloadFile>, PhaseError> {
    let run = making.run;
    let Some(snapshot) = &run.policy_snapshot else {
        return Ok(None);
    };
    let document = match &run.tree {
        Some(tree) => {
            let findings = tree
                .tallies
                .iter()
                .find(|tally| tally.kind == Kind::Finding);
            SnapshotDocument::of_tree(snapshot, findings.map_or(0, |tally| tally.documents))
        }
        None => SnapshotDocument::new(snapshot, traces(making.ports, parts).await?),
    };
    let bytes = document
        .to_bytes()
        .map_err(|e| internal("writing the policy snapshot", e))?;
    document_file(making, POLICY_SNAPSHOT, bytes)
        .await
        .map(Some)
}

/// The decision traces of all findings.
async fn traces(ports: &Ports, parts: &[Part]) -> Result<TraceFingerprint, PhaseError> {
    let mut traces = TraceFingerprint::default();
    for part in parts {
        if let Some(list) = part.output.as_ref().and_then(|o| o.traces.as_ref()) {
            add_traces(ports, list, &mut traces).await?;
        }
    }
    Ok(traces)
}

/// Stores a document.
pub(crate) async fn document_file(
    making: &Making<'_>,
    path: &'static str,
    bytes: Vec<u8>,
) -> Result<PayloadFile, PhaseError> {
    let path = making.seal.path(path);
    let object = key(making.run, making.held, &path)?;
    let content = (bytes.len() as u64, Sha256Digest::of(&bytes));
    let stored = making.seal.seal(&path, bytes)?;
    let (size, sha256) = (stored.len() as u64, Sha256Digest::of(&stored));
    making
        .ports
        .objects
        .put(&object, Bytes::from(stored))
        .await?;
    Ok(PayloadFile {
        entry: FileEntry {
            path,
            size,
            sha256,
            content_size: content.0,
            content_sha256: content.1,
            media_type: MEDIA_TYPE_JSON.to_owned(),
            compression: None,
            records: None,
            range: None,
            quarantined: None,
        },
        object,
    })
}

/// Adds the lines `_id NUL sha256 LF` that the adapter kept of a part's decision traces.
async fn add_traces(
    ports: &Ports,
    list: &ObjectKey,
    traces: &mut TraceFingerprint,
) -> Result<(), PhaseError> {
    let damaged = || internal("reading decision traces", format!("{list} is damaged"));
    let mut pending: Vec<u8> = Vec::new();
    let mut offset = 0;
    loop {
        let bytes = ports.objects.read(list, offset..offset + READ).await?;
        if bytes.is_empty() {
            break;
        }
        offset += bytes.len() as u64;
        pending.extend_from_slice(&bytes);
        let whole = pending
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |end| end + 1);
        let rest = pending.split_off(whole);
        let lines = std::str::from_utf8(&pending).map_err(|_| damaged())?;
        for line in lines.lines() {
            let (id, digest) = line.rsplit_once('\0').ok_or_else(damaged)?;
            let digest = Sha256Digest::from_hex(digest).map_err(|_| damaged())?;
            traces.add(id, &digest);
        }
        pending = rest;
    }
    if pending.is_empty() {
        Ok(())
    } else {
        Err(damaged())
    }
}

/// A payload file, compressed in frames as it is written.
pub(crate) struct Compressed<'a> {
    making: &'a Making<'a>,
    path: String,
    object: ObjectKey,
    sealer: Option<Sealer>,
    compressor: FrameCompressor,
    frame: Vec<u8>,
    part: Vec<u8>,
    upload: Option<Box<dyn Upload>>,
    content: Sha256,
    content_size: u64,
    stored: Sha256,
    size: u64,
}

impl<'a> Compressed<'a> {
    pub(crate) fn new(making: &'a Making<'a>, path: &str) -> Result<Self, PhaseError> {
        let run = making.run;
        let path = making.seal.path(path);
        Ok(Self {
            object: key(run, making.held, &path)?,
            sealer: making.seal.sealer(&path)?,
            making,
            path,
            compressor: FrameCompressor::new(run.profile.config.compression.level)
                .map_err(|e| internal("starting compression", e))?,
            frame: Vec::new(),
            part: Vec::new(),
            upload: None,
            content: Sha256::new(),
            content_size: 0,
            stored: Sha256::new(),
            size: 0,
        })
    }

    pub(crate) async fn write(&mut self, mut bytes: &[u8]) -> Result<(), PhaseError> {
        while !bytes.is_empty() {
            let room = FRAME_BYTES - self.frame.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.frame.extend_from_slice(now);
            bytes = later;
            if self.frame.len() == FRAME_BYTES {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), PhaseError> {
        self.content.update(&self.frame);
        self.content_size += self.frame.len() as u64;
        let before = self.part.len();
        match &mut self.sealer {
            None => self.compressor.compress(&self.frame, &mut self.part),
            Some(sealer) => {
                let mut frame = Vec::new();
                let compressed = self.compressor.compress(&self.frame, &mut frame);
                compressed.and_then(|()| {
                    let sealed = sealer.update(&frame, &mut self.part);
                    sealed.map_err(std::io::Error::other)
                })
            }
        }
        .map_err(|e| internal("compressing a frame", e))?;
        self.frame.clear();
        self.count(before);
        if self.part.len() >= UPLOAD_PART {
            self.send().await?;
        }
        Ok(())
    }

    /// Counts what was added to the part.
    fn count(&mut self, before: usize) {
        let stored = self.part.get(before..).unwrap_or_default();
        self.stored.update(stored);
        self.size += stored.len() as u64;
    }

    async fn send(&mut self) -> Result<(), PhaseError> {
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => none.insert(self.making.ports.objects.upload(&self.object).await?),
        };
        Ok(upload
            .part(Bytes::from(std::mem::take(&mut self.part)))
            .await?)
    }

    pub(crate) async fn finish(mut self, media_type: &str) -> Result<PayloadFile, PhaseError> {
        if !self.frame.is_empty() || self.content_size == 0 {
            // A file without lines is one empty frame, so that it still is a zstd file.
            self.flush().await?;
        }
        if let Some(sealer) = self.sealer.take() {
            let before = self.part.len();
            sealer
                .finish(&mut self.part)
                .map_err(|e| internal("sealing", e))?;
            self.count(before);
        }
        self.send().await?;
        if let Some(upload) = self.upload {
            upload.complete().await?;
        }
        Ok(PayloadFile {
            entry: FileEntry {
                path: self.path,
                size: self.size,
                sha256: Sha256Digest(self.stored.finalize().into()),
                content_size: self.content_size,
                content_sha256: Sha256Digest(self.content.finalize().into()),
                media_type: media_type.to_owned(),
                compression: Some(zstd(self.making.run)),
                records: None,
                range: None,
                quarantined: None,
            },
            object: self.object,
        })
    }
}
