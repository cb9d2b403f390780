#![allow(clippy::unwrap_used)]
//! Small chunks, so that every bit and every cut of a file of several chunks can be tried.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::*;
use crate::{Keyring, Opener};

const CHUNK: usize = 4096;
const PATH: &str = "payload/x.enc";

fn sealed(size: usize) -> Vec<u8> {
    let key = DataKey::from_bytes(Zeroizing::new([1; 32]));
    let mut random = |bytes: &mut [u8]| {
        bytes.fill(3);
        Ok(())
    };
    let mut sealer = Sealer::aes_gcm_in_chunks(&key, PATH, CHUNK, &mut random).unwrap();
    let mut out = Vec::new();
    sealer.update(&vec![0x61; size], &mut out).unwrap();
    sealer.finish(&mut out).unwrap();
    out
}

fn keys() -> Arc<Keyring> {
    let key = DataKey::from_bytes(Zeroizing::new([1; 32]));
    Arc::new(Keyring::new().with_data_key(key))
}

/// What comes out, and whether the end was reached.
fn open(keys: &Arc<Keyring>, sealed: &[u8]) -> (usize, bool) {
    let mut opener = Opener::new(Arc::clone(keys), PATH);
    let mut out = Vec::new();
    let opened = opener
        .update(sealed, &mut out)
        .and_then(|()| opener.finish(&mut out));
    assert!(out.iter().all(|byte| *byte == 0x61));
    (out.len(), opened.is_ok())
}

#[test]
fn every_byte_of_three_chunks() {
    let keys = keys();
    for size in [2 * CHUNK + 1, 3 * CHUNK] {
        let mut file = sealed(size);
        assert_eq!(open(&keys, &file), (size, true));
        for place in 0..file.len() {
            let bit = 1 << (place % 8);
            file[place] ^= bit;
            let (out, is_whole) = open(&keys, &file);
            file[place] ^= bit;
            let good = place.saturating_sub(gcm::HEADER_BYTES) / (CHUNK + 16) * CHUNK;
            assert_eq!((out, is_whole), (good, false), "byte {place}");
        }
    }
}

#[test]
fn every_cut_of_three_chunks() {
    let keys = keys();
    let file = sealed(3 * CHUNK);
    for length in 0..file.len() {
        assert!(!open(&keys, &file[..length]).1, "{length}");
    }
}

#[test]
fn every_order_of_five_chunks() {
    let keys = keys();
    let file = sealed(4 * CHUNK + 5);
    let (header, chunks) = file.split_at(gcm::HEADER_BYTES);
    let chunks: Vec<&[u8]> = chunks.chunks(CHUNK + 16).collect();
    // All ways to put five chunks into five places, with repetition.
    for number in 0..5_u32.pow(5) {
        let order: Vec<usize> = (0..5)
            .map(|place| (number / 5_u32.pow(place) % 5) as usize)
            .collect();
        let moved: Vec<u8> = order.iter().flat_map(|n| chunks[*n]).copied().collect();
        let (_, is_whole) = open(&keys, &[header, &moved].concat());
        assert_eq!(is_whole, order == [0, 1, 2, 3, 4], "{order:?}");
    }
}
