//! Keys a second into a file, of the shape that a vulnerability database has: a bucket a package, with
//! one to five keys in it.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs::File;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use export_bolt::{Database, Options, Step, Writer};

const KEYS: usize = 1_000_000;

type Name = [u8; 30];

/// Packages with the number of their keys, and all keys one after the other.
fn names() -> (Vec<(Name, usize)>, Vec<Name>) {
    let mut packages = Vec::new();
    let mut keys = Vec::new();
    while keys.len() < KEYS {
        let package = packages.len();
        let count = (package * 7 % 5 + 1).min(KEYS - keys.len());
        let name = |what: &str, number: usize| {
            let name = format!("{what}-of-thirty-bytes-{number:010}");
            name.into_bytes().try_into().unwrap()
        };
        packages.push((name("pkg", package), count));
        keys.extend((0..count).map(|key| name("key", key)));
    }
    (packages, keys)
}

fn write(packages: &[(Name, usize)], keys: &[Name], value: &[u8], file: File) -> File {
    let mut writer = Writer::new(file, Options::default()).unwrap();
    writer.bucket(b"pip::advisories").unwrap();
    let mut keys = keys.iter();
    for (package, count) in packages {
        writer.bucket(package).unwrap();
        for key in keys.by_ref().take(*count) {
            writer.put(key, value).unwrap();
        }
        writer.leave().unwrap();
    }
    writer.leave().unwrap();
    writer.finish().unwrap().1
}

fn all(criterion: &mut Criterion) {
    let (packages, keys) = names();
    let value = [b'v'; 150];
    let mut group = criterion.benchmark_group("a million keys");
    group.throughput(Throughput::Elements(KEYS as u64));
    group.sample_size(10);
    group.bench_function("write", |bencher| {
        bencher.iter(|| write(&packages, &keys, &value, tempfile::tempfile().unwrap()));
    });
    let file = write(&packages, &keys, &value, tempfile::tempfile().unwrap());
    let database = Database::open(file).unwrap();
    group.bench_function("walk", |bencher| {
        bencher.iter(|| {
            let steps = database.walk().map(Result::unwrap);
            steps.filter(|step| matches!(step, Step::Key(_))).count()
        });
    });
    group.finish();
}

criterion_group!(benches, all);
criterion_main!(benches);
