//! Bundles of mirrors, made as the service makes them, and signed with a real key.

use std::collections::BTreeMap;
use std::path::Path;

use export_bundle::archive::{ArchiveLayout, Segment};
use export_bundle::frames::{FRAME_BYTES, FrameCompressor, libzstd_version};
use export_bundle::manifest::{
    Algorithm, AsOfSection, CompressionEntry, Counts, FileEntry, MEDIA_TYPE_JSON, Manifest,
    ProfileSection, RecordRange, RunSection, SCHEMA, content_digest,
};
use export_bundle::paths::DOCUMENTS;
use export_bundle::provenance::{Builder, ProvenanceInputs};
use export_mirror::delta::{self, DeltaFile, Op};
use export_mirror::index::{Index, IndexBuilder};
use export_mirror::layer;
use export_mirror::listing::{ListingHasher, Summary, manifest_file, manifest_path, write_line};
use export_mirror::path::document;
use export_mirror::terms::Record;
use export_model::{
    Kind, MirrorBase, ProfileConfig, ProfileKind, RunOptions, Selectors, Sha256Digest, Timestamp,
};
use export_signing::{SigningKey, bundle, detached, to_sign};

use super::evidence::Evidence;

/// A member: path, and content before compression.
pub(crate) type Member = (String, Vec<u8>);

/// A run of a mirror, before it is signed.
#[derive(Clone)]
pub(crate) struct Export {
    pub(crate) number: u32,
    pub(crate) watermark: u64,
    pub(crate) tenant: String,
    pub(crate) profile: Option<String>,
    pub(crate) selectors: Selectors,
    pub(crate) evidence: Evidence,
    pub(crate) tree_digest: Sha256Digest,
    pub(crate) base: Option<MirrorBase>,
    /// By path, uncompressed.
    pub(crate) members: Vec<Member>,
    /// Of each layer: how many documents it has, and the first and the last.
    pub(crate) records: BTreeMap<String, (u64, (String, String))>,
}

/// The id of a run.
pub(crate) fn run_id(number: u32) -> export_model::RunId {
    format!("0192f000-0000-7000-8000-{number:012x}")
        .parse()
        .unwrap()
}

/// The listing of all documents, and what it amounts to.
pub(crate) fn listing(evidence: &Evidence) -> (Vec<u8>, Summary) {
    let (mut all, mut hasher) = (Vec::new(), ListingHasher::default());
    for ((kind, subject, id), bytes) in &evidence.0 {
        let (start, size) = (all.len(), bytes.len() as u64);
        write_line(&mut all, *kind, subject, id, &Sha256Digest::of(bytes), size);
        hasher.add(*kind, size, &all[start..]);
    }
    (all, hasher.finish())
}

/// An archive of members.
pub(crate) fn tar<'a>(members: impl IntoIterator<Item = (String, &'a [u8])>) -> Vec<u8> {
    let mut out = Vec::new();
    for (path, bytes) in members {
        let size = bytes.len() as u64;
        out.extend_from_slice(&layer::header(&path, size).unwrap());
        out.extend_from_slice(bytes);
        out.extend_from_slice(layer::padding(size));
    }
    out.extend_from_slice(&layer::END);
    out
}

fn layers<'a>(
    members: &mut Vec<Member>,
    documents: impl Iterator<Item = (Kind, &'a str, &'a [u8])>,
    a_part: usize,
) -> BTreeMap<String, (u64, (String, String))> {
    let mut records = BTreeMap::new();
    let all: Vec<_> = documents.collect();
    for kind in Kind::ALL {
        let of: Vec<_> = all.iter().filter(|(own, ..)| *own == kind).collect();
        for (part, some) in of.chunks(a_part).enumerate() {
            let tar = tar(some
                .iter()
                .map(|(kind, id, bytes)| (document(*kind, id), *bytes)));
            let path = format!("payload/layers/{kind}-{part:05}.tar.zst");
            let ends = (some[0].1.to_owned(), some[some.len() - 1].1.to_owned());
            records.insert(path.clone(), (some.len() as u64, ends));
            members.push((path, tar));
        }
    }
    records
}

/// Documents a layer.
pub(crate) const A_PART: usize = 40;

impl Export {
    /// A full export.
    pub(crate) fn full(number: u32, watermark: u64, evidence: &Evidence) -> Self {
        Self::full_in_parts(number, watermark, evidence, A_PART)
    }

    pub(crate) fn full_in_parts(
        number: u32,
        watermark: u64,
        evidence: &Evidence,
        a_part: usize,
    ) -> Self {
        let (tree, summary) = listing(evidence);
        let mut members = vec![
            ("payload/inputs.jsonl.zst".to_owned(), b"{}\n".to_vec()),
            ("payload/tree.jsonl.zst".to_owned(), tree),
        ];
        let documents = evidence
            .0
            .iter()
            .map(|((kind, _, id), bytes)| (*kind, id.as_str(), bytes.as_slice()));
        let records = layers(&mut members, documents, a_part);
        let manifests: Vec<_> = summary
            .kinds
            .iter()
            .map(|(kind, tally)| (manifest_path(*kind), manifest_file(*kind, tally)))
            .collect();
        let manifests = manifests
            .iter()
            .map(|(path, bytes)| (path.clone(), bytes.as_slice()));
        members.push((
            "payload/layers/manifests-00000.tar.zst".to_owned(),
            tar(manifests),
        ));
        let scratch = tempfile::tempdir().unwrap();
        let files = indexes(evidence, scratch.path());
        let files = files
            .iter()
            .map(|(path, bytes)| (path.clone(), bytes.as_slice()));
        members.push((
            "payload/layers/indexes-00000.tar.zst".to_owned(),
            tar(files),
        ));
        members.sort();
        Self {
            number,
            watermark,
            tenant: "acme".to_owned(),
            profile: None,
            selectors: Selectors::default(),
            evidence: evidence.clone(),
            tree_digest: summary.tree_digest,
            base: None,
            members,
            records,
        }
    }

    /// A delta from another export.
    pub(crate) fn delta(number: u32, watermark: u64, base: &Self, evidence: &Evidence) -> Self {
        let (_, summary) = listing(evidence);
        let mut lines = Vec::new();
        let keys: std::collections::BTreeSet<_> =
            base.evidence.0.keys().chain(evidence.0.keys()).collect();
        let mut changed = Vec::new();
        for key in keys {
            let (old, new) = (base.evidence.0.get(key), evidence.0.get(key));
            let (op, bytes) = match (old, new) {
                (None, Some(new)) => (Op::Add, new),
                (Some(old), None) => (Op::Remove, old),
                (Some(old), Some(new)) if old != new => (Op::Change, new),
                _ => continue,
            };
            let (kind, subject, id) = key;
            let digest = Sha256Digest::of(bytes);
            delta::write_line(
                &mut lines,
                op,
                *kind,
                subject,
                id,
                &digest,
                bytes.len() as u64,
            );
            if op != Op::Remove {
                changed.push((*kind, id.as_str(), bytes.as_slice()));
            }
        }
        let digests = DeltaFile {
            base_tree_digest: base.tree_digest,
            result_tree_digest: summary.tree_digest,
        };
        let mut members = vec![
            ("payload/delta.json".to_owned(), digests.to_bytes()),
            ("payload/delta.jsonl.zst".to_owned(), lines),
            ("payload/inputs.jsonl.zst".to_owned(), b"{}\n".to_vec()),
        ];
        let records = layers(&mut members, changed.into_iter(), A_PART);
        members.sort();
        Self {
            number,
            watermark,
            evidence: evidence.clone(),
            tree_digest: summary.tree_digest,
            base: Some(MirrorBase {
                export_id: run_id(base.number),
                manifest_sha256: Sha256Digest::of(b"the base's manifest"),
                tree_digest: base.tree_digest,
                watermark: base.watermark,
            }),
            members,
            records,
            ..base.clone()
        }
    }

    /// Replaces or adds a member's content.
    pub(crate) fn put(&mut self, path: &str, content: Vec<u8>) {
        self.members.retain(|(own, _)| own != path);
        self.members.push((path.to_owned(), content));
        self.members.sort();
    }

    /// The content of a member.
    pub(crate) fn get(&self, path: &str) -> &[u8] {
        &self.members.iter().find(|(own, _)| own == path).unwrap().1
    }

    /// The bundle.
    pub(crate) fn bundle(&self, key: &SigningKey) -> Vec<u8> {
        self.bundle_with(key, |_| {}, |_| {})
    }

    /// The bundle, after `edit` of its manifest before it is signed, and `damage` of its members
    /// afterwards.
    pub(crate) fn bundle_with(
        &self,
        key: &SigningKey,
        edit: impl FnOnce(&mut Manifest),
        damage: impl FnOnce(&mut Vec<Member>),
    ) -> Vec<u8> {
        let mut files = Vec::new();
        let mut stored_members = Vec::new();
        let mut counts = Counts::default();
        for (path, content) in &self.members {
            let (stored, compression) = store(path, content);
            let (records, ends) = self.records.get(path).cloned().unwrap_or_default();
            let mut file = FileEntry {
                path: path.clone(),
                size: stored.len() as u64,
                sha256: Sha256Digest::of(&stored),
                content_size: content.len() as u64,
                content_sha256: Sha256Digest::of(content),
                media_type: MEDIA_TYPE_JSON.to_owned(),
                compression,
                records: None,
                range: None,
                quarantined: None,
            };
            if let Some(kind) = file.record_kind() {
                file.records = Some(records);
                let (first, last) = ends;
                file.range = Some(RecordRange { first, last });
                counts.records += records;
                *counts.by_kind.entry(kind).or_default() += records;
            }
            files.push(file);
            stored_members.push((path.clone(), stored));
        }
        let kind = if self.base.is_some() {
            ProfileKind::MirrorDelta
        } else {
            ProfileKind::MirrorFull
        };
        let name = self.profile.clone().unwrap_or_else(|| kind.to_string());
        let mut manifest = Manifest {
            sealed: None,
            schema: SCHEMA.into(),
            run: RunSection {
                id: run_id(self.number),
                tenant: self.tenant.parse().unwrap(),
                profile_id: name.clone(),
                profile_revision: 1,
                requested_by: "test".into(),
                submitted_at: Timestamp(1_793_000_000_000),
                as_of: AsOfSection {
                    watermark: self.watermark,
                },
            },
            profile: ProfileSection {
                name,
                kind,
                variant: kind.adapter_and_variant().1.into(),
                config: ProfileConfig::default(),
            },
            selectors: self.selectors.clone(),
            counts,
            content_digest: content_digest(&files),
            tree_digest: self.base.is_none().then_some(self.tree_digest),
            result_tree_digest: self.base.as_ref().map(|_| self.tree_digest),
            base: self.base.clone(),
            files,
            distributions: Vec::new(),
        };
        edit(&mut manifest);
        let mut members = documents(&manifest, key);
        members.append(&mut stored_members);
        damage(&mut members);
        archive(&members)
    }
}

/// The eight files of the indexes of a tree, by path in it.
pub(crate) fn indexes(evidence: &Evidence, scratch: &Path) -> Vec<Member> {
    let mut builder = IndexBuilder::new(&Index::ALL, scratch.to_owned(), 1 << 20);
    for bytes in evidence.0.values() {
        builder.push(&Record::read(bytes).unwrap()).unwrap();
    }
    builder.finish(scratch).unwrap();
    let mut files = Vec::new();
    for index in Index::ALL {
        for name in [index.lines_file(), index.offsets_file()] {
            let bytes = std::fs::read(scratch.join(name)).unwrap();
            files.push((export_mirror::index::path(name), bytes));
        }
    }
    files.sort();
    files
}

/// The five documents of a manifest.
fn documents(manifest: &Manifest, key: &SigningKey) -> Vec<Member> {
    let export = manifest.to_bytes().unwrap();
    let fingerprint = key.public_key().fingerprint();
    let provenance = ProvenanceInputs {
        sealing: None,
        manifest_sha256: Sha256Digest::of(&export),
        content_digest: manifest.content_digest,
        builder: Builder::KeyFile,
        run_id: manifest.run.id.clone(),
        tenant: manifest.run.tenant.clone(),
        profile_name: manifest.profile.name.clone(),
        profile_revision: 1,
        profile_kind: manifest.profile.kind,
        selectors: manifest.selectors.clone(),
        options: RunOptions::default(),
        approvals: Vec::new(),
        adapter: ("mirror".into(), "1".into()),
        exporter_version: "0.1.0".into(),
        compression_level: 3,
        libzstd_version: libzstd_version().into(),
        started_at: Timestamp(1_793_000_000_000),
        finished_at: Timestamp(1_793_000_001_000),
        watermark: manifest.run.as_of.watermark,
        sources: Vec::new(),
        base: manifest.base.clone(),
        policy_snapshot: None,
        sboms: Vec::new(),
        key_id: "file".into(),
        key_fingerprint: fingerprint.to_string(),
    }
    .to_bytes()
    .unwrap();
    let message = to_sign::export_json_to_sign(&export);
    let signature = key.sign(message.bytes()).unwrap();
    let message_bundle = bundle::message_bundle(&signature, &message.sha256(), &fingerprint);
    let statement = key
        .sign(to_sign::statement_to_sign(&provenance).bytes())
        .unwrap();
    let envelope = bundle::dsse_bundle(&provenance, &statement, &fingerprint);
    let contents = [
        export,
        detached::write(&signature).into_bytes(),
        message_bundle,
        provenance,
        envelope,
    ];
    DOCUMENTS
        .iter()
        .map(|path| (*path).to_owned())
        .zip(contents)
        .collect()
}

fn store(path: &str, content: &[u8]) -> (Vec<u8>, Option<CompressionEntry>) {
    if !path.ends_with(".zst") {
        return (content.to_vec(), None);
    }
    let mut compressor = FrameCompressor::new(3).unwrap();
    let mut out = Vec::new();
    if content.is_empty() {
        compressor.compress(content, &mut out).unwrap();
    }
    for frame in content.chunks(FRAME_BYTES) {
        compressor.compress(frame, &mut out).unwrap();
    }
    let algorithm = Algorithm::Zstd;
    (
        out,
        Some(CompressionEntry {
            algorithm,
            level: 3,
        }),
    )
}

/// The archive of members.
pub(crate) fn archive(members: &[Member]) -> Vec<u8> {
    let sizes: Vec<_> = members
        .iter()
        .map(|(path, content)| (path, content.len() as u64))
        .collect();
    let layout = ArchiveLayout::new(&sizes).unwrap();
    let mut out = Vec::new();
    for segment in layout.segments() {
        match segment {
            Segment::Header(bytes) => out.extend_from_slice(&bytes),
            Segment::Member { index, .. } => out.extend_from_slice(&members[index].1),
            Segment::Zeros(count) => out.resize(out.len() + count, 0),
        }
    }
    out
}
