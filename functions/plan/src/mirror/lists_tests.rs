#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use export_mirror::path::document;
use export_model::{IndexEntry, Position, Sha256Digest, Source};
use export_staging::{FramePool, PendingFrame};
use proptest::prelude::*;
use tokio::sync::mpsc;

use super::*;

/// A state: of each document that is there, which version of it.
type State = BTreeMap<(Kind, String, String), u8>;

const KINDS: [Kind; 3] = [Kind::Advisory, Kind::Sbom, Kind::Vex];

/// The document `number`, of a kind, under a subject that it shares with others. Their order is not that
/// of the numbers.
fn key(number: u16) -> (Kind, String, String) {
    let subjects = ["CVE-1", "CVE-10", "CVE-1é", "CVE-1 \"x\"", "a"];
    (
        KINDS[usize::from(number) % 3],
        subjects[usize::from(number) % subjects.len()].to_owned(),
        format!("id:{}", u32::from(number) * 7919 % 1000),
    )
}

fn content(key: &(Kind, String, String), version: u8) -> (Sha256Digest, u64) {
    let (kind, subject, id) = key;
    let text = format!("{kind}/{subject}/{id}/{version}");
    (
        Sha256Digest::of(text.as_bytes()),
        u64::from(version) * 100 + 17,
    )
}

fn entry(key: &(Kind, String, String), version: u8) -> IndexEntry {
    let (record_sha256, size) = content(key, version);
    IndexEntry {
        position: Position {
            subject_key: key.1.clone(),
            id: key.2.clone(),
        },
        record_sha256,
        size,
        source: Source {
            vendor: "v".into(),
            stream: "s".into(),
        },
    }
}

/// A line of a list, or of a list of changes, as the format says.
fn line(op: Option<&str>, key: &(Kind, String, String), version: u8) -> String {
    let (kind, subject, id) = key;
    let (sha256, size) = content(key, version);
    let op = op.map_or_else(String::new, |op| format!("\"op\":\"{op}\","));
    let text = |text: &str| serde_json::to_string(text).unwrap();
    format!(
        "{{\"_id\":{},\"kind\":\"{kind}\",{op}\"path\":\"{}\",\"sha256\":\"{sha256}\",\"size\":{size},\
         \"subject_key\":{}}}\n",
        text(id),
        document(*kind, id),
        text(subject)
    )
}

fn listing(state: &State) -> String {
    state
        .iter()
        .map(|(key, version)| line(None, key, *version))
        .collect()
}

/// What two lists have in common and what not, the long way.
fn brute_force(old: &State, new: &State) -> (String, Vec<(Kind, Position)>) {
    let (mut changes, mut carried) = (String::new(), Vec::new());
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let (op, version) = match (old.get(key), new.get(key)) {
            (Some(old), None) => ("remove", *old),
            (None, Some(new)) => ("add", *new),
            (Some(old), Some(new)) if old != new => ("change", *new),
            _ => continue,
        };
        changes.push_str(&line(Some(op), key, version));
        if op != "remove" {
            carried.push((key.0, entry(key, version).position));
        }
    }
    (changes, carried)
}

/// The bytes of a file whose frames have all come, uncompressed.
fn taken(mut frames: mpsc::Receiver<PendingFrame>) -> String {
    let mut bytes = Vec::new();
    while let Ok(frame) = frames.try_recv() {
        match frame {
            PendingFrame::Ready(piece) => bytes.extend(piece),
            PendingFrame::Compressing(_) => panic!("it was not to be compressed"),
        }
    }
    String::from_utf8(bytes).unwrap()
}

struct Planned {
    listed: Listed,
    list: String,
    changes: String,
    keys: Vec<Keys>,
}

/// Plans the delta from `old` to `new`: the index comes in pages, the base's list in pieces.
fn planned(old: &State, new: &State, records: u64, page: usize, piece: usize) -> Planned {
    let pool = FramePool::new(1);
    let (list_to, list) = mpsc::channel(64);
    let (changes_to, changes) = mpsc::channel(64);
    let (give, mut given) = mpsc::channel(2_048);
    let stored = zstd::encode_all(listing(old).as_bytes(), 1).unwrap();
    let cutter = Cutter::new(Kind::Advisory, records, 1 << 30);
    let lists = Lists::new(cutter, FrameWriter::new(&pool, None, list_to));
    let base = Pieces::of(stored.chunks(piece).map(<[u8]>::to_vec).collect());
    let mut lists = lists
        .beside(base, Framed::new(&pool, None, changes_to), give)
        .unwrap();
    for kind in KINDS {
        lists.kind(kind).unwrap();
        let entries: Vec<_> = new
            .iter()
            .filter(|((own, ..), _)| *own == kind)
            .map(|(key, version)| entry(key, *version))
            .collect();
        for page in entries.chunks(page) {
            lists.add(kind, page.to_vec()).unwrap();
        }
    }
    let listed = lists.finish().unwrap();
    let mut keys = Vec::new();
    while let Ok(some) = given.try_recv() {
        keys.push(some);
    }
    Planned {
        listed,
        list: taken(list),
        changes: taken(changes),
        keys,
    }
}

fn state() -> impl Strategy<Value = State> {
    let some = proptest::collection::btree_map(0_u16..60, 0_u8..3, 0..50);
    some.prop_map(|some| {
        some.into_iter()
            .map(|(number, version)| (key(number), version))
            .collect()
    })
}

proptest! {
    #[test]
    fn a_delta_is_what_brute_force_finds(
        old in state(),
        new in state(),
        records in 1_u64..8,
        page in 1_usize..9,
        piece in 1_usize..200,
    ) {
        let Planned { listed, list, changes, keys } = planned(&old, &new, records, page, piece);
        let (expected, carried) = brute_force(&old, &new);
        prop_assert_eq!(&changes, &expected);
        let whole = listing(&new);
        prop_assert_eq!(&list, &whole);
        prop_assert_eq!(listed.summary.tree_digest, Sha256Digest::of(whole.as_bytes()));
        prop_assert_eq!(listed.listing, (whole.len() as u64, Sha256Digest::of(whole.as_bytes())));
        let told = (expected.len() as u64, Sha256Digest::of(expected.as_bytes()));
        prop_assert_eq!(listed.changes, Some(told));
        for kind in KINDS {
            let of = new.iter().filter(|((own, ..), _)| *own == kind);
            prop_assert_eq!(listed.summary.tally(kind).documents, of.count() as u64);
        }
        // Parts are of what is carried, in order, and each says which records it is of.
        prop_assert_eq!(keys.len(), listed.cut.parts.len());
        let mut named = Vec::new();
        for (part, keys) in listed.cut.parts.iter().zip(&keys) {
            let lines = std::str::from_utf8(keys).unwrap().lines();
            let positions: Vec<Position> =
                lines.map(|line| serde_json::from_str(line).unwrap()).collect();
            prop_assert_eq!(positions.len() as u64, part.records);
            prop_assert!(part.records <= records);
            prop_assert_eq!(positions.first(), Some(&part.first));
            prop_assert_eq!(positions.last(), Some(&part.last));
            named.extend(positions.into_iter().map(|position| (part.kind, position)));
        }
        prop_assert_eq!(named, carried);
    }

    #[test]
    fn a_base_that_ends_early_or_is_no_list_is_refused(old in state(), cut in 1_usize..60) {
        prop_assume!(!old.is_empty());
        let stored = zstd::encode_all(listing(&old).as_bytes(), 1).unwrap();
        // Nothing at all would be an empty list, which the digest of what was read tells apart.
        let kept = stored.len().saturating_sub(cut).max(1);
        let pool = FramePool::new(1);
        let (to, _frames) = mpsc::channel(64);
        let (changes_to, _changes) = mpsc::channel(64);
        let (give, _given) = mpsc::channel(64);
        let cutter = Cutter::new(Kind::Advisory, 5, 1 << 30);
        let lists = Lists::new(cutter, FrameWriter::new(&pool, None, to));
        let base = Pieces::of(vec![stored[..kept].to_vec()]);
        let lists = lists.beside(base, Framed::new(&pool, None, changes_to), give).unwrap();
        let error = lists.finish().err();
        prop_assert!(
            matches!(&error, Some(PhaseError::Permanent { code: ErrorCode::Storage, .. })),
            "{error:?}"
        );
    }
}
