#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use export_canonical::jcs::{is_jcs, to_jcs};
use export_canonical::record::{Limits, check};
use proptest::prelude::*;

use super::*;
use crate::test_trees::{listing, trees};
use crate::{LineFault, MAX_DOCUMENT_BYTES, MAX_LINE_BYTES};

const GOLDEN: &str = include_str!("golden/tree.jsonl");

fn sample() -> Vec<u8> {
    let mut out = Vec::new();
    let digest = Sha256Digest::of(b"{}");
    write_line(
        &mut out,
        Kind::Advisory,
        "CVE-1900-0001",
        "advisory_raw:a.b:CVE-1900-0001:0123",
        &digest,
        2,
    );
    write_line(
        &mut out,
        Kind::Finding,
        "pkg:npm/x@1",
        "finding \"one\"\\",
        &digest,
        0,
    );
    write_line(
        &mut out,
        Kind::Sbom,
        "pkg:npm/é",
        "é",
        &digest,
        MAX_DOCUMENT_BYTES,
    );
    write_line(&mut out, Kind::Vex, "a", "B", &digest, 10);
    write_line(&mut out, Kind::Vex, "a", "b", &digest, 9_999);
    out
}

/// What a reader makes of a listing: the same listing, written anew, or the fault and its line.
fn reread(bytes: &[u8]) -> Result<Vec<u8>, (u64, LineFault)> {
    let mut reader = ListingReader::new(bytes);
    let mut out = Vec::new();
    loop {
        match reader.next() {
            Ok(Some(entry)) => write_line(
                &mut out,
                entry.kind,
                entry.subject_key,
                entry.id,
                &entry.sha256,
                entry.size,
            ),
            Ok(None) => return Ok(out),
            Err(ListingError::Line { line, fault, .. }) => return Err((line, fault)),
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn lines_are_these_bytes() {
    assert_eq!(String::from_utf8(sample()).unwrap(), GOLDEN);
    for line in GOLDEN.lines() {
        is_jcs(line.as_bytes()).unwrap();
        check(line.as_bytes(), &Limits::default()).unwrap();
    }
    assert_eq!(reread(GOLDEN.as_bytes()).unwrap(), GOLDEN.as_bytes());
}

#[test]
fn entries_are_lent_with_their_fields_and_their_line() {
    let sample = sample();
    let mut reader = ListingReader::new(sample.as_slice());
    assert_eq!(reader.current(), None);
    reader.next().unwrap().unwrap();
    let entry = reader.next().unwrap().unwrap();
    assert_eq!(entry.kind, Kind::Finding);
    assert_eq!(entry.id, "finding \"one\"\\");
    assert_eq!(entry.subject_key, "pkg:npm/x@1");
    assert_eq!(entry.path, path::document(Kind::Finding, entry.id));
    assert_eq!(entry.sha256, Sha256Digest::of(b"{}"));
    assert_eq!(entry.size, 0);
    assert_eq!(
        entry.line,
        GOLDEN.split_inclusive('\n').nth(1).unwrap().as_bytes()
    );
    while reader.next().unwrap().is_some() {}
    assert_eq!(reader.lines(), 5);
    assert!(reader.next().unwrap().is_none(), "the end stays the end");
    assert!(reader.current().is_none());
}

#[test]
fn other_spellings_are_refused_with_their_line() {
    let line = |number: usize| GOLDEN.split_inclusive('\n').nth(number).unwrap().to_owned();
    let long = format!("{}x\n", line(0).trim_end())
        .repeat(300)
        .replace('\n', "");
    let path = path::document(Kind::Vex, "b");
    let other = path::document(Kind::Vex, "c");
    let cases: Vec<(String, u64, LineFault)> = vec![
        (
            line(0).replace(",\"kind\"", ", \"kind\""),
            1,
            LineFault::Form,
        ),
        (line(0).replace('\n', "\r\n"), 1, LineFault::Form),
        (format!("{}\n", line(0)), 2, LineFault::Form),
        (format!("\u{feff}{}", line(0)), 1, LineFault::Form),
        (
            line(0).replace("CVE-1900-0001\"}", "CVE\\u002d1900-0001\"}"),
            1,
            LineFault::Form,
        ),
        (
            line(0).replace("CVE-1900-0001\"}", "CVE\\/1900\"}"),
            1,
            LineFault::Form,
        ),
        (
            line(0).replace("\"size\":2", "\"size\":02"),
            1,
            LineFault::Form,
        ),
        (
            line(0).replace("\"size\":2", "\"size\":2.0"),
            1,
            LineFault::Form,
        ),
        (
            line(0).replace("\"size\":2", "\"size\":-2"),
            1,
            LineFault::Form,
        ),
        (
            line(0).replace("\"size\":2", "\"size\":99999999999999999999999"),
            1,
            LineFault::Form,
        ),
        (
            line(0).replace("\"}", "\",\"tenant\":\"x\"}"),
            1,
            LineFault::Form,
        ),
        (
            line(0).replace("\"advisory\"", "\"Advisory\""),
            1,
            LineFault::Form,
        ),
        (
            line(0).replace(
                "\"kind\":\"advisory\"",
                "\"kind\":\"advisory\",\"op\":\"add\"",
            ),
            1,
            LineFault::Form,
        ),
        (
            line(0).replace("sha256:44136fa", "sha256:44136FA"),
            1,
            LineFault::Form,
        ),
        (
            line(0).replace("sha256:44136fa", "44136fa"),
            1,
            LineFault::Form,
        ),
        (
            line(0).replace("\"subject_key\":\"CVE-1900-0001\"", "\"subject_key\":\"\""),
            1,
            LineFault::Id("subject_key"),
        ),
        (
            line(0).replace(
                "\"subject_key\":\"CVE-1900-0001\"",
                "\"subject_key\":\"a\\nb\"",
            ),
            1,
            LineFault::Id("subject_key"),
        ),
        (
            line(0).replace("CVE-1900-0001\"}", &format!("{}\"}}", "x".repeat(1025))),
            1,
            LineFault::Id("subject_key"),
        ),
        (
            line(0).replace("\"size\":2", "\"size\":67108865"),
            1,
            LineFault::Size(67_108_865),
        ),
        (line(0).trim_end().to_owned(), 1, LineFault::Unended),
        (line(0)[..100].to_owned(), 1, LineFault::Unended),
        (long.clone(), 1, LineFault::TooLong),
        (format!("{long}\n"), 1, LineFault::TooLong),
        (
            line(4).replace(&path, &other),
            1,
            LineFault::Path {
                found: other.clone(),
                expected: path.clone(),
            },
        ),
        (
            line(4).replace(&path, "../../etc/passwd"),
            1,
            LineFault::Path {
                found: "../../etc/passwd".to_owned(),
                expected: path.clone(),
            },
        ),
        (line(4) + &line(3), 2, LineFault::Order),
        (line(4) + &line(4), 2, LineFault::Twice),
        (line(3) + &line(0), 2, LineFault::Order),
        ("{}\n".to_owned(), 1, LineFault::Form),
    ];
    assert!(long.len() > MAX_LINE_BYTES);
    for (bytes, number, fault) in cases {
        assert_eq!(
            reread(bytes.as_bytes()),
            Err((number, fault)),
            "{bytes:.300}"
        );
    }
    let mut bad = line(0).into_bytes();
    bad[10] = 0xff;
    assert_eq!(reread(&bad), Err((1, LineFault::Form)), "not UTF-8");
}

#[test]
fn no_flipped_bit_passes_for_the_same_document() {
    let sample = sample();
    for at in 0..sample.len() {
        for bit in 0..8 {
            let mut bytes = sample.clone();
            bytes[at] ^= 1 << bit;
            // What still reads says something else of the same document: a digest, a size, a
            // subject. That is what the listing's own digest is for.
            if let Ok(again) = reread(&bytes) {
                assert_eq!(again, bytes);
                let before = &sample[..at];
                let member = [
                    "\"_id\"",
                    "\"kind\"",
                    "\"path\"",
                    "\"sha256\"",
                    "\"size\"",
                    "\"subject_key\"",
                ]
                .into_iter()
                .max_by_key(|name| memchr::memmem::rfind(before, name.as_bytes()))
                .unwrap();
                assert!(
                    matches!(member, "\"sha256\"" | "\"size\"" | "\"subject_key\""),
                    "{member} at {at}"
                );
            }
        }
    }
}

#[test]
fn a_listing_amounts_to_its_lines() {
    let sample = sample();
    let mut reader = ListingReader::new(sample.as_slice());
    let mut hasher = ListingHasher::default();
    while let Some(entry) = reader.next().unwrap() {
        hasher.add_entry(&entry);
    }
    let summary = hasher.finish();
    assert_eq!(summary.tree_digest, Sha256Digest::of(&sample));
    assert_eq!(
        (summary.documents, summary.bytes),
        (5, 2 + MAX_DOCUMENT_BYTES + 10 + 9_999)
    );
    let vex: String = GOLDEN.split_inclusive('\n').skip(3).collect();
    let tally = Tally {
        documents: 2,
        bytes: 10_009,
        digest: Sha256Digest::of(vex.as_bytes()),
    };
    assert_eq!(summary.tally(Kind::Vex), tally);
    assert_eq!(summary.kinds.len(), 4);
    let file = manifest_file(Kind::Vex, &tally);
    let expected = serde_json::json!({
        "kind": "vex", "documents": 2, "bytes": 10_009, "digest": tally.digest.to_string(),
    });
    assert_eq!(file, to_jcs(&expected).unwrap());
    assert_eq!(manifest_path(Kind::Vex), "manifests/vex.json");
    let empty = ListingHasher::default().finish();
    assert_eq!(empty.tree_digest, Sha256Digest::of(b""));
    assert_eq!(empty.tally(Kind::Sbom), Tally::default());
}

#[test]
fn a_compressed_listing_reads_the_same() {
    let compressed = zstd::encode_all(GOLDEN.as_bytes(), 3).unwrap();
    let mut reader = open_zstd(compressed.as_slice()).unwrap();
    let mut lines = Vec::new();
    while let Some(entry) = reader.next().unwrap() {
        lines.extend_from_slice(entry.line);
    }
    assert_eq!(lines, GOLDEN.as_bytes());
    let mut cut = open_zstd(&compressed[..compressed.len() / 2]).unwrap();
    let error = loop {
        match cut.next() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a cut listing has an end"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, ListingError::Read { .. }), "{error}");
}

proptest! {
    #[test]
    fn what_is_written_is_read(tree in trees()) {
        let bytes = listing(&tree);
        let mut reader = ListingReader::new(bytes.as_slice());
        for ((kind, at), (sha256, size)) in &tree {
            let entry = reader.next().unwrap().unwrap();
            prop_assert_eq!(entry.key(), (*kind, at.subject_key.as_str(), at.id.as_str()));
            prop_assert_eq!((entry.sha256, entry.size), (*sha256, *size));
        }
        prop_assert!(reader.next().unwrap().is_none());
    }

    #[test]
    fn any_bytes_are_refused_or_are_what_would_be_written(
        tree in trees(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..4),
    ) {
        let mut bytes = listing(&tree);
        for (at, byte, what) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        if let Ok(again) = reread(&bytes) {
            prop_assert_eq!(again, bytes);
        }
    }
}
