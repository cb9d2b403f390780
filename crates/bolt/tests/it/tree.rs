//! Trees of buckets in memory, to compare files with.

use std::collections::BTreeMap;
use std::io::Cursor;

use export_bolt::{Database, Options, Source, Step, Summary, Writer};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

pub(crate) type Tree = BTreeMap<Vec<u8>, Node>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Key(Vec<u8>),
    Bucket(u64, Tree),
}

pub(crate) fn write(tree: &Tree, page_size: u32) -> (Summary, Vec<u8>) {
    let options = Options { page_size };
    let mut writer = Writer::new(Cursor::new(Vec::new()), options).unwrap();
    put_all(tree, &mut writer);
    let (summary, file) = writer.finish().unwrap();
    (summary, file.into_inner())
}

fn put_all(tree: &Tree, writer: &mut Writer<Cursor<Vec<u8>>>) {
    for (key, node) in tree {
        match node {
            Node::Key(value) => writer.put(key, value).unwrap(),
            Node::Bucket(sequence, inner) => {
                writer.bucket(key).unwrap();
                writer.set_sequence(*sequence).unwrap();
                put_all(inner, writer);
                writer.leave().unwrap();
            }
        }
    }
}

/// By walking.
pub(crate) fn read<S: Source>(database: &Database<S>) -> Tree {
    let mut open = vec![(Vec::new(), 0, Tree::new())];
    for step in database.walk() {
        match step.unwrap() {
            Step::Enter { entry, sequence } => {
                open.push((entry.key().to_vec(), sequence, Tree::new()));
            }
            Step::Key(entry) => {
                let value = entry.value().unwrap().to_vec();
                let (.., tree) = open.last_mut().unwrap();
                tree.insert(entry.key().to_vec(), Node::Key(value));
            }
            Step::Leave => {
                let (name, sequence, inner) = open.pop().unwrap();
                let (.., tree) = open.last_mut().unwrap();
                tree.insert(name, Node::Bucket(sequence, inner));
            }
        }
    }
    assert_eq!(open.len(), 1);
    open.remove(0).2
}

/// Keys with a value, and buckets.
pub(crate) fn count(tree: &Tree) -> (u64, u64) {
    tree.values()
        .fold((0, 0), |(keys, buckets), node| match node {
            Node::Key(_) => (keys + 1, buckets),
            Node::Bucket(_, inner) => {
                let (more_keys, more_buckets) = count(inner);
                (keys + more_keys, buckets + more_buckets + 1)
            }
        })
}

/// Sizes around what pages, branches and inline buckets turn on, and odd ones between.
fn sized(most: usize) -> impl Strategy<Value = usize> {
    prop_oneof![
        12 => 0..60_usize,
        6 => 60..400_usize,
        2 => 400..1_500_usize,
        1 => 1_500..most,
    ]
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        10 => prop::collection::vec(any::<u8>(), 1..12),
        4 => "[a-e/:]{1,40}".prop_map(String::into_bytes),
        1 => (sized(9_000), any::<[u8; 2]>()).prop_map(|(length, tail)| {
            let mut key = vec![b'k'; length];
            key.extend(tail);
            key
        }),
    ]
}

fn value() -> impl Strategy<Value = Node> {
    (sized(20_000), any::<u8>()).prop_map(|(length, byte)| Node::Key(vec![byte; length]))
}

fn bucket(inner: impl Strategy<Value = Node>) -> impl Strategy<Value = Node> {
    (
        prop_oneof![Just(0), any::<u64>()],
        prop::collection::btree_map(key(), inner, 0..60),
    )
        .prop_map(|(sequence, tree)| Node::Bucket(sequence, tree))
}

/// Trees of up to three levels of buckets.
pub(crate) fn trees() -> impl Strategy<Value = Tree> {
    let third = prop_oneof![30 => value(), 1 => bucket(value())];
    let second = prop_oneof![4 => value(), 1 => bucket(third)];
    prop::collection::btree_map(key(), bucket(second), 0..6)
}

/// The same trees every time.
pub(crate) fn samples(count: usize) -> Vec<Tree> {
    let mut runner = TestRunner::deterministic();
    (0..count)
        .map(|_| trees().new_tree(&mut runner).unwrap().current())
        .collect()
}
