//! What a mirror's formats cost for each document: paths, lines, terms, indexes, layers.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use export_mirror::index::{Index, IndexBuilder};
use export_mirror::layer::{self, DocumentReader};
use export_mirror::listing::{ListingHasher, ListingReader, write_line};
use export_mirror::path::DocumentPath;
use export_mirror::terms::Record;
use export_model::{Kind, Sha256Digest, Tenant};

const DOCUMENTS: u64 = 20_000;

type Place = (Kind, String, String, Sha256Digest, u64);

fn places(documents: &[Vec<u8>]) -> Vec<Place> {
    let mut places: Vec<Place> = documents
        .iter()
        .map(|bytes| {
            let record = Record::read(bytes).unwrap();
            (
                record.kind,
                record.subject_key.into_owned(),
                record.id.into_owned(),
                Sha256Digest::of(bytes),
                bytes.len() as u64,
            )
        })
        .collect();
    places.sort();
    places
}

fn lines(places: &[Place]) -> Vec<u8> {
    let mut out = Vec::new();
    for (kind, subject_key, id, sha256, size) in places {
        write_line(&mut out, *kind, subject_key, id, sha256, *size);
    }
    out
}

fn archive(documents: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for bytes in documents {
        let record = Record::read(bytes).unwrap();
        let path = DocumentPath::of(record.kind, &record.id);
        let size = bytes.len() as u64;
        out.extend_from_slice(&layer::header(path.as_str(), size).unwrap());
        out.extend_from_slice(bytes);
        out.extend_from_slice(layer::padding(size));
    }
    out.extend_from_slice(&layer::END);
    out
}

fn mirror(c: &mut Criterion) {
    let tenant: Tenant = "acme".parse().unwrap();
    let documents: Vec<Vec<u8>> =
        export_intake::generate::generate(DOCUMENTS, 1, &tenant).collect();
    let places = places(&documents);
    let listing = lines(&places);
    let scratch = tempfile::tempdir().unwrap();

    let mut group = c.benchmark_group("documents");
    group
        .sample_size(20)
        .throughput(Throughput::Elements(DOCUMENTS));
    group.bench_function("path", |b| {
        b.iter(|| {
            for (kind, _, id, ..) in &places {
                black_box(DocumentPath::of(*kind, id));
            }
        });
    });
    group.bench_function("write_line", |b| b.iter(|| lines(&places)));
    group.bench_function("read listing", |b| {
        b.iter(|| {
            let mut reader = ListingReader::new(listing.as_slice());
            while let Some(entry) = reader.next().unwrap() {
                black_box(entry);
            }
        });
    });
    group.bench_function("hash listing", |b| {
        b.iter(|| {
            let mut hasher = ListingHasher::default();
            for (line, place) in listing.split_inclusive(|byte| *byte == b'\n').zip(&places) {
                hasher.add(place.0, place.4, line);
            }
            hasher.finish()
        });
    });
    group.bench_function("build indexes", |b| {
        b.iter(|| {
            let scratch = scratch.path();
            let mut builder = IndexBuilder::new(&Index::ALL, scratch.to_owned(), 64 << 20);
            for bytes in &documents {
                builder.push(&Record::read(bytes).unwrap()).unwrap();
            }
            builder.write_run(&mut std::io::sink()).unwrap()
        });
    });
    group.finish();

    let layer = archive(&documents);
    let mut group = c.benchmark_group("bytes");
    group
        .sample_size(20)
        .throughput(Throughput::Bytes(layer.len() as u64));
    group.bench_function("write layer", |b| b.iter(|| archive(&documents)));
    group.bench_function("read layer", |b| {
        b.iter(|| {
            let mut reader = DocumentReader::new(layer.as_slice(), layer.len() as u64);
            while let Some(document) = reader.next().unwrap() {
                black_box(document.bytes);
            }
        });
    });
    group.bench_function("terms", |b| {
        b.iter(|| {
            let mut terms = 0_u64;
            for bytes in &documents {
                let record = Record::read(bytes).unwrap();
                for index in Index::ALL {
                    record.terms(index, &mut |_| terms += 1);
                }
            }
            terms
        });
    });
    group.finish();
}

criterion_group!(benches, mirror);
criterion_main!(benches);
