//! A stream of records with all its digests, against `sha2` twice over the same bytes.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use export_digest::ContentHasher;

fn all(criterion: &mut Criterion) {
    // 8 MiB, more than the nearest caches hold, of records of the usual size.
    let bytes: Vec<u8> = (0..8_u32 << 20)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let mut group = criterion.benchmark_group("content and record digests");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    for (name, new) in [
        ("in lockstep", ContentHasher::new as fn() -> ContentHasher),
        ("sha2 twice", ContentHasher::portable),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut hasher = new();
                for record in bytes.chunks(3_248) {
                    std::hint::black_box(hasher.update_with_digest(record));
                    hasher.update(b"\n");
                }
                hasher.finalize()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, all);
criterion_main!(benches);
