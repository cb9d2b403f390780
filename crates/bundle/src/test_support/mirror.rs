//! Layers and lists of mirrors.

use export_mirror::delta::{self, DeltaFile, Op};
use export_mirror::layer;
use export_mirror::listing::{ListingHasher, Summary, manifest_file, manifest_path, write_line};
use export_mirror::path::document;
use export_model::{Kind, MirrorBase, ProfileKind, Sha256Digest};

use super::{Payload, Record, Sample, record};
use crate::manifest::{MEDIA_TYPE_JSON, MEDIA_TYPE_JSON_LINES, MEDIA_TYPE_TAR, Manifest};
use crate::payload::{DELTA, DELTA_CHANGES, MANIFESTS_LAYER, TREE};

/// A document of a layer: path and bytes.
pub(crate) type Document = (String, Vec<u8>);

impl Sample {
    /// A mirror's records of several kinds, in several layers.
    pub(crate) fn mirror(kind: ProfileKind) -> Self {
        let mut records = Vec::new();
        for (kind, count) in [(Kind::Advisory, 7), (Kind::Sbom, 1), (Kind::Vex, 3)] {
            records.extend((0..count).map(|number| record(kind, number, 100)));
        }
        Self {
            records,
            records_per_part: 3,
            kind,
            owners: Vec::new(),
        }
    }
}

/// An archive of documents.
pub(crate) fn tar(documents: &[Document]) -> Vec<u8> {
    let mut out = Vec::new();
    for (path, bytes) in documents {
        let size = bytes.len() as u64;
        // Not the layer's own, which refuses what is to be refused by others.
        out.extend_from_slice(&export_ustar::file_header(path, size).unwrap());
        out.extend_from_slice(bytes);
        out.extend_from_slice(layer::padding(size));
    }
    out.extend_from_slice(&layer::END);
    out
}

/// The documents of an archive that [`tar`] made.
pub(crate) fn untar(mut archive: &[u8]) -> Vec<Document> {
    let mut documents = Vec::new();
    while archive[0] != 0 {
        let fields = export_ustar::fields(archive[..512].try_into().unwrap());
        let export_ustar::Size::Bytes(size) = fields.size else {
            panic!("it has no size");
        };
        let path = String::from_utf8(fields.path.to_vec()).unwrap();
        let size = usize::try_from(size).unwrap();
        documents.push((path, archive[512..512 + size].to_vec()));
        archive = &archive[512 + size.next_multiple_of(512)..];
    }
    documents
}

/// The layer of these records.
pub(super) fn layer_of(records: &[&Record]) -> Vec<u8> {
    let documents: Vec<_> = records
        .iter()
        .map(|record| {
            (
                document(record.kind, &record.position.id),
                record.canonical.clone(),
            )
        })
        .collect();
    tar(&documents)
}

/// The list of a tree of these records, and what it amounts to.
pub(crate) fn listing(records: &[Record]) -> (Vec<u8>, Summary) {
    let (mut list, mut hasher) = (Vec::new(), ListingHasher::default());
    for record in records {
        let (start, size) = (list.len(), record.canonical.len() as u64);
        let (subject, id) = (&record.position.subject_key, &record.position.id);
        let digest = Sha256Digest::of(&record.canonical);
        write_line(&mut list, record.kind, subject, id, &digest, size);
        hasher.add(record.kind, size, &list[start..]);
    }
    (list, hasher.finish())
}

/// The layer of a tree's counts.
pub(crate) fn counts(summary: &Summary) -> Vec<u8> {
    let files: Vec<_> = summary
        .kinds
        .iter()
        .map(|(kind, tally)| (manifest_path(*kind), manifest_file(*kind, tally)))
        .collect();
    tar(&files)
}

/// A list of changes: these records are added, and one that nobody carries is removed.
pub(crate) fn changes(records: &[Record]) -> Vec<u8> {
    let gone = record(Kind::Vex, 1_000, 100);
    let mut list = Vec::new();
    let all = records.iter().map(|record| (Op::Add, record));
    for (op, record) in all.chain([(Op::Remove, &gone)]) {
        let (subject, id) = (&record.position.subject_key, &record.position.id);
        let (digest, size) = (Sha256Digest::of(&record.canonical), record.canonical.len());
        delta::write_line(
            &mut list,
            op,
            record.kind,
            subject,
            id,
            &digest,
            size as u64,
        );
    }
    list
}

/// What the samples' deltas lead from and to.
fn digests() -> DeltaFile {
    DeltaFile {
        base_tree_digest: Sha256Digest::of(b"the base's tree"),
        result_tree_digest: Sha256Digest::of(b"the result's tree"),
    }
}

impl Payload {
    /// Adds what a mirror has beside its layers of documents.
    pub(super) fn lists(&mut self, sample: &Sample) {
        let mut add = |path: &str, content: &[u8], media_type: &str| {
            let entry = self.add(path, content, media_type);
            self.files.push(entry);
        };
        match sample.kind {
            ProfileKind::MirrorFull => {
                let (list, summary) = listing(&sample.records);
                add(TREE, &list, MEDIA_TYPE_JSON_LINES);
                add(MANIFESTS_LAYER, &counts(&summary), MEDIA_TYPE_TAR);
            }
            ProfileKind::MirrorDelta => {
                add(DELTA, &digests().to_bytes(), MEDIA_TYPE_JSON);
                add(
                    DELTA_CHANGES,
                    &changes(&sample.records),
                    MEDIA_TYPE_JSON_LINES,
                );
            }
            _ => {}
        }
    }
}

/// States in a manifest what a mirror's has to.
pub(super) fn state(manifest: &mut Manifest, sample: &Sample) {
    match sample.kind {
        ProfileKind::MirrorFull => {
            manifest.tree_digest = Some(listing(&sample.records).1.tree_digest);
        }
        ProfileKind::MirrorDelta => {
            let digests = digests();
            manifest.base = Some(MirrorBase {
                export_id: "0192f000-0000-7000-8000-000000000000".parse().unwrap(),
                manifest_sha256: Sha256Digest::of(b"the base's manifest"),
                tree_digest: digests.base_tree_digest,
                watermark: 41,
            });
            manifest.result_tree_digest = Some(digests.result_tree_digest);
        }
        _ => {}
    }
}
