//! What is written is read.

use std::fs::File;
use std::io::Cursor;

use export_bolt::{Database, Options, Seekable, Writer};
use proptest::prelude::*;

use crate::layout;
use crate::tree::{self, Node, Tree};

fn every_key(
    tree: &Tree,
    path: &mut Vec<Vec<u8>>,
    check: &mut impl FnMut(&[Vec<u8>], &[u8], &[u8]),
) {
    for (key, node) in tree {
        match node {
            Node::Key(value) => check(path, key, value),
            Node::Bucket(_, inner) => {
                path.push(key.clone());
                every_key(inner, path, check);
                path.pop();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(tree in tree::trees(), bits in 9_u32..=16) {
        let page_size = 1 << bits;
        let (summary, bytes) = tree::write(&tree, page_size);
        prop_assert_eq!(summary.bytes, bytes.len() as u64);
        prop_assert_eq!(summary.bytes, summary.pages * u64::from(page_size));
        prop_assert_eq!((summary.keys, summary.buckets), tree::count(&tree));
        prop_assert_eq!(&tree::write(&tree, page_size).1, &bytes, "the same again");
        layout::check(&bytes, page_size);

        let database = Database::open(bytes).unwrap();
        let report = database.check().unwrap();
        prop_assert_eq!(&report.problems, &[]);
        prop_assert_eq!((report.keys, report.buckets), tree::count(&tree));
        prop_assert_eq!(report.pages + report.free + 2, summary.pages);
        prop_assert_eq!(&tree::read(&database), &tree);
        every_key(&tree, &mut Vec::new(), &mut |path, key, value| {
            let path: Vec<&[u8]> = path.iter().map(Vec::as_slice).collect();
            assert_eq!(database.get(&path, key).unwrap().as_deref(), Some(value));
            let mut absent = key.to_vec();
            absent.push(0);
            let found = database.get(&path, &absent).unwrap();
            assert_eq!(found.is_some(), matches!(lookup(&tree, &path, &absent), Some(Node::Key(_))));
        });
    }
}

fn lookup<'t>(tree: &'t Tree, path: &[&[u8]], key: &[u8]) -> Option<&'t Node> {
    match path {
        [] => tree.get(key),
        [first, rest @ ..] => match tree.get(*first)? {
            Node::Bucket(_, inner) => lookup(inner, rest, key),
            Node::Key(_) => None,
        },
    }
}

#[test]
fn five_levels_of_branches() {
    let mut writer = Writer::new(Cursor::new(Vec::new()), Options { page_size: 512 }).unwrap();
    writer.bucket(b"numbers").unwrap();
    let name = |number: u32| format!("{number:0>60}");
    for number in 0..60_000_u32 {
        let value = number.to_le_bytes();
        writer.put(name(number).as_bytes(), &value).unwrap();
    }
    writer.leave().unwrap();
    let (_, file) = writer.finish().unwrap();
    let bytes = file.into_inner();
    assert!(layout::check(&bytes, 512) >= 5);
    let database = Database::open(bytes).unwrap();
    assert_eq!(database.check().unwrap().problems, []);
    let bucket = database.bucket(&[b"numbers"]).unwrap().unwrap();
    let mut next = 0_u32;
    for entry in bucket.entries() {
        let entry = entry.unwrap();
        assert_eq!(entry.key(), name(next).as_bytes());
        assert_eq!(entry.value(), Some(&next.to_le_bytes()[..]));
        next += 1;
    }
    assert_eq!(next, 60_000);
    for number in (0..60_000_u32).step_by(997) {
        let value = bucket.get(name(number).as_bytes()).unwrap();
        assert_eq!(value, Some(number.to_le_bytes().to_vec()));
    }
    assert_eq!(bucket.get(b"").unwrap(), None);
    assert_eq!(bucket.get(b"1").unwrap(), None);
}

#[test]
fn any_number_of_leaves() {
    // One key a leaf, and six leaves or three a branch: each way in which a level can end is met.
    for (count, key) in (1..150_u32).flat_map(|count| [(count, 60), (count, 150), (count, 600)]) {
        let keys =
            (0..count).map(|n| (format!("{n:0>key$}").into_bytes(), Node::Key(vec![1; 380])));
        let tree = Tree::from([(b"bucket".to_vec(), Node::Bucket(0, keys.collect()))]);
        let (_, bytes) = tree::write(&tree, 512);
        layout::check(&bytes, 512);
        let database = Database::open(bytes).unwrap();
        assert_eq!(database.check().unwrap().problems, []);
        assert_eq!(tree::read(&database), tree);
    }
}

#[test]
fn buckets_in_buckets_in_buckets() {
    let mut tree = Tree::from([(b"key".to_vec(), Node::Key(b"value".to_vec()))]);
    for depth in 0..1_000 {
        tree = Tree::from([(b"bucket".to_vec(), Node::Bucket(depth, tree))]);
    }
    let (summary, bytes) = tree::write(&tree, 512);
    assert_eq!((summary.keys, summary.buckets), (1, 1_000));
    let database = Database::open(bytes).unwrap();
    assert_eq!(database.check().unwrap().problems, []);
    let path = vec![&b"bucket"[..]; 1_000];
    let value = database.get(&path, b"key").unwrap();
    assert_eq!(value.as_deref(), Some(&b"value"[..]));
    assert!(database.walk().all(|step| step.is_ok()));
}

#[test]
fn values_that_are_longer_than_the_buffer() {
    let long = vec![b'x'; 3 << 20];
    let inner = Tree::from([
        (b"1 short".to_vec(), Node::Key(vec![1; 10])),
        (b"2 long".to_vec(), Node::Key(long.clone())),
        (b"3 short".to_vec(), Node::Key(vec![3; 10])),
        (b"4 long".to_vec(), Node::Key(long)),
    ]);
    let tree = Tree::from([(b"bucket".to_vec(), Node::Bucket(0, inner))]);
    let (summary, bytes) = tree::write(&tree, 4096);
    assert!(summary.bytes < (6 << 20) + 8 * 4096);
    layout::check(&bytes, 4096);
    let database = Database::open(bytes).unwrap();
    assert_eq!(database.check().unwrap().problems, []);
    assert_eq!(tree::read(&database), tree);
}

#[test]
fn from_a_file_and_from_what_seeks() {
    let tree = tree::samples(3).remove(2);
    let mut file = tempfile::tempfile().unwrap();
    let (_, bytes) = tree::write(&tree, 4096);
    std::io::Write::write_all(&mut file, &bytes).unwrap();
    assert_eq!(tree::read(&Database::<File>::open(file).unwrap()), tree);
    let seekable = Seekable::new(Cursor::new(&bytes));
    assert_eq!(tree::read(&Database::open(seekable).unwrap()), tree);
    assert_eq!(tree::read(&Database::open(bytes.as_slice()).unwrap()), tree);
}

#[test]
fn either_meta_page_is_enough() {
    let tree = tree::samples(3).remove(2);
    for page_size in [512, 4096, 65_536] {
        let (_, bytes) = tree::write(&tree, page_size);
        for meta in 0..2 {
            let mut damaged = bytes.clone();
            damaged[meta * page_size as usize + 40] ^= 1;
            let database = Database::open(damaged).unwrap();
            assert_eq!(tree::read(&database), tree);
            let problems = database.check().unwrap().problems;
            assert_eq!(
                problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
                [format!(
                    "meta page {meta}: the checksum of the meta page is wrong"
                )]
            );
        }
        let mut damaged = bytes;
        damaged[40] ^= 1;
        damaged[page_size as usize + 40] ^= 1;
        assert_eq!(
            Database::open(damaged).unwrap_err().to_string(),
            "not a bbolt database: the checksum of the meta page is wrong"
        );
    }
}
