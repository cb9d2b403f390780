#![allow(clippy::unwrap_used)]

use std::cell::Cell;

use proptest::prelude::*;

use super::Merge;
use crate::TrivyError;
use crate::runs::ScratchSorter;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn all_rows_come_in_order_however_many_chunks_there_are(
        files in prop::collection::vec(prop::collection::vec(("[abc]{1,4}", "[xy]{0,2}"), 0..30), 0..5),
        budget in 40_usize..400,
        most in 2_usize..6,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut scratch = Vec::new();
        for (number, rows) in files.iter().enumerate() {
            let path = folder.path().join(format!("{number}.rows"));
            let mut sorter = ScratchSorter::create(path, budget).unwrap();
            for (key, value) in rows {
                sorter.push(key.as_bytes(), value.as_bytes()).unwrap();
            }
            scratch.push(sorter.finish().unwrap());
        }
        let chunks = scratch.iter().flat_map(|file| file.chunks()).collect();
        let mut merge =
            Merge::open_within(chunks, folder.path(), "merge", &|| true, most).unwrap();
        let mut merged = Vec::new();
        while let Some((key, value)) = merge.next().unwrap() {
            merged.push((key.to_vec(), value.to_vec()));
        }
        let mut sorted: Vec<_> = files
            .iter()
            .flatten()
            .map(|(key, value)| (key.clone().into_bytes(), value.clone().into_bytes()))
            .collect();
        sorted.sort();
        prop_assert_eq!(merged, sorted);
        drop(merge);
        drop(scratch);
        // Every file of every round is gone.
        prop_assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_merge_stops_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut sorter = ScratchSorter::create(folder.path().join("rows"), 1 << 20).unwrap();
    for number in 0..20_000_u32 {
        sorter.push(&number.to_be_bytes(), b"").unwrap();
    }
    let rows = sorter.finish().unwrap();
    let asked = Cell::new(0);
    let twice = || {
        asked.set(asked.get() + 1);
        asked.get() <= 2
    };
    let mut merge = Merge::open(rows.chunks(), folder.path(), "merge", &twice).unwrap();
    let mut passed = 0;
    let end = loop {
        match merge.next() {
            Ok(Some(_)) => passed += 1,
            other => break other.map(|row| row.is_some()),
        }
    };
    assert!(matches!(end, Err(TrivyError::Cancelled)));
    assert_eq!(passed, 8192);
}
