//! How bytes are cut changes nothing, and little is held.

use std::io::{self, Read};
use std::sync::Arc;

use export_sealing::{GCM_CHUNK_BYTES, Identity, Keyring, OpenError, OpenReader, Opener, Sealer};
use proptest::prelude::*;

use crate::world::{
    PATH, content, counting, data_key, identity, open, recipients, seal_age, seal_gcm,
};

const AGE_CHUNK: usize = 64 * 1024;

fn keys() -> Arc<Keyring> {
    Arc::new(
        Keyring::new()
            .with_identities([identity(1)])
            .with_data_key(data_key()),
    )
}

fn age(identity: &Identity) -> Sealer {
    Sealer::age(&recipients(std::slice::from_ref(identity)), &mut counting()).unwrap()
}

fn gcm() -> Sealer {
    Sealer::aes_gcm(&data_key(), PATH, &mut counting()).unwrap()
}

/// `bytes` in pieces of these sizes, over and over.
fn cut<'a>(bytes: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = bytes;
    sizes.iter().cycle().map_while(move |size| {
        let (piece, later) = rest.split_at_checked(*size).unwrap_or((rest, &[]));
        rest = later;
        (!piece.is_empty() || !rest.is_empty()).then_some(piece)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_size_in_any_pieces(
        // Around full chunks of both formats.
        size in prop_oneof![
            0..300_usize,
            (1..4_usize, 0..3_usize).prop_map(|(n, off)| n * AGE_CHUNK + off - 1),
            (1..3_usize, 0..3_usize).prop_map(|(n, off)| n * GCM_CHUNK_BYTES + off - 1),
        ],
        sizes in prop::collection::vec(1_000..200_000_usize, 1..8),
        other_sizes in prop::collection::vec(1_000..200_000_usize, 1..8),
    ) {
        let plain = content(size);
        for (whole, mut sealer) in [
            (seal_age(&plain, &[identity(1)]), age(&identity(1))),
            (seal_gcm(&plain), gcm()),
        ] {
            let mut sealed = Vec::new();
            for piece in cut(&plain, &sizes) {
                sealer.update(piece, &mut sealed).unwrap();
            }
            sealer.finish(&mut sealed).unwrap();
            prop_assert!(sealed == whole);

            let mut opener = Opener::new(keys(), PATH);
            let mut opened = Vec::new();
            for piece in cut(&sealed, &other_sizes) {
                opener.update(piece, &mut opened).unwrap();
            }
            opener.finish(&mut opened).unwrap();
            prop_assert!(opened == plain);
        }
    }

    #[test]
    fn no_bytes_are_too_strange(
        start in prop::sample::select(vec![&b""[..], b"age-encryption.org/v1\n", b"export-center/sealed/v1\n\x01\0\x10\0\0"]),
        bytes in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let _ = open(&keys(), &[start, &bytes].concat()).unwrap_err();
        Identity::parse_file(&bytes).unwrap_err();
    }

    #[test]
    fn no_header_is_too_strange(lines in prop::collection::vec("(-> [ -~]{0,30}|--- ?[A-Za-z0-9+/=]{0,44}|[A-Za-z0-9+/]{0,65})", 0..12)) {
        let file = format!("age-encryption.org/v1\n{}\n", lines.join("\n"));
        open(&keys(), &[file.as_bytes(), &[0; 64]].concat()).unwrap_err();
    }
}

#[test]
fn byte_by_byte() {
    let plain = content(500);
    for sealed in [seal_age(&plain, &[identity(1)]), seal_gcm(&plain)] {
        let mut opener = Opener::new(keys(), PATH);
        let mut opened = Vec::new();
        for byte in &sealed {
            opener.update(&[*byte], &mut opened).unwrap();
        }
        assert!(opened.is_empty(), "the only chunk may not be whole");
        opener.finish(&mut opened).unwrap();
        assert_eq!(opened, plain);
    }
}

#[test]
fn only_one_chunk_is_held() {
    for (mut sealer, chunk) in [(age(&identity(1)), AGE_CHUNK), (gcm(), GCM_CHUNK_BYTES)] {
        let mut opener = Opener::new(keys(), PATH);
        let (mut given, mut came_out) = (0, 0);
        let (mut sealed, mut opened) = (Vec::new(), Vec::new());
        for _ in 0..100 {
            let piece = content(40_000);
            sealer.update(&piece, &mut sealed).unwrap();
            opener.update(&sealed, &mut opened).unwrap();
            sealed.clear();
            given += piece.len();
            came_out += opened.len();
            opened.clear();
            assert!(given - came_out <= 2 * chunk, "{given} {came_out}");
        }
    }
}

/// Gives few bytes at a time, and is interrupted now and then.
struct Slow<'a>(&'a [u8], usize);

impl Read for Slow<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.1 += 1;
        if self.1.is_multiple_of(3) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let count = into.len().min(self.0.len()).min(7_777);
        into[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

#[test]
fn readers() {
    let plain = content(3 * AGE_CHUNK + 5);
    for sealed in [
        seal_age(&plain, &[identity(1)]),
        seal_gcm(&plain),
        seal_gcm(b""),
    ] {
        let mut opened = Vec::new();
        let mut reader = OpenReader::new(Slow(&sealed, 0), keys(), PATH);
        reader.read_to_end(&mut opened).unwrap();
        assert!(opened == plain || opened.is_empty() && sealed.len() == 116);
        assert_eq!(
            reader.read(&mut [0; 8]).unwrap(),
            0,
            "the end stays the end"
        );
    }
}

#[test]
fn readers_fail_for_good() {
    let mut sealed = seal_age(&content(3 * AGE_CHUNK), &[identity(1)]);
    let last = sealed.len() - 1;
    sealed[last] ^= 1;
    let mut reader = OpenReader::new(&sealed[..], keys(), PATH);
    let mut opened = Vec::new();
    let error = reader.read_to_end(&mut opened).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let source = error.into_inner().unwrap().downcast::<OpenError>().unwrap();
    assert_eq!(source.path, PATH);
    assert!(opened.len() <= 2 * AGE_CHUNK && content(3 * AGE_CHUNK).starts_with(&opened));
    for _ in 0..2 {
        reader.read(&mut [0; 8]).unwrap_err();
    }
}
