//! Readers who are there while something is applied.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use export_replica::{Options, apply};

use crate::support::bundle::Export;
use crate::support::evidence::{Evidence, Seeded};
use crate::support::{Site, expected, files_below};

#[test]
fn a_reader_who_follows_the_link_once_sees_one_whole_version() {
    let site = Site::new();
    let mut seeded = Seeded::new(5);
    let mut evidence = Evidence::of(60);
    let mut exports = vec![Export::full(1, 1, &evidence)];
    for number in 2..=12 {
        evidence.shake(&mut seeded, 90);
        let base = exports.last().unwrap();
        exports.push(Export::delta(number, u64::from(number), base, &evidence));
    }
    let trees: BTreeMap<_, _> = exports
        .iter()
        .map(|export| (export.number, expected(&export.evidence)))
        .collect();
    site.apply(&exports[0]).unwrap();
    let (stop, seen) = (AtomicBool::new(false), AtomicU64::new(0));
    let dir = site.dir();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let version = fs::canonicalize(dir.join("current")).unwrap();
                    let number = version.file_name().unwrap().to_str().unwrap();
                    let found = files_below(&version);
                    assert!(found == trees[&number.parse().unwrap()], "version {number}");
                    seen.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Whoever reads for long needs versions to be kept for as long.
        let keep = Options {
            keep: 100,
            ..site.options()
        };
        for export in &exports[1..] {
            let before = seen.load(Ordering::Relaxed);
            apply(export.bundle(&site.key).as_slice(), &dir, &keep).unwrap();
            while seen.load(Ordering::Relaxed) == before {
                thread::yield_now();
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    site.holds(&evidence);
}

#[test]
fn versions_that_are_not_kept_are_removed_and_their_documents_stay() {
    let site = Site::new();
    let evidence = Evidence::of(20);
    let mut last = Export::full(1, 1, &evidence);
    site.apply(&last).unwrap();
    for number in 2..=5 {
        let next = Export::delta(number, u64::from(number), &last, &evidence);
        let pruned = site.apply(&next).unwrap().pruned.unwrap();
        let expected: &[u64] = if number < 3 {
            &[]
        } else {
            &[u64::from(number) - 2]
        };
        assert_eq!(pruned, expected);
        last = next;
    }
    let chain = site.dir().join(".mirror/chain");
    for version in 1..=5 {
        let entry = chain.join(format!("{version:08}"));
        assert!(entry.join("export.json").exists() && entry.join("entry.json").exists());
        assert_eq!(
            entry.join("tree.jsonl.zst").exists(),
            version > 3,
            "version {version}"
        );
    }
}
