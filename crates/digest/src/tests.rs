//! Against FIPS 180-4's examples and against the `sha2` crate.
#![allow(clippy::unwrap_used)] // These are tests.

use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::ContentHasher;

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Both ways, whichever of them `new` takes on this machine.
fn hashers() -> [ContentHasher; 2] {
    [ContentHasher::new(), ContentHasher::portable()]
}

#[test]
fn examples_of_the_standard() {
    // NIST, "Descriptions of SHA-256, SHA-384, and SHA-512": one block, two blocks.
    let long = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    let examples: [(&[u8], u32); 3] = [
        (b"", 0xe3b0_c442),
        (b"abc", 0xba78_16bf),
        (long, 0x248d_6a61),
    ];
    for mut hasher in hashers() {
        for (message, begin) in examples {
            let record = hasher.update_with_digest(message);
            assert_eq!(record[..4], begin.to_be_bytes());
        }
        let all: Vec<u8> = examples
            .iter()
            .flat_map(|(m, _)| m.iter().copied())
            .collect();
        assert_eq!(hasher.finalize(), sha256(&all));
    }
}

#[test]
fn every_length_after_every_rest() {
    let bytes: Vec<u8> = (0..400_u32)
        .map(|n| u8::try_from(n * 7 % 251).unwrap())
        .collect();
    for rest in 0..=130 {
        for length in 0..=200 {
            let (first, record) = (&bytes[..rest], &bytes[rest..rest + length]);
            for mut hasher in hashers() {
                hasher.update(first);
                assert_eq!(
                    hasher.update_with_digest(record),
                    sha256(record),
                    "{rest} {length}"
                );
                assert_eq!(
                    hasher.finalize(),
                    sha256(&bytes[..rest + length]),
                    "{rest} {length}"
                );
            }
        }
    }
}

proptest! {
    #[test]
    fn any_records_in_any_pieces(
        pieces in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..5_000)), 0..12)
    ) {
        for mut hasher in hashers() {
            let mut all = Vec::new();
            for (is_record, bytes) in &pieces {
                all.extend_from_slice(bytes);
                if *is_record {
                    prop_assert_eq!(hasher.update_with_digest(bytes), sha256(bytes));
                } else {
                    hasher.update(bytes);
                }
            }
            prop_assert_eq!(hasher.finalize(), sha256(&all));
        }
    }
}
