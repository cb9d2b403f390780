//! What is refused, and what a sink that fails leaves.

use std::io::{self, Cursor, Seek, SeekFrom, Write};

use export_bolt::{Database, MAX_KEY, Options, ReadError, WriteError, Writer};

use crate::tree::{self, Node};

fn writer() -> Writer<Cursor<Vec<u8>>> {
    Writer::new(Cursor::new(Vec::new()), Options::default()).unwrap()
}

#[test]
fn sizes_that_pages_cannot_have() {
    for page_size in [0, 1, 256, 513, 4095, 131_072, u32::MAX] {
        let refused = Writer::new(Cursor::new(Vec::new()), Options { page_size });
        assert!(matches!(refused, Err(WriteError::PageSize(size)) if size == page_size));
    }
}

#[test]
fn what_is_refused_leaves_the_writer_as_it_was() {
    let mut writer = writer();
    assert!(matches!(writer.put(b"a", b""), Err(WriteError::KeyInRoot)));
    assert!(matches!(writer.leave(), Err(WriteError::NoBucket)));
    assert!(matches!(writer.set_sequence(1), Err(WriteError::NoBucket)));
    assert!(matches!(writer.bucket(b""), Err(WriteError::EmptyKey)));
    writer.bucket(b"m").unwrap();
    writer.put(b"b", b"1").unwrap();
    assert!(matches!(writer.put(b"", b""), Err(WriteError::EmptyKey)));
    let long = vec![b'x'; MAX_KEY + 1];
    assert!(matches!(
        writer.put(&long, b""),
        Err(WriteError::LongKey(32_769))
    ));
    assert!(matches!(
        writer.bucket(&long),
        Err(WriteError::LongKey(32_769))
    ));
    for earlier in [&b"b"[..], b"a", b"B"] {
        assert!(matches!(
            writer.put(earlier, b""),
            Err(WriteError::Order { .. })
        ));
        assert!(matches!(
            writer.bucket(earlier),
            Err(WriteError::Order { .. })
        ));
    }
    writer.bucket(b"ba").unwrap();
    writer.put(b"a", b"2").unwrap();
    writer.leave().unwrap();
    assert_eq!(
        writer.put(b"b", b"").unwrap_err().to_string(),
        r#"the key "b" does not come after "ba""#
    );
    writer.put(&long[1..], b"3").unwrap();
    writer.leave().unwrap();
    assert!(matches!(writer.bucket(b"m"), Err(WriteError::Order { .. })));
    let (summary, file) = writer.finish().unwrap();
    assert_eq!((summary.keys, summary.buckets), (3, 2));
    let database = Database::open(file.into_inner()).unwrap();
    assert_eq!(database.check().unwrap().problems, []);
    assert_eq!(
        database.get(&[b"m"], &long[1..]).unwrap(),
        Some(b"3".to_vec())
    );
    assert_eq!(
        database.get(&[b"m"], b"ba").unwrap(),
        None,
        "a bucket is no key"
    );
    assert!(
        database.bucket(&[b"m", b"b"]).unwrap().is_none(),
        "nor the reverse"
    );
}

#[test]
fn order_is_remembered_when_a_leaf_is_written() {
    let mut writer = writer();
    writer.bucket(b"bucket").unwrap();
    for number in 0..1_000_u32 {
        writer.put(&number.to_be_bytes(), &[0; 1_000]).unwrap();
        let again = writer.put(&number.to_be_bytes(), b"");
        assert!(matches!(again, Err(WriteError::Order { .. })));
    }
    assert!(matches!(writer.finish(), Err(WriteError::OpenBuckets(1))));
}

/// Takes so many bytes, and then none; or fails only once.
struct Full {
    bytes: Cursor<Vec<u8>>,
    room: usize,
    once: bool,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.room);
        if taken == 0 && !bytes.is_empty() {
            if self.once {
                self.room = usize::MAX;
            }
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room -= taken;
        self.bytes.write(&bytes[..taken])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Full {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

#[test]
fn a_sink_that_fails_leaves_no_database() {
    let rooms = [0, 100, 1 << 20, 1_500_000, 3_000_000];
    for (room, once) in rooms
        .into_iter()
        .flat_map(|room| [(room, true), (room, false)])
    {
        let mut kept = Full {
            bytes: Cursor::new(Vec::new()),
            room,
            once,
        };
        let mut writer = Writer::new(&mut kept, Options::default()).unwrap();
        writer.bucket(b"bucket").unwrap();
        let mut failed = false;
        for number in 0..4_000_u32 {
            // Whoever goes on all the same gets errors, and no database in which pages are missing.
            let put = writer.put(&number.to_be_bytes(), &[b'v'; 1_000]);
            failed |= matches!(put, Err(WriteError::Io { .. }));
        }
        assert!(failed);
        assert!(matches!(writer.leave(), Err(WriteError::Io { .. })));
        assert!(writer.finish().is_err());
        let left = Database::open(kept.bytes.into_inner());
        assert!(matches!(left, Err(ReadError::NotBolt(_))));
    }
}

#[test]
fn what_is_no_database() {
    let (_, bytes) = tree::write(&tree::samples(3)[2], 4096);
    for length in [0, 1, 79, 80, 4096, 4096 + 80, bytes.len() - 1] {
        let error = Database::open(&bytes[..length]).unwrap_err();
        match length {
            0..80 => assert!(matches!(error, ReadError::NotBolt(_)), "{length}: {error}"),
            _ => assert!(
                matches!(error, ReadError::Truncated { .. }),
                "{length}: {error}"
            ),
        }
    }
    let mut grown = bytes;
    grown.resize(grown.len() + 100_000, 0);
    let database = Database::open(grown).unwrap();
    assert_eq!(
        database.check().unwrap().problems,
        [],
        "bbolt grows files in advance"
    );
}

#[test]
fn a_sequence_is_kept() {
    let tree = tree::Tree::from([
        (b"inline".to_vec(), Node::Bucket(5, tree::Tree::new())),
        (
            b"pages".to_vec(),
            Node::Bucket(
                u64::MAX,
                tree::Tree::from([(b"key".to_vec(), Node::Key(vec![0; 2_000]))]),
            ),
        ),
    ]);
    let (_, bytes) = tree::write(&tree, 4096);
    let database = Database::open(bytes).unwrap();
    let sequence = |name: &[u8]| database.bucket(&[name]).unwrap().unwrap().sequence();
    assert_eq!((sequence(b"inline"), sequence(b"pages")), (5, u64::MAX));
}
