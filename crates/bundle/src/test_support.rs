//! Bundles for tests: built from records as the service builds them, then tampered with.

pub(crate) mod mirror;

use std::collections::BTreeMap;
use std::io::Write as _;

use export_model::{
    InputHasher, Kind, PolicySnapshot, Position, ProfileConfig, ProfileKind, QuarantinedRecord,
    RecordedApproval, RunOptions, Selectors, Sha256Digest, Tenant, Timestamp,
};
use export_signing::{SigningKey, bundle, detached, to_sign};
use flate2::write::GzEncoder;
use serde_json::json;

use crate::archive::{ArchiveLayout, Segment};
use crate::frames::{FRAME_BYTES, FrameCompressor, libzstd_version};
use crate::manifest::{
    Algorithm, AsOfSection, CompressionEntry, Counts, DistributionEntry, FileEntry,
    MEDIA_TYPE_JSON, MEDIA_TYPE_JSON_LINES, MEDIA_TYPE_TAR, Manifest, ProfileSection, RecordRange,
    RunSection, SCHEMA, content_digest,
};
use crate::paths::DOCUMENTS;
use crate::payload::inputs::InputLine;
use crate::payload::snapshot::{SnapshotDocument, TraceFingerprint};
use crate::payload::{INPUTS, POLICY_SNAPSHOT, QUARANTINE, SUMMARY, layer_of, quarantine};
use crate::provenance::{Builder, ProvenanceInputs};

/// A member: path and content.
pub(crate) type Member = (String, Vec<u8>);

/// A record in canonical form, its place, and whether a guardrail left it out.
#[derive(Clone)]
pub(crate) struct Record {
    pub(crate) owner: &'static str,
    pub(crate) kind: Kind,
    pub(crate) position: Position,
    pub(crate) canonical: Vec<u8>,
    pub(crate) quarantined: bool,
}

/// The record number `number` of `kind`; `raw_bytes` says how long its content is.
pub(crate) fn record(kind: Kind, number: u32, raw_bytes: usize) -> Record {
    record_of("acme", kind, number, raw_bytes)
}

/// The same of another tenant than `acme`.
pub(crate) fn record_of(owner: &'static str, kind: Kind, number: u32, raw_bytes: usize) -> Record {
    let id = format!("{kind}_raw:test:{number:06}");
    let subject = format!("CVE-2026-{:06}", number / 2);
    let value = if kind == Kind::Finding {
        json!({
            "_id": id, "tenant": owner, "kind": "finding", "subject_key": subject,
            "decision_trace": [{"rule": "match", "result": "hit"}, {"number": number}],
            "status": "affected", "severity": {"normalized": "high"},
        })
    } else {
        let filler: String = (0..raw_bytes as u32)
            .map(|i| char::from(b'a' + (i.wrapping_mul(number + 7) >> 3 & 15) as u8))
            .collect();
        let raw = json!({"id": subject, "text": filler, "number": number});
        // serde_json sorts members, so this is the canonical form too.
        let hash = Sha256Digest::of(raw.to_string().as_bytes());
        json!({
            "_id": id, "tenant": owner, "kind": kind, "subject_key": subject,
            "source": {"vendor": "test", "stream": "unit"},
            "upstream": {"upstream_id": subject, "content_hash": hash},
            "content": {"format": "OSV", "raw": raw},
        })
    };
    Record {
        owner,
        kind,
        position: Position {
            subject_key: subject,
            id,
        },
        canonical: value.to_string().into_bytes(),
        quarantined: false,
    }
}

/// What a bundle is built from.
pub(crate) struct Sample {
    pub(crate) records: Vec<Record>,
    pub(crate) records_per_part: usize,
    pub(crate) kind: ProfileKind,
    /// Whose records it holds, in canonical order; empty for `acme`'s alone.
    pub(crate) owners: Vec<&'static str>,
}

impl Sample {
    /// Records of every kind, in several parts, one of them quarantined.
    pub(crate) fn policy() -> Self {
        let mut records = Vec::new();
        for (kind, count) in [
            (Kind::Advisory, 7),
            (Kind::Finding, 4),
            (Kind::Sbom, 1),
            (Kind::Vex, 3),
        ] {
            records.extend((0..count).map(|number| record(kind, number, 100)));
        }
        records[1].quarantined = true;
        // A part of which nothing is left.
        records[14].quarantined = true;
        Self {
            records,
            records_per_part: 2,
            kind: ProfileKind::JsonPolicy,
            owners: Vec::new(),
        }
    }

    /// Nothing at all.
    pub(crate) fn empty() -> Self {
        Self {
            records: Vec::new(),
            records_per_part: 10,
            kind: ProfileKind::JsonRaw,
            owners: Vec::new(),
        }
    }

    /// Raw advisories.
    pub(crate) fn raw(count: u32, raw_bytes: usize, records_per_part: usize) -> Self {
        Self {
            records: (0..count)
                .map(|n| record(Kind::Advisory, n, raw_bytes))
                .collect(),
            records_per_part,
            kind: ProfileKind::JsonRaw,
            owners: Vec::new(),
        }
    }

    /// Raw records of three tenants, in several parts, some of them quarantined. The names are such
    /// that folders sort otherwise than tenants.
    pub(crate) fn across() -> Self {
        let owners = vec!["acme", "acme-eu", "globex"];
        let mut records = Vec::new();
        for owner in &owners {
            for (kind, count) in [(Kind::Advisory, 5), (Kind::Vex, 2)] {
                records.extend((0..count).map(|number| record_of(owner, kind, number, 60)));
            }
        }
        records[1].quarantined = true;
        records[9].quarantined = true;
        Self {
            records,
            records_per_part: 2,
            kind: ProfileKind::JsonRaw,
            owners,
        }
    }

    /// Records that were assembled: the payload is a layer, and none of them is in it as it came.
    pub(crate) fn assembled(kind: ProfileKind) -> Self {
        let mut records: Vec<_> = kind
            .kinds()
            .iter()
            .flat_map(|kind| (0..5).map(|number| record(*kind, number, 100)))
            .collect();
        records[1].quarantined = true;
        Self {
            records,
            records_per_part: 2,
            kind,
            owners: Vec::new(),
        }
    }

    fn selectors(&self) -> Selectors {
        let owners: Vec<_> = self
            .owners
            .iter()
            .map(|owner| (*owner).to_owned())
            .collect();
        Selectors {
            tenants: (!owners.is_empty()).then_some(owners),
            ..Selectors::default()
        }
    }

    /// The bundle, signed by `key`.
    pub(crate) fn members(&self, key: &SigningKey) -> Vec<Member> {
        self.members_with(key, |_| {})
    }

    /// The bundle, whose manifest `edit` changes before it is signed.
    pub(crate) fn members_with(
        &self,
        key: &SigningKey,
        edit: impl FnOnce(&mut Manifest),
    ) -> Vec<Member> {
        let mut payload = Payload::default();
        payload.fill(self);
        let Payload { files, counts, .. } = &payload;
        let mut manifest = Manifest {
            schema: SCHEMA.into(),
            run: RunSection {
                id: "0192f000-0000-7000-8000-000000000001".parse().unwrap(),
                tenant: "acme".parse().unwrap(),
                profile_id: self.kind.to_string(),
                profile_revision: 1,
                requested_by: "test".into(),
                submitted_at: Timestamp(1_793_000_000_000),
                as_of: AsOfSection { watermark: 42 },
            },
            profile: ProfileSection {
                name: self.kind.to_string(),
                kind: self.kind,
                variant: self.kind.adapter_and_variant().1.into(),
                config: ProfileConfig::default(),
            },
            selectors: self.selectors(),
            counts: counts.clone(),
            tree_digest: None,
            base: None,
            result_tree_digest: None,
            sealed: None,
            content_digest: content_digest(files),
            files: files.clone(),
            distributions: vec![DistributionEntry {
                kind: "http".into(),
                location: String::new(),
            }],
        };
        mirror::state(&mut manifest, self);
        edit(&mut manifest);
        let mut members = documents(&manifest, key);
        members.append(&mut payload.members);
        members
    }
}

/// The five documents of a manifest.
pub(crate) fn documents(manifest: &Manifest, key: &SigningKey) -> Vec<Member> {
    let export = manifest.to_bytes().unwrap();
    let fingerprint = key.public_key().fingerprint();
    let provenance = ProvenanceInputs {
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
        approvals: approvals(manifest),
        adapter: ("json".into(), "1".into()),
        exporter_version: "0.1.0".into(),
        compression_level: 3,
        libzstd_version: libzstd_version().into(),
        started_at: Timestamp(1_793_000_000_000),
        finished_at: Timestamp(1_793_000_001_000),
        watermark: 42,
        sources: Vec::new(),
        sealing: None,
        base: None,
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

/// An approval of every tenant but the run's own.
fn approvals(manifest: &Manifest) -> Vec<RecordedApproval> {
    let owners = manifest.selectors.tenants.iter().flatten();
    owners
        .filter(|owner| **owner != *manifest.run.tenant.as_str())
        .map(|owner| RecordedApproval {
            grantor: owner.parse().unwrap(),
            nonce: "1".into(),
            once: false,
            expires_at: Timestamp(0),
            key_fingerprint: String::new(),
            sha256: Sha256Digest::of(owner.as_bytes()),
            envelope: json!({}),
        })
        .collect()
}

#[derive(Default)]
struct Payload {
    members: Vec<Member>,
    files: Vec<FileEntry>,
    counts: Counts,
}

impl Payload {
    fn fill(&mut self, sample: &Sample) {
        let mut inputs = Vec::new();
        let mut left_out = Vec::new();
        let mut traces = TraceFingerprint::default();
        let mut parts = 0;
        let tenants: Vec<Option<Tenant>> = match sample.owners.as_slice() {
            [] => vec![None],
            owners => owners.iter().map(|owner| owner.parse().ok()).collect(),
        };
        for tenant in tenants.iter().flatten() {
            self.counts.by_tenant.insert(tenant.clone(), 0);
        }
        let groups = tenants
            .iter()
            .flat_map(|tenant| Kind::ALL.map(|kind| (tenant, kind)));
        for (tenant, kind) in groups {
            let of = |record: &&Record| {
                let owner = tenant.as_ref().map_or("acme", Tenant::as_str);
                record.kind == kind && record.owner == owner
            };
            let records: Vec<_> = sample.records.iter().filter(of).collect();
            for (ordinal, part) in records.chunks(sample.records_per_part).enumerate() {
                let folder = match tenant {
                    Some(tenant) => format!("{tenant}/{kind}"),
                    None => kind.to_string(),
                };
                let path = if sample.kind.is_mirror() {
                    format!("payload/layers/{kind}-{ordinal:05}.tar")
                } else {
                    format!("payload/{folder}/part-{ordinal:05}.jsonl")
                };
                let (bad, good): (Vec<&Record>, Vec<&Record>) =
                    part.iter().partition(|record| record.quarantined);
                let mut hasher = InputHasher::default();
                for record in part {
                    hasher.add(&record.position.id, &Sha256Digest::of(&record.canonical));
                }
                for record in &bad {
                    left_out.extend(
                        quarantine::to_line(&QuarantinedRecord {
                            id: record.position.id.clone(),
                            code: "ERR_AOC_DERIVED_FIELD".into(),
                            detail: "`severity`".into(),
                            kind,
                            record_sha256: Sha256Digest::of(&record.canonical),
                            subject_key: record.position.subject_key.clone(),
                            tenant: tenant.clone(),
                        })
                        .unwrap(),
                    );
                    *self
                        .counts
                        .quarantined
                        .entry("ERR_AOC_DERIVED_FIELD".into())
                        .or_default() += 1;
                }
                for record in &good {
                    if kind == Kind::Finding {
                        let trace = export_canonical::record::member_path(
                            &record.canonical,
                            &["decision_trace"],
                        )
                        .unwrap();
                        traces.add(
                            &record.position.id,
                            &TraceFingerprint::trace_digest(trace).unwrap(),
                        );
                    }
                }
                inputs.extend(
                    InputLine {
                        bytes: part.iter().map(|r| r.canonical.len() as u64).sum(),
                        file: (!good.is_empty() && !sample.kind.is_assembled())
                            .then(|| path.clone()),
                        first: (&part[0].position).into(),
                        hash: hasher.finish(),
                        kind,
                        last: (&part[part.len() - 1].position).into(),
                        part: parts,
                        quarantined: bad.len() as u64,
                        records: part.len() as u64,
                        tenant: tenant.clone(),
                    }
                    .to_line()
                    .unwrap(),
                );
                parts += 1;
                if good.is_empty() {
                    continue;
                }
                self.counts.records += good.len() as u64;
                *self.counts.by_kind.entry(kind).or_default() += good.len() as u64;
                if let Some(tenant) = tenant {
                    *self.counts.by_tenant.entry(tenant.clone()).or_default() += good.len() as u64;
                }
                if sample.kind.is_assembled() {
                    continue;
                }
                let (content, media_type) = if sample.kind.is_mirror() {
                    (mirror::layer_of(&good), MEDIA_TYPE_TAR)
                } else {
                    let lines = good.iter().flat_map(|r| [&r.canonical[..], b"\n"].concat());
                    (lines.collect(), MEDIA_TYPE_JSON_LINES)
                };
                let mut entry = self.add(&format!("{path}.zst"), &content, media_type);
                entry.records = Some(good.len() as u64);
                entry.quarantined = (!bad.is_empty()).then_some(bad.len() as u64);
                entry.range = Some(RecordRange {
                    first: good[0].position.id.clone(),
                    last: good[good.len() - 1].position.id.clone(),
                });
                self.files.push(entry);
            }
        }
        self.lists(sample);
        if let Some((layer, media_type)) = layer_of(sample.kind) {
            // What is in it is its reader's business.
            let content: Vec<u8> = (0..50_000_u32).flat_map(u32::to_le_bytes).collect();
            let entry = self.add(layer, &content, media_type);
            self.files.push(entry);
            let entry = self.add(SUMMARY, b"{\"advisories\":1}", MEDIA_TYPE_JSON);
            self.files.push(entry);
        }
        let entry = self.add(INPUTS, &inputs, MEDIA_TYPE_JSON_LINES);
        self.files.push(entry);
        if !left_out.is_empty() {
            let entry = self.add(QUARANTINE, &left_out, MEDIA_TYPE_JSON_LINES);
            self.files.push(entry);
        }
        if sample.kind.needs_policy() {
            let snapshot = PolicySnapshot {
                created_at: Timestamp(1_792_000_000_000),
                inputs_hash: Sha256Digest::of(b"inputs"),
                name: "baseline".into(),
                policy_snapshot_id: "policy-1".into(),
                policy_version: "7".into(),
                tenant: "acme".parse().unwrap(),
            };
            let bytes = SnapshotDocument::new(&snapshot, traces).to_bytes().unwrap();
            let entry = self.add(POLICY_SNAPSHOT, &bytes, MEDIA_TYPE_JSON);
            self.files.push(entry);
        }
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        self.members.sort_by(|a, b| a.0.cmp(&b.0));
    }

    fn add(&mut self, path: &str, content: &[u8], media_type: &str) -> FileEntry {
        let (stored, compression) = store(path, content);
        let entry = FileEntry {
            path: path.to_owned(),
            size: stored.len() as u64,
            sha256: Sha256Digest::of(&stored),
            content_size: content.len() as u64,
            content_sha256: Sha256Digest::of(content),
            media_type: media_type.to_owned(),
            compression,
            records: None,
            range: None,
            quarantined: None,
        };
        self.members.push((path.to_owned(), stored));
        entry
    }
}

/// Content as a file of that name is stored, and how it is compressed.
fn store(path: &str, content: &[u8]) -> (Vec<u8>, Option<CompressionEntry>) {
    if path.ends_with(".zst") {
        let (algorithm, level) = (Algorithm::Zstd, 3);
        (
            compress(content),
            Some(CompressionEntry { algorithm, level }),
        )
    } else if path.ends_with(".gz") {
        let (algorithm, level) = (Algorithm::Gzip, 6);
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::new(6));
        encoder.write_all(content).unwrap();
        let stored = encoder.finish().unwrap();
        (stored, Some(CompressionEntry { algorithm, level }))
    } else {
        (content.to_vec(), None)
    }
}

/// Content in frames, as the adapter writes it.
pub(crate) fn compress(content: &[u8]) -> Vec<u8> {
    let mut compressor = FrameCompressor::new(3).unwrap();
    let mut out = Vec::new();
    if content.is_empty() {
        compressor.compress(content, &mut out).unwrap();
    }
    for frame in content.chunks(FRAME_BYTES) {
        compressor.compress(frame, &mut out).unwrap();
    }
    out
}

/// Replaces a payload file's content, and what a manifest says of it.
pub(crate) fn replace_content(
    manifest: &mut Manifest,
    members: &mut [Member],
    path: &str,
    content: &[u8],
) {
    let (stored, _) = store(path, content);
    let entry = manifest
        .files
        .iter_mut()
        .find(|file| file.path == path)
        .unwrap();
    entry.size = stored.len() as u64;
    entry.sha256 = Sha256Digest::of(&stored);
    entry.content_size = content.len() as u64;
    entry.content_sha256 = Sha256Digest::of(content);
    manifest.content_digest = content_digest(&manifest.files);
    members.iter_mut().find(|(own, _)| own == path).unwrap().1 = stored;
}

/// The archive of members that are in order.
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

/// The archive of members in whatever order they are given, each as a writer of ours would put it.
pub(crate) fn archive_as_given(members: &[Member]) -> Vec<u8> {
    let mut out = Vec::new();
    for member in members {
        let one = archive(std::slice::from_ref(member));
        out.extend_from_slice(&one[..one.len() - 1024]);
    }
    out.resize(out.len() + 1024, 0);
    out
}

/// Members by path.
pub(crate) fn by_path(members: &[Member]) -> BTreeMap<&str, &[u8]> {
    members
        .iter()
        .map(|(path, content)| (path.as_str(), content.as_slice()))
        .collect()
}
