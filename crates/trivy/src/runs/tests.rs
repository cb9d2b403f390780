#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Write as _;

use super::chunk::{ChunkWriter, Counted};
use super::index::{self, MAGIC};
use super::*;
use crate::TrivyError;
use crate::row::{Rows, Unmapped};
use crate::test_rows::{PIP, advisory, detail, ranges, small_set, titled, write_run};

fn bytes_of(parts: Vec<Rows>, budget: usize) -> (RunSummary, Vec<u8>) {
    let mut writer = RunWriter::new(Vec::new(), budget).unwrap();
    for rows in parts {
        writer.push(rows).unwrap();
    }
    writer.finish().unwrap()
}

/// What opening and reading all of a file says.
fn read(bytes: &[u8]) -> Result<u64, TrivyError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.run");
    std::fs::write(&path, bytes).unwrap();
    let run = RunReader::open(&path)?;
    let mut rows = 0;
    for chunk in &run.summary().chunks {
        rows += run.check(chunk)?;
    }
    Ok(rows)
}

#[test]
fn a_run_says_what_was_pushed() {
    let (summary, bytes) = bytes_of(vec![small_set()], 1 << 20);
    assert_eq!(summary.chunks.len(), 1);
    assert_eq!(summary.modified.as_deref(), Some("2024-06-01T12:00:00Z"));
    let counts = RowCounts {
        advisories: 4,
        details: 3,
        repositories: 0,
        vex: 1,
        java: 1,
        unmapped: 1,
    };
    assert_eq!(summary.rows, counts);
    assert_eq!(read(&bytes).unwrap(), 10);
    assert_eq!(bytes_of(vec![small_set()], 1 << 20), (summary, bytes));
}

#[test]
fn the_order_in_which_rows_are_pushed_does_not_matter_within_a_chunk() {
    let mut backwards = small_set();
    backwards.advisories.reverse();
    backwards.details.reverse();
    assert_eq!(
        bytes_of(vec![backwards], 1 << 20),
        bytes_of(vec![small_set()], 1 << 20)
    );
}

#[test]
fn a_small_budget_makes_many_chunks() {
    let (summary, bytes) = bytes_of(vec![small_set(), small_set()], 300);
    assert!(summary.chunks.len() > 5, "{summary:?}");
    assert_eq!(read(&bytes).unwrap(), 20);
}

#[test]
fn a_run_of_nothing_is_one() {
    let (summary, bytes) = bytes_of(Vec::new(), 300);
    assert_eq!(summary, RunSummary::default());
    assert_eq!(read(&bytes).unwrap(), 0);
}

#[test]
fn the_newest_time_is_kept_whatever_its_spelling() {
    let at = |text: &str| Rows {
        modified: Some(text.to_owned()),
        ..Rows::default()
    };
    let parts = vec![
        at("2024-01-01T00:00:00.5Z"),
        at("2024-01-01T00:00:00Z"),
        at("2024-01-01T01:00:00+02:00"),
    ];
    let (summary, _) = bytes_of(parts, 300);
    assert_eq!(summary.modified.as_deref(), Some("2024-01-01T00:00:00.5Z"));
    let mut writer = RunWriter::new(Vec::new(), 300).unwrap();
    let refused = writer.push(at("yesterday"));
    assert!(matches!(refused, Err(TrivyError::Time { text }) if text == "yesterday"));
}

#[test]
fn names_that_are_no_keys_are_counted() {
    let rows = Rows {
        advisories: vec![
            advisory(PIP, "", "CVE-1", ranges(&["<1"], &[])),
            advisory(PIP, "a\0b", "CVE-1", ranges(&["<1"], &[])),
            advisory(PIP, &"x".repeat(40_000), "CVE-1", ranges(&["<1"], &[])),
            advisory(PIP, "fine", "CVE-1", ranges(&["<1"], &[])),
        ],
        details: vec![detail("", 1, titled("", &[]))],
        ..Rows::default()
    };
    let (summary, _) = bytes_of(vec![rows], 1 << 20);
    assert_eq!((summary.rows.advisories, summary.rows.unmapped), (1, 4));
    assert_eq!(Unmapped::BadKey.as_str(), "bad_key");
}

#[test]
fn a_row_that_is_too_large_names_its_record() {
    let description = "x".repeat(MAX_ROW_BYTES);
    let mut row = detail("CVE-1", 1, titled("", &[]));
    row.value.description = description;
    let mut writer = RunWriter::new(Vec::new(), 300).unwrap();
    let refused = writer.push(Rows {
        details: vec![row],
        ..Rows::default()
    });
    let Err(TrivyError::RowTooLarge { record, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(record, "record of CVE-1 by 1");
}

#[test]
fn every_damaged_byte_is_found() {
    let (_, good) = bytes_of(vec![small_set()], 400);
    let whole = read(&good).unwrap();
    assert_eq!(whole, 10);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        match read(&bad) {
            Err(TrivyError::Run { .. }) => {}
            // zstd's frame header has a bit or two without a meaning.
            Ok(rows) if rows == whole => {}
            other => panic!("byte {at}: {other:?}"),
        }
    }
}

#[test]
fn a_file_that_was_cut_is_refused() {
    let (_, good) = bytes_of(vec![small_set()], 400);
    for length in 0..good.len() {
        let refused = read(good.get(..length).unwrap());
        assert!(matches!(refused, Err(TrivyError::Run { .. })), "{length}");
    }
    let missing = RunReader::open(std::path::Path::new("/nowhere/a.run"));
    assert!(matches!(missing, Err(TrivyError::File { .. })));
}

/// A file whose one chunk has these rows, and an index that says it has `said` of them.
fn forged(rows: &[(&[u8], &[u8])], said: u64) -> Vec<u8> {
    let mut sink = Counted {
        inner: Vec::new(),
        written: 0,
    };
    sink.write_all(MAGIC).unwrap();
    let mut writer = ChunkWriter::new(&mut sink, MAGIC.len() as u64).unwrap();
    for (key, value) in rows {
        writer.push(key, value).unwrap();
    }
    let (mut chunk, _) = writer.finish().unwrap();
    chunk.rows = said;
    let summary = RunSummary {
        chunks: vec![chunk],
        rows: RowCounts {
            unmapped: said,
            ..RowCounts::default()
        },
        modified: None,
    };
    index::write(&mut sink, &summary).unwrap();
    sink.inner
}

#[test]
fn forged_rows_are_refused() {
    assert_eq!(read(&forged(&[(b"a", b""), (b"b", b"")], 2)).unwrap(), 2);
    for (rows, said, reason) in [
        (vec![(&b"b"[..], &b""[..]), (b"a", b"")], 2, "out of order"),
        (vec![(b"a", b"")], 2, "damaged"),
        (vec![(b"a", b""), (b"b", b"")], 1, "more rows"),
        (vec![(b"", b"x")], 1, "no key"),
    ] {
        let error = read(&forged(&rows, said)).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_length_alone_takes_no_memory() {
    let mut sink = Counted {
        inner: Vec::new(),
        written: 0,
    };
    sink.write_all(MAGIC).unwrap();
    // A row that says that its value has 60 MiB, and ends.
    let frame = zstd::encode_all(&[1_u8, 0x80, 0x80, 0x80, 0x1E, b'a'][..], 1).unwrap();
    let chunk = Chunk {
        offset: sink.written,
        length: frame.len() as u64,
        rows: 1,
    };
    sink.write_all(&frame).unwrap();
    let summary = RunSummary {
        chunks: vec![chunk],
        rows: RowCounts {
            vex: 1,
            ..RowCounts::default()
        },
        modified: None,
    };
    index::write(&mut sink, &summary).unwrap();
    let error = read(&sink.inner).unwrap_err().to_string();
    assert!(error.contains("damaged"), "{error}");
}

#[test]
fn a_run_is_written_to_a_file_as_to_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_run(&folder.path().join("a.run"), vec![small_set()], 400);
    let (summary, bytes) = bytes_of(vec![small_set()], 400);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert_eq!(RunReader::open(&path).unwrap().summary(), &summary);
}
