//! Exports that follow each other.

use std::collections::BTreeMap;

use export_model::ProfileKind;
use export_replica::{log, status};

use crate::support::bundle::Export;
use crate::support::evidence::{Evidence, Seeded};
use crate::support::{Site, files_below};

#[test]
fn after_each_of_thirty_deltas_the_tree_is_that_of_a_full_export() {
    let site = Site::new();
    let mut seeded = Seeded::new(7);
    let mut evidence = Evidence::of(120);
    let mut last = Export::full(1, 10, &evidence);
    site.apply(&last).unwrap();
    site.holds(&evidence);
    for step in 2..=31 {
        // One in ten changes nothing.
        if step % 10 != 0 {
            evidence.shake(&mut seeded, 160);
        }
        let next = Export::delta(step, u64::from(step) * 10, &last, &evidence);
        let applied = site.apply(&next).unwrap();
        assert_eq!(applied.entry.version, u64::from(step));
        assert_eq!(applied.entry.tree_digest, next.tree_digest);
        site.holds(&evidence);
        // And so says a full export of the same state, applied elsewhere.
        if step % 5 == 0 {
            let fresh = Site::new();
            let full = Export::full(1000 + step, u64::from(step) * 10, &evidence);
            fresh.apply(&full).unwrap();
            let of = |site: &Site| files_below(&site.dir().join("current/"));
            assert!(of(&fresh) == of(&site), "step {step}");
        }
        last = next;
    }
    assert!(site.verify().is_good());
    let links = log(&site.dir()).unwrap();
    assert_eq!(links.len(), 31);
    assert!(links.iter().all(|link| link.problem.is_none()), "{links:?}");
    let status = status(&site.dir()).unwrap();
    assert_eq!((status.kept, status.applied), (vec![30, 31], 31));
    assert!(!status.unfinished);
    assert_eq!(status.head.kind, ProfileKind::MirrorDelta);
    assert_eq!(status.head.counts.documents, evidence.0.len() as u64);
}

#[test]
fn a_mirror_that_loses_everything_and_gets_it_back() {
    let site = Site::new();
    let some = Evidence::of(30);
    let full = Export::full(1, 10, &some);
    site.apply(&full).unwrap();
    let nothing = Evidence::default();
    let empty = Export::delta(2, 20, &full, &nothing);
    site.apply(&empty).unwrap();
    site.holds(&nothing);
    let again = Export::delta(3, 30, &empty, &some);
    let counts = site.apply(&again).unwrap().entry.counts;
    assert_eq!((counts.added, counts.changed, counts.removed), (30, 0, 0));
    site.holds(&some);
    assert!(site.verify().is_good());
}

#[test]
fn an_empty_full_export_is_a_mirror() {
    let site = Site::new();
    site.apply(&Export::full(1, 10, &Evidence::default()))
        .unwrap();
    site.holds(&Evidence::default());
    assert!(site.verify().is_good());
}

#[test]
fn a_policy_snapshot_is_in_the_tree_of_its_export_only() {
    let site = Site::new();
    let evidence = Evidence::of(12);
    let snapshot = "data/policy/policy_snapshot.json";
    let mut full = Export::full(1, 10, &evidence);
    full.put("payload/policy_snapshot.json", b"{\"a\":1}".to_vec());
    site.apply(&full).unwrap();
    assert_eq!(std::fs::read(site.current(snapshot)).unwrap(), b"{\"a\":1}");
    assert!(site.verify().is_good());
    let mut with = Export::delta(2, 20, &full, &evidence);
    with.put("payload/policy_snapshot.json", b"{\"a\":2}".to_vec());
    site.apply(&with).unwrap();
    assert_eq!(std::fs::read(site.current(snapshot)).unwrap(), b"{\"a\":2}");
    let without = Export::delta(3, 30, &with, &evidence);
    site.apply(&without).unwrap();
    assert!(!site.current(snapshot).exists());
    assert!(site.verify().is_good());
}

#[test]
fn other_indexes_are_made_anew_and_none_are_none() {
    use export_mirror::index::Index;
    let site = Site::new();
    let mut evidence = Evidence::of(40);
    let full = Export::full(1, 10, &evidence);
    site.apply(&full).unwrap();
    evidence.put(3, 4);
    let next = Export::delta(2, 20, &full, &evidence);
    let some = export_replica::Options {
        indexes: Some(&[Index::Purl]),
        ..site.options()
    };
    export_replica::apply(next.bundle(&site.key).as_slice(), &site.dir(), &some).unwrap();
    let names: BTreeMap<_, _> = files_below(&site.dir().join("current/indexes"));
    let kept: Vec<_> = names.keys().cloned().collect();
    assert_eq!(kept, ["by-purl.jsonl", "by-purl.offsets"]);
    assert!(site.verify().is_good());
    // All of them again: the same as in a tree that always had them.
    let back = Export::delta(3, 30, &next, &evidence);
    site.apply(&back).unwrap();
    site.holds(&evidence);
    let none = export_replica::Options {
        indexes: Some(&[]),
        ..site.options()
    };
    let last = Export::delta(4, 40, &back, &evidence);
    export_replica::apply(last.bundle(&site.key).as_slice(), &site.dir(), &none).unwrap();
    assert!(!site.current("indexes").exists());
    assert!(site.verify().is_good());
}
