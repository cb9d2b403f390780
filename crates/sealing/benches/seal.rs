//! Sealing and opening, against SHA-256 over the same bytes, which every payload pays anyway.
#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use export_sealing::{DataKey, Identity, Keyring, Opener, Sealer};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// What a compressed frame of 8 MiB is about.
const PIECE: usize = 1 << 20;

fn all(criterion: &mut Criterion) {
    let plain: Vec<u8> = (0..32_u32 << 20)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let random = || {
        |bytes: &mut [u8]| {
            bytes.fill(7);
            Ok(())
        }
    };
    let key = || DataKey::from_bytes(Zeroizing::new([1; 32]));
    let identity = Identity::generate(&mut random()).unwrap();
    let recipients = [identity.recipient().clone()];
    let keys = Keyring::new()
        .with_identities([identity])
        .with_data_key(key());
    let keys = Arc::new(keys);
    let sealed = |mut sealer: Sealer, out: &mut Vec<u8>| {
        out.clear();
        for piece in plain.chunks(PIECE) {
            sealer.update(piece, out).unwrap();
        }
        sealer.finish(out).unwrap();
    };
    let mut out = Vec::with_capacity(plain.len() + (1 << 20));

    let mut group = criterion.benchmark_group("sealing");
    group.sample_size(20);
    group.throughput(Throughput::Bytes(plain.len() as u64));
    group.bench_function("sha256", |bencher| bencher.iter(|| Sha256::digest(&plain)));
    let age = || Sealer::age(&recipients, &mut random()).unwrap();
    let gcm = || Sealer::aes_gcm(&key(), "payload/x.enc", &mut random()).unwrap();
    group.bench_function("age seal", |bencher| {
        bencher.iter(|| sealed(age(), &mut out));
    });
    let age_file = out.clone();
    group.bench_function("aes-gcm seal", |bencher| {
        bencher.iter(|| sealed(gcm(), &mut out));
    });
    let gcm_file = out.clone();
    for (name, file) in [("age open", age_file), ("aes-gcm open", gcm_file)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                let mut opener = Opener::new(Arc::clone(&keys), "payload/x.enc");
                for piece in file.chunks(PIECE) {
                    opener.update(piece, &mut out).unwrap();
                }
                opener.finish(&mut out).unwrap();
            });
        });
    }
    group.finish();
}

criterion_group!(benches, all);
criterion_main!(benches);
