#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use export_canonical::jcs::{is_jcs, to_jcs};
use export_model::Position;
use proptest::prelude::*;

use super::*;
use crate::LineFault;
use crate::listing::ListingReader;
use crate::test_trees::{Tree, listing, trees};

const GOLDEN: &str = include_str!("../golden/delta.jsonl");

/// The delta from `base` to `new`, by the merge.
fn delta(base: &[u8], new: &Tree) -> Vec<u8> {
    let mut merge = Merge::new(ListingReader::new(base));
    let mut out = Vec::new();
    for ((kind, at), (sha256, size)) in new {
        merge
            .step(*kind, at, sha256, *size, &mut |difference| {
                let op = match difference {
                    Difference::Remove(entry) => {
                        write_removal(&mut out, &entry);
                        return Ok(());
                    }
                    Difference::Add => Op::Add,
                    Difference::Change(_) => Op::Change,
                    Difference::Same(entry) => {
                        assert_eq!((entry.sha256, entry.size), (*sha256, *size));
                        return Ok(());
                    }
                };
                write_line(&mut out, op, *kind, &at.subject_key, &at.id, sha256, *size);
                Ok::<_, MergeError>(())
            })
            .unwrap();
    }
    merge
        .finish(&mut |difference| {
            let Difference::Remove(entry) = difference else {
                panic!("{difference:?} behind the last document");
            };
            write_removal(&mut out, &entry);
            Ok::<_, MergeError>(())
        })
        .unwrap();
    out
}

/// The listing that `delta` makes of `base`.
fn applied(base: &[u8], delta: &[u8]) -> Result<Vec<u8>, ApplyError> {
    let mut apply = Apply::new(ListingReader::new(base), DeltaReader::new(delta));
    let mut out = Vec::new();
    while let Some(step) = apply.next()? {
        assert_eq!(step.result().is_none(), matches!(step, Step::Remove(_)));
        step.write_result(&mut out);
    }
    assert!(apply.next()?.is_none(), "the end stays the end");
    Ok(out)
}

fn reread(bytes: &[u8]) -> Result<Vec<u8>, ListingError> {
    let mut reader = DeltaReader::new(bytes);
    let mut out = Vec::new();
    while let Some(Change { op, entry }) = reader.next()? {
        write_line(
            &mut out,
            op,
            entry.kind,
            entry.subject_key,
            entry.id,
            &entry.sha256,
            entry.size,
        );
    }
    Ok(out)
}

fn one(id: &str, content: &[u8]) -> Tree {
    let at = Position {
        subject_key: "s".to_owned(),
        id: id.to_owned(),
    };
    Tree::from([(
        (Kind::Vex, at),
        (Sha256Digest::of(content), content.len() as u64),
    )])
}

#[test]
fn lines_are_these_bytes() {
    let mut base = one("a", b"1");
    base.extend(one("b", b"1"));
    base.extend(one("d", b"1"));
    let mut new = one("b", b"22");
    new.extend(one("c", b"333"));
    new.extend(one("d", b"1"));
    let delta = delta(&listing(&base), &new);
    assert_eq!(String::from_utf8(delta).unwrap(), GOLDEN);
    for line in GOLDEN.lines() {
        is_jcs(line.as_bytes()).unwrap();
    }
    assert_eq!(reread(GOLDEN.as_bytes()).unwrap(), GOLDEN.as_bytes());
}

#[test]
fn the_two_digests_are_one_canonical_document() {
    let file = DeltaFile {
        base_tree_digest: Sha256Digest::of(b"1"),
        result_tree_digest: Sha256Digest::of(b"2"),
    };
    let bytes = file.to_bytes();
    assert_eq!(bytes, to_jcs(&file).unwrap());
    assert_eq!(DeltaFile::parse(&bytes).unwrap(), file);
    let text = String::from_utf8(bytes).unwrap();
    for bad in [
        format!("{text}\n"),
        format!(" {text}"),
        text.replace("sha256:", ""),
        text.replace('}', ",\"x\":1}"),
        text.replace("base_", ""),
        String::new(),
    ] {
        assert!(DeltaFile::parse(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn a_delta_that_is_not_of_this_tree_is_refused() {
    let (one_a, none) = (listing(&one("a", b"1")), Vec::new());
    let add = delta(&none, &one("a", b"1"));
    let change = delta(&one_a, &one("a", b"2"));
    let remove = delta(&one_a, &Tree::new());
    let kind = |result: Result<Vec<u8>, ApplyError>| match result {
        Ok(_) => "applied",
        Err(ApplyError::There { .. }) => "there",
        Err(ApplyError::Missing { op: Op::Change, .. }) => "nothing to change",
        Err(ApplyError::Missing { op: Op::Remove, .. }) => "nothing to remove",
        Err(ApplyError::Differs { .. }) => "differs",
        Err(ApplyError::Unchanged { .. }) => "unchanged",
        Err(other) => panic!("{other}"),
    };
    let two_a = listing(&one("a", b"2"));
    let b = listing(&one("b", b"1"));
    for (base, delta, expected) in [
        (&none, &add, "applied"),
        (&one_a, &add, "there"),
        (&one_a, &change, "applied"),
        (&two_a, &change, "unchanged"),
        (&none, &change, "nothing to change"),
        (&b, &change, "nothing to change"),
        (&one_a, &remove, "applied"),
        (&two_a, &remove, "differs"),
        (&none, &remove, "nothing to remove"),
        (&b, &remove, "nothing to remove"),
    ] {
        assert_eq!(kind(applied(base, delta)), expected);
    }
    let message = applied(&none, &remove).unwrap_err().to_string();
    assert_eq!(
        message,
        "the delta is to remove the vex `a`, which is not in the tree"
    );
}

#[test]
fn a_walk_out_of_order_is_refused() {
    let empty: &[u8] = b"";
    for (first, second) in [("b", "a"), ("a", "a")] {
        let mut merge = Merge::new(ListingReader::new(empty));
        let mut step = |id: &str| {
            let at = Position {
                subject_key: "s".to_owned(),
                id: id.to_owned(),
            };
            merge.step(Kind::Vex, &at, &Sha256Digest::of(b""), 0, &mut |_| {
                Ok::<_, MergeError>(())
            })
        };
        step(first).unwrap();
        assert!(matches!(step(second), Err(MergeError::Order { .. })));
    }
}

#[test]
fn a_line_of_a_listing_is_none_of_a_delta() {
    let listing = listing(&one("a", b"1"));
    let error = reread(&listing).unwrap_err();
    assert!(matches!(
        error,
        ListingError::Line {
            line: 1,
            fault: LineFault::Form,
            ..
        }
    ));
    assert!(error.to_string().contains("line 1 of the delta"), "{error}");
    for op in ["adds", "Add", "", "keep"] {
        let bad = GOLDEN.replacen("\"remove\"", &format!("\"{op}\""), 1);
        assert!(reread(bad.as_bytes()).is_err(), "{op}");
    }
    let swapped: String = GOLDEN.split_inclusive('\n').rev().collect();
    let error = reread(swapped.as_bytes()).unwrap_err();
    assert!(matches!(
        error,
        ListingError::Line {
            line: 2,
            fault: LineFault::Order,
            ..
        }
    ));
}

proptest! {
    #[test]
    fn a_delta_holds_exactly_what_differs_and_gives_the_new_tree(base in trees(), new in trees()) {
        let (before, after) = (listing(&base), listing(&new));
        let delta = delta(&before, &new);
        let mut expected = Vec::new();
        let mut places: Vec<_> = base.keys().chain(new.keys()).collect();
        places.sort();
        places.dedup();
        for place in places {
            let (op, (sha256, size)) = match (base.get(place), new.get(place)) {
                (Some(old), None) => (Op::Remove, old),
                (None, Some(new)) => (Op::Add, new),
                (Some(old), Some(new)) if old != new => (Op::Change, new),
                _ => continue,
            };
            write_line(&mut expected, op, place.0, &place.1.subject_key, &place.1.id, sha256, *size);
        }
        prop_assert_eq!(&delta, &expected);
        prop_assert_eq!(&reread(&delta).unwrap(), &delta);
        prop_assert_eq!(applied(&before, &delta).unwrap(), after.clone());
        // Twice is refused, but for a delta of nothing.
        prop_assert_eq!(applied(&after, &delta).is_ok(), delta.is_empty());
    }

    #[test]
    fn a_changed_delta_is_refused_or_says_something_else(
        base in trees(), new in trees(), at in any::<prop::sample::Index>(), bit in 0..8_u8,
    ) {
        let before = listing(&base);
        let mut delta = delta(&before, &new);
        if delta.is_empty() {
            return Ok(());
        }
        let at = at.index(delta.len());
        delta[at] ^= 1 << bit;
        if let Ok(again) = reread(&delta) {
            prop_assert_eq!(again, delta.clone());
        }
        if let Ok(after) = applied(&before, &delta) {
            prop_assert_ne!(after, listing(&new));
        }
    }
}
