//! Everything that can be done to a sealed file between its writer and its reader. None of it is accepted, and of a bad
//! chunk nothing comes out.

use std::sync::Arc;

use export_sealing::{GCM_CHUNK_BYTES, Keyring, MAX_HEADER_BYTES, OpenErrorKind, Opener, Sealer};

use crate::world::{
    PATH, content, counting, data_key, from, holding, holding_data_key, identity, open, open_at,
    other_data_key, seal, seal_age, seal_gcm,
};

const TAG: usize = 16;
const AGE_CHUNK: usize = 64 * 1024;
const GCM_HEADER: usize = 100;

/// A format: how files of it are sealed and opened.
struct Format {
    name: &'static str,
    seal: fn(&[u8]) -> Vec<u8>,
    /// The same with another key of the file.
    seal_again: fn(&[u8]) -> Vec<u8>,
    keys: Arc<Keyring>,
    chunk: usize,
}

fn formats() -> [Format; 2] {
    [
        Format {
            name: "age",
            seal: |plain| seal_age(plain, &[identity(1)]),
            seal_again: |plain| {
                let to = [identity(1).recipient().clone()];
                seal(Sealer::age(&to, &mut from(50)).unwrap(), plain)
            },
            keys: holding(&[identity(1)]),
            chunk: AGE_CHUNK,
        },
        Format {
            name: "aes-gcm",
            seal: seal_gcm,
            seal_again: |plain| {
                seal(
                    Sealer::aes_gcm(&data_key(), PATH, &mut from(50)).unwrap(),
                    plain,
                )
            },
            keys: holding_data_key(),
            chunk: GCM_CHUNK_BYTES,
        },
    ]
}

impl Format {
    fn refuses(&self, sealed: &[u8], what: &str) -> OpenErrorKind {
        match open(&self.keys, sealed) {
            Ok(_) => panic!("{}: {what} was accepted", self.name),
            Err(kind) => kind,
        }
    }

    /// A file of `chunks` full chunks and 10 bytes; its header and its sealed chunks.
    fn in_chunks(&self, chunks: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
        let sealed = (self.seal)(&content(self.chunk * chunks + 10));
        let header = sealed.len() - chunks * (self.chunk + TAG) - 10 - TAG;
        let (header, rest) = sealed.split_at(header);
        let chunks = rest.chunks(self.chunk + TAG).map(<[u8]>::to_vec).collect();
        (header.to_vec(), chunks)
    }
}

#[test]
fn every_flipped_bit_of_a_small_file() {
    for format in formats() {
        let sealed = (format.seal)(&content(300));
        for place in 0..sealed.len() {
            for bit in 0..8 {
                let mut altered = sealed.clone();
                altered[place] ^= 1 << bit;
                let (out, opened) = open_at(&format.keys, PATH, &altered);
                assert!(opened.is_err(), "{}: byte {place}, bit {bit}", format.name);
                assert!(out.is_empty(), "{}: byte {place}, bit {bit}", format.name);
            }
        }
    }
}

#[test]
fn every_cut_of_a_small_file() {
    for format in formats() {
        for size in [0, 300] {
            let sealed = (format.seal)(&content(size));
            for length in 0..sealed.len() {
                format.refuses(
                    &sealed[..length],
                    &format!("{length} of {} bytes", sealed.len()),
                );
            }
            for more in [&[0][..], b"\n", &sealed, &[0; TAG]] {
                format.refuses(&[&sealed, more].concat(), "more after the end");
            }
        }
    }
}

#[test]
fn a_byte_in_each_chunk() {
    for format in formats() {
        let (header, chunks) = format.in_chunks(3);
        for bad in 0..chunks.len() {
            for place in [0, chunks[bad].len() / 2, chunks[bad].len() - 1] {
                let mut altered = chunks.clone();
                altered[bad][place] ^= 0x80;
                let sealed = [&header[..], &altered.concat()].concat();
                let (out, opened) = open_at(&format.keys, PATH, &sealed);
                let kind = opened.unwrap_err().kind;
                assert!(
                    matches!(kind, OpenErrorKind::Altered { chunk } if chunk == bad as u64),
                    "{}: {kind}",
                    format.name
                );
                // What came before, and nothing of the bad one.
                assert!(out == content(bad * format.chunk), "{}", format.name);
            }
        }
    }
}

#[test]
fn chunks_in_another_order() {
    for format in formats() {
        let (header, chunks) = format.in_chunks(3);
        let numbers: Vec<Vec<usize>> = vec![
            vec![1, 0, 2, 3],
            vec![0, 2, 1, 3],
            vec![0, 1, 3, 2],
            vec![3, 0, 1, 2],
            vec![0, 0, 1, 2, 3],
            vec![0, 1, 1, 2, 3],
            vec![0, 1, 2, 3, 3],
            vec![1, 2, 3],
            vec![0, 2, 3],
            vec![0, 1, 3],
            vec![3],
        ];
        for order in numbers {
            let moved: Vec<u8> = order.iter().flat_map(|n| chunks[*n].clone()).collect();
            format.refuses(&[&header[..], &moved].concat(), &format!("{order:?}"));
        }
        // The same, as they were.
        let whole = [&header[..], &chunks.concat()].concat();
        assert!(open(&format.keys, &whole).unwrap() == content(3 * format.chunk + 10));
    }
}

#[test]
fn ends_are_told_from_alterations() {
    for format in formats() {
        let (header, chunks) = format.in_chunks(2);
        let all = [&header[..], &chunks.concat()].concat();
        let whole = header.len() + 2 * (format.chunk + TAG);
        let kind = format.refuses(&all[..whole], "a cut between chunks");
        assert!(matches!(kind, OpenErrorKind::Cut { chunk: 1 }), "{kind:?}");
        let kind = format.refuses(&all[..whole + TAG - 1], "a cut in a tag");
        assert!(matches!(kind, OpenErrorKind::Cut { chunk: 2 }), "{kind:?}");
        // A file that ends with a full chunk, and more.
        let full = (format.seal)(&content(format.chunk));
        let kind = format.refuses(&[&full[..], b"x"].concat(), "more");
        assert!(
            matches!(kind, OpenErrorKind::Appended { chunk: 0 }),
            "{kind:?}"
        );
    }
}

#[test]
fn chunks_and_headers_of_another_file() {
    for format in formats() {
        let (header, chunks) = format.in_chunks(1);
        let other = (format.seal_again)(&content(format.chunk + 10));
        let (other_header, other_chunks) = other.split_at(header.len());
        format.refuses(&[&header[..], other_chunks].concat(), "another's chunks");
        format.refuses(
            &[other_header, &chunks.concat()].concat(),
            "another's header",
        );
        let second = &other_chunks[format.chunk + TAG..];
        format.refuses(&[&header[..], &chunks[0], second].concat(), "another's end");
    }
}

#[test]
fn another_path() {
    let sealed = seal_gcm(&content(300));
    let (out, opened) = open_at(
        &holding_data_key(),
        "payload/advisory/part-00001.jsonl.zst.enc",
        &sealed,
    );
    let error = opened.unwrap_err();
    assert!(
        matches!(error.kind, OpenErrorKind::Altered { chunk: 0 }),
        "{error:?}"
    );
    assert!(out.is_empty());
}

#[test]
fn other_keys_and_none() {
    let text = |keys: Keyring, sealed: &[u8]| {
        let kind = open(&Arc::new(keys), sealed).unwrap_err();
        assert!(
            matches!(
                kind,
                OpenErrorKind::WrongKey { .. } | OpenErrorKind::NoKey { .. }
            ),
            "{kind:?}"
        );
        kind.to_string()
    };
    let (age, gcm) = (seal_age(b"x", &[identity(1)]), seal_gcm(b"x"));
    let others = || Keyring::new().with_identities([identity(2), identity(3)]);
    assert_eq!(text(Keyring::new(), &age), "no age identity was given");
    assert!(text(others(), &age).contains("each age identity of the 2"));
    assert!(text(others(), &gcm).contains("no data key"));
    let other = || Keyring::new().with_data_key(other_data_key());
    assert!(text(other(), &gcm).contains("the data key that was given"));
    assert!(text(other(), &age).contains("no age identity"));
    assert!(text(Keyring::new(), &gcm).contains("no data key"));
    // Among others, the right one.
    let all = others().with_identities([identity(1)]);
    let all = Arc::new(
        all.with_data_key(other_data_key())
            .with_data_key(data_key()),
    );
    assert_eq!(open(&all, &age).unwrap(), b"x");
    assert_eq!(open(&all, &gcm).unwrap(), b"x");
}

#[test]
fn headers_without_an_end() {
    let keys = holding(&[identity(1)]);
    let magic = b"age-encryption.org/v1\n";
    let stanza = b"-> x\n\n";
    for filling in [
        &b"-> X25519 a\nAAAA\n"[..],
        stanza,
        b"a",
        b"\n",
        b"-> x\nAAAA",
    ] {
        let huge = [&magic[..], &filling.repeat(MAX_HEADER_BYTES)].concat();
        let kind = open(&keys, &huge).unwrap_err();
        assert!(
            matches!(kind, OpenErrorKind::HeaderTooLarge { .. }),
            "{kind:?}"
        );
        // Byte by byte it is refused as soon, and what was given is not kept.
        let mut opener = Opener::new(Arc::clone(&keys), PATH);
        let mut out = Vec::new();
        let failed = huge
            .iter()
            .position(|byte| opener.update(&[*byte], &mut out).is_err());
        assert_eq!(failed, Some(MAX_HEADER_BYTES), "counted from 0");
    }
    // As large as is read: a header whose recipients are all somebody else's.
    let others = stanza.repeat((MAX_HEADER_BYTES - magic.len() - 48) / stanza.len());
    let end = [&b"--- "[..], &b"A".repeat(43), b"\n"].concat();
    let large = [&magic[..], &others, &end, &[0; 32]].concat();
    let kind = open(&keys, &large).unwrap_err();
    assert!(matches!(kind, OpenErrorKind::WrongKey { .. }), "{kind:?}");
}

#[test]
fn headers_that_are_none() {
    let mut small_chunks = seal_gcm(b"x");
    small_chunks[25..29].copy_from_slice(&2048_u32.to_be_bytes());
    let mut large_chunks = seal_gcm(b"x");
    large_chunks[25..29].copy_from_slice(&(2_u32 << 20).to_be_bytes());
    let mut algorithm = seal_gcm(b"x");
    algorithm[24] = 2;
    for (sealed, says) in [
        (&b""[..], "it is not sealed"),
        (b"{}", "it is not sealed"),
        (&[0x28, 0xb5, 0x2f, 0xfd], "it is not sealed"),
        (b"age-encryption.org/v2\n", "another version"),
        (b"export-center/sealed/v2\n", "a newer version"),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\n", "ASCII armour"),
        (b"-----BEGIN", "the file ends in it"),
        (b"age-encryption.org/v1\n-> X25519", "the file ends in it"),
        (&seal_gcm(b"")[..GCM_HEADER - 1], "the file ends in it"),
        (&seal_gcm(b"")[..GCM_HEADER], "its end is missing"),
        (&small_chunks, "chunk size"),
        (&large_chunks, "chunk size"),
        (&algorithm, "algorithm"),
    ] {
        for pieces in [1, usize::MAX] {
            let mut opener = Opener::new(holding_data_key(), PATH);
            let mut out = Vec::new();
            let mut given = sealed.chunks(pieces.min(sealed.len().max(1)));
            let opened = given.try_for_each(|piece| opener.update(piece, &mut out));
            let error = opened.and_then(|()| opener.finish(&mut out)).unwrap_err();
            assert!(error.kind.to_string().contains(says), "{}", error.kind);
        }
    }
}

#[test]
fn an_opener_that_failed_stays_so() {
    let mut sealed = seal_age(&content(2 * AGE_CHUNK), &[identity(1)]);
    sealed[300] ^= 1;
    let mut opener = Opener::new(holding(&[identity(1)]), PATH);
    let mut out = Vec::new();
    opener.update(&sealed, &mut out).unwrap_err();
    for _ in 0..2 {
        let error = opener.update(b"x", &mut out).unwrap_err();
        assert!(matches!(error.kind, OpenErrorKind::FailedBefore));
    }
    opener.finish(&mut out).unwrap_err();
    assert!(out.is_empty());
}

#[test]
fn nobody_can_be_sealed_to() {
    use export_sealing::{MAX_RECIPIENTS, SealError};
    let to = |count| vec![identity(1).recipient().clone(); count];
    let refused = |count| Sealer::age(&to(count), &mut counting()).err().unwrap();
    assert!(matches!(refused(0), SealError::NoRecipients));
    assert!(matches!(
        refused(MAX_RECIPIENTS + 1),
        SealError::TooManyRecipients { count: 129 }
    ));
    let most = seal(
        Sealer::age(&to(MAX_RECIPIENTS), &mut counting()).unwrap(),
        b"x",
    );
    assert_eq!(open(&holding(&[identity(1)]), &most).unwrap(), b"x");
    // Without random bytes there is no file.
    let mut none = |_: &mut [u8]| Err("no entropy".into());
    assert!(matches!(
        Sealer::age(&to(1), &mut none),
        Err(SealError::Random(_))
    ));
    assert!(matches!(
        Sealer::aes_gcm(&data_key(), PATH, &mut none),
        Err(SealError::Random(_))
    ));
}
