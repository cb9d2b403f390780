#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Cursor;
use std::path::Path;
use std::process::Command;

use export_model::{Kind, Tenant};
use proptest::prelude::*;

use super::*;
use crate::layer::{LayerReader, Member};
use crate::path::document;
use crate::terms::Record;

/// Bytes of a document with these terms.
fn sample(kind: Kind, id: &str, identifiers: &[&str], purls: &[&str], vendor: &str) -> Vec<u8> {
    serde_json::to_vec(&serde_json::json!({
        "_id": id, "kind": kind, "subject_key": format!("about {id}"),
        "content": {"format": "OSV", "raw": {"id": id}, "spec_version": "1"},
        "identifiers": {"primary": id, "aliases": identifiers, "cve": [], "ghsa": []},
        "linkset": {"aliases": [], "purls": purls},
        "source": {"vendor": vendor, "stream": "s"},
    }))
    .unwrap()
}

fn generated(count: u64) -> Vec<Vec<u8>> {
    let tenant: Tenant = "acme".parse().unwrap();
    export_intake::generate::generate(count, 11, &tenant).collect()
}

/// The files by brute force: all lines in a set.
fn expected(documents: &[Vec<u8>], index: Index) -> (Vec<u8>, Vec<u8>) {
    let mut lines = BTreeSet::new();
    for bytes in documents {
        let record = Record::read(bytes).unwrap();
        for value in record.values(index) {
            let term = serde_json::to_string(&value).unwrap();
            let path = document(record.kind, &record.id);
            lines.insert(format!("{{\"{index}\":{term},\"path\":\"{path}\"}}\n"));
        }
    }
    let (mut all, mut offsets) = (Vec::new(), Vec::new());
    for line in lines {
        offsets.extend_from_slice(&(all.len() as u64).to_be_bytes());
        all.extend_from_slice(line.as_bytes());
    }
    (all, offsets)
}

fn check_files(folder: &Path, documents: &[Vec<u8>], indexes: &[Index]) {
    for &index in indexes {
        let (lines, offsets) = expected(documents, index);
        let read = |name: &str| fs::read(folder.join(name)).unwrap();
        assert!(read(index.lines_file()) == lines, "{index}");
        assert!(read(index.offsets_file()) == offsets, "{index}");
    }
    assert_eq!(fs::read_dir(folder).unwrap().count(), 2 * indexes.len());
}

fn build(documents: &[Vec<u8>], indexes: &[Index], budget: usize, into: &Path) {
    let scratch = tempfile::tempdir().unwrap();
    let mut builder = IndexBuilder::new(indexes, scratch.path().to_owned(), budget);
    for bytes in documents {
        builder.push(&Record::read(bytes).unwrap()).unwrap();
    }
    builder.finish(into).unwrap();
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
}

fn lookup(folder: &Path, index: Index, term: &str) -> Result<Vec<String>, IndexError> {
    let open = |name: &str| Cursor::new(fs::read(folder.join(name)).unwrap());
    let mut paths = Vec::new();
    find(
        &mut open(index.lines_file()),
        &mut open(index.offsets_file()),
        index,
        term,
        &mut |path| {
            paths.push(path.to_owned());
            true
        },
    )?;
    Ok(paths)
}

#[test]
fn lines_are_these_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let documents = [
        sample(
            Kind::Advisory,
            "A",
            &["CVE-1900-0001", "A"],
            &["pkg:npm/x@1"],
            "v",
        ),
        sample(Kind::Vex, "B\"", &["CVE-1900-0001"], &["pkg:npm/x"], "v"),
    ];
    build(&documents, &Index::ALL, 1 << 20, folder.path());
    let mut all = String::new();
    for index in Index::ALL {
        all += &fs::read_to_string(folder.path().join(index.lines_file())).unwrap();
    }
    assert_eq!(all, include_str!("../golden/indexes.jsonl"));
    let offsets = fs::read(folder.path().join("by-purl.offsets")).unwrap();
    assert_eq!(offsets[..8], [0; 8]);
    assert_eq!(offsets.len(), 16);
    assert!(is_path("indexes/by-purl.offsets") && is_path(&path("by-subject.jsonl")));
    assert!(!is_path("by-purl.jsonl") && !is_path("indexes/by-name.jsonl"));
}

#[test]
fn files_are_those_of_brute_force_in_any_memory() {
    let documents = generated(600);
    for budget in [0, 20_000, 64 << 20] {
        let folder = tempfile::tempdir().unwrap();
        build(&documents, &Index::ALL, budget, folder.path());
        check_files(folder.path(), &documents, &Index::ALL);
    }
    let folder = tempfile::tempdir().unwrap();
    let some = [Index::Source, Index::Identifier, Index::Source];
    build(&documents, &some, 20_000, folder.path());
    check_files(folder.path(), &documents, &some[..2]);
    let folder = tempfile::tempdir().unwrap();
    build(&[], &Index::ALL, 0, folder.path());
    check_files(folder.path(), &[], &Index::ALL);
}

#[test]
fn parts_that_are_merged_give_the_files_of_the_whole() {
    let documents = generated(500);
    let scratch = tempfile::tempdir().unwrap();
    let mut all = Extents::default();
    let mut runs: Vec<Vec<u8>> = documents
        .chunks(37)
        .map(|part| {
            let mut builder = IndexBuilder::new(&Index::ALL, scratch.path().to_owned(), 8_000);
            for bytes in part {
                builder.push(&Record::read(bytes).unwrap()).unwrap();
            }
            let mut run = Vec::new();
            let extents = builder.write_run(&mut run).unwrap();
            assert_eq!(Extents::of_bytes(&extents.to_bytes()), extents);
            let mut counted = Extents::default();
            for line in run.split_inclusive(|byte| *byte == b'\n') {
                counted.count(line);
            }
            assert_eq!(extents, counted);
            all = all.and(extents);
            run
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let readers = |runs: &[Vec<u8>]| runs.iter().cloned().map(Cursor::new).collect::<Vec<_>>();
    merge_runs(readers(&runs), &Index::ALL, folder.path()).unwrap();
    check_files(folder.path(), &documents, &Index::ALL);
    let mut layer = Vec::new();
    merge_to_layer(
        readers(&runs),
        &all,
        &Index::ALL,
        scratch.path(),
        &mut layer,
    )
    .unwrap();
    check_layer(&layer, folder.path());
    // In two rounds.
    let mut half = Vec::new();
    let first = merge_to_run(readers(&runs[..6]), &mut half).unwrap();
    let mut rest = Extents::default();
    for line in runs[6..].concat().split_inclusive(|byte| *byte == b'\n') {
        rest.count(line);
    }
    assert_eq!(first.and(rest), all);
    runs.splice(..6, [half]);
    merge_runs(readers(&runs), &Index::ALL, folder.path()).unwrap();
    check_files(folder.path(), &documents, &Index::ALL);
    let only = tempfile::tempdir().unwrap();
    assert!(matches!(
        merge_runs(readers(&runs), &[Index::Purl], only.path()),
        Err(IndexError::Damaged { .. })
    ));
    // Neither may a layer lack lines that its headers count, nor have others.
    for (runs, indexes) in [
        (&runs[..3], &Index::ALL[..]),
        (&runs[..], &[Index::Purl]),
        (&runs[..], &[Index::Identifier]),
    ] {
        let scratch = scratch.path();
        let made = merge_to_layer(readers(runs), &all, indexes, scratch, &mut Vec::new());
        assert!(matches!(made, Err(IndexError::Damaged { .. })), "{made:?}");
    }
}

/// The files in a layer are those of `folder`.
fn check_layer(layer: &[u8], folder: &Path) {
    let mut reader = LayerReader::new(layer, u64::MAX);
    let mut files = Vec::new();
    while let Some(Member { path, bytes }) = reader.next().unwrap() {
        let name = path.strip_prefix("indexes/").unwrap();
        assert!(bytes == fs::read(folder.join(name)).unwrap(), "{path}");
        files.push(path.to_owned());
    }
    let expected = Index::ALL.map(|index| [index.lines_file(), index.offsets_file()].map(path));
    assert_eq!(files, expected.concat());
}

#[test]
fn a_layer_of_no_documents_has_empty_files() {
    let folder = tempfile::tempdir().unwrap();
    build(&[], &Index::ALL, 0, folder.path());
    let mut layer = Vec::new();
    let (none, scratch) = (Vec::<&[u8]>::new(), folder.path());
    merge_to_layer(none, &Extents::default(), &Index::ALL, scratch, &mut layer).unwrap();
    check_layer(&layer, folder.path());
    // More than a header can say.
    let mut extents = [0; Extents::BYTES];
    extents[8..16].copy_from_slice(&(9_u64 << 30).to_be_bytes());
    let (none, extents) = (Vec::<&[u8]>::new(), Extents::of_bytes(&extents));
    let made = merge_to_layer(none, &extents, &Index::ALL, scratch, &mut Vec::new());
    let refused = matches!(&made, Err(IndexError::TooLarge { size, .. }) if *size == 9 << 30);
    assert!(refused, "{made:?}");
}

#[test]
fn runs_that_are_none_are_refused() {
    let line = "{\"purl\":\"a\",\"path\":\"x\"}\n";
    let later = line.replace("\"a\"", "\"b\"");
    let endless = "x".repeat(MOST_LINE + 1);
    for (run, at) in [
        (format!("{later}{line}"), 2),
        (format!("{line}{line}"), 2),
        (format!("{line}{{\"path\":\"x\"}}\n"), 2),
        (line.trim_end().to_owned(), 1),
        (format!("{line}\n"), 2),
        (endless, 1),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let error = merge_runs(vec![run.as_bytes()], &Index::ALL, folder.path()).unwrap_err();
        assert!(
            matches!(error, IndexError::Damaged { line, .. } if line == at),
            "{run:.80}: {error}"
        );
    }
}

#[test]
fn every_term_is_found_and_no_other() {
    let documents = generated(300);
    let folder = tempfile::tempdir().unwrap();
    build(&documents, &Index::ALL, 1 << 20, folder.path());
    for index in Index::ALL {
        let mut wanted: BTreeSet<(String, String)> = BTreeSet::new();
        for bytes in &documents {
            let record = Record::read(bytes).unwrap();
            let path = document(record.kind, &record.id);
            wanted.extend(
                record
                    .values(index)
                    .into_iter()
                    .map(|term| (term, path.clone())),
            );
        }
        let terms: BTreeSet<_> = wanted.iter().map(|(term, _)| term.clone()).collect();
        for term in &terms {
            let expected: Vec<_> = wanted
                .iter()
                .filter(|(own, _)| own == term)
                .map(|(_, path)| path.clone())
                .collect();
            assert_eq!(
                lookup(folder.path(), index, term).unwrap(),
                expected,
                "{term}"
            );
            for other in [
                format!("{term}\u{1}"),
                format!("{term}!"),
                term[1..].to_owned(),
            ] {
                if !terms.contains(&other) {
                    assert_eq!(
                        lookup(folder.path(), index, &other).unwrap(),
                        [""; 0],
                        "{other}"
                    );
                }
            }
        }
        for other in ["", "\u{0}", "\u{10ffff}", "zzzz"] {
            assert_eq!(lookup(folder.path(), index, other).unwrap(), [""; 0]);
        }
    }
    let open = |name: &str| File::open(folder.path().join(name)).unwrap();
    let mut asked = 0;
    let source = Record::read(&documents[0])
        .unwrap()
        .values(Index::Source)
        .remove(0);
    find(
        &mut open("by-source.jsonl"),
        &mut open("by-source.offsets"),
        Index::Source,
        &source,
        &mut |_| {
            asked += 1;
            asked < 3
        },
    )
    .unwrap();
    assert_eq!(asked, 3, "it stops when told to");
}

#[test]
fn damaged_offsets_are_found_out() {
    let folder = tempfile::tempdir().unwrap();
    build(&generated(50), &Index::ALL, 1 << 20, folder.path());
    let offsets = folder.path().join("by-purl.offsets");
    let good = fs::read(&offsets).unwrap();
    let shifted: Vec<u8> = good
        .chunks(8)
        .flat_map(|at| (u64::from_be_bytes(at.try_into().unwrap()) + 1).to_be_bytes())
        .collect();
    for bad in [shifted, vec![0xff; good.len()], vec![0x7f; good.len()]] {
        fs::write(&offsets, bad).unwrap();
        assert!(lookup(folder.path(), Index::Purl, "pkg:npm/x").is_err());
    }
}

#[test]
fn long_terms_and_stray_control_characters_are_left_out() {
    let long = "x".repeat(MAX_TERM_BYTES + 1);
    let longest = "y".repeat(MAX_TERM_BYTES);
    let mut bytes = sample(Kind::Vex, "V", &[&long, &longest], &["pkg:npm/a\nb"], "v");
    let folder = tempfile::tempdir().unwrap();
    build(
        std::slice::from_ref(&bytes),
        &Index::ALL,
        1 << 20,
        folder.path(),
    );
    assert_eq!(
        lookup(folder.path(), Index::Identifier, &long)
            .unwrap()
            .len(),
        0
    );
    assert_eq!(
        lookup(folder.path(), Index::Identifier, &longest)
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        lookup(folder.path(), Index::Purl, "pkg:npm/a\nb")
            .unwrap()
            .len(),
        1
    );
    // Not canonical, so it cannot be in a tree; still it breaks no line.
    let at = memchr::memmem::find(&bytes, b"a\\nb").unwrap();
    bytes.splice(at..at + 4, *b"a\nbc");
    build(
        std::slice::from_ref(&bytes),
        &Index::ALL,
        1 << 20,
        folder.path(),
    );
    assert_eq!(fs::read(folder.path().join("by-purl.jsonl")).unwrap(), b"");
}

#[test]
fn look_finds_a_line_by_how_it_begins() {
    let documents = generated(300);
    let folder = tempfile::tempdir().unwrap();
    build(&documents, &Index::ALL, 1 << 20, folder.path());
    let mut looked = 0;
    for bytes in &documents {
        let record = Record::read(bytes).unwrap();
        let Some(term) = record.values(Index::Purl).pop() else {
            continue;
        };
        let wanted = format!("{{\"purl\":\"{term}\"");
        let found = Command::new("look")
            .env("LC_ALL", "C")
            .args([&wanted, "by-purl.jsonl"])
            .current_dir(folder.path())
            .output();
        let Ok(found) = found else {
            println!("skipped: indexes by another tool: look is not installed");
            return;
        };
        let paths = lookup(folder.path(), Index::Purl, &term).unwrap();
        let lines: Vec<String> = paths
            .iter()
            .map(|path| format!("{wanted},\"path\":\"{path}\"}}"))
            .collect();
        assert_eq!(
            String::from_utf8(found.stdout)
                .unwrap()
                .lines()
                .collect::<Vec<_>>(),
            lines
        );
        looked += 1;
    }
    assert!(looked > 100);
}

#[test]
fn an_index_of_another_tree_is_not_updated() {
    let [a, b] = ["A", "B"].map(|id| sample(Kind::Vex, id, &[], &[], "v"));
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    build(std::slice::from_ref(&a), &Index::ALL, 1 << 20, old.path());
    let update = |gone: Option<&[u8]>, come: Option<&[u8]>| {
        let mut update = IndexUpdate::new(&Index::ALL, new.path().to_owned(), 1 << 20);
        if let Some(bytes) = gone {
            update.remove(&Record::read(bytes).unwrap()).unwrap();
        }
        if let Some(bytes) = come {
            update.add(&Record::read(bytes).unwrap()).unwrap();
        }
        update.finish(old.path(), new.path())
    };
    update(Some(&a), Some(&b)).unwrap();
    assert!(matches!(
        update(Some(&b), None),
        Err(IndexError::Unfit { .. })
    ));
    assert!(matches!(
        update(None, Some(&a)),
        Err(IndexError::Unfit { .. })
    ));
    fs::remove_file(old.path().join("by-purl.jsonl")).unwrap();
    let error = update(None, None).unwrap_err();
    assert!(error.to_string().contains("by-purl.jsonl"), "{error}");
    let nowhere = IndexBuilder::new(&Index::ALL, "/nowhere/at/all".into(), 0)
        .finish(Path::new("/nowhere/at/all"));
    assert!(nowhere.unwrap_err().to_string().contains("/nowhere/at/all"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn an_update_gives_what_a_rebuild_gives(
        old in prop::collection::btree_map("[a-e]", (prop::collection::vec("[xyz\"!]{1,2}", 0..4), "[pq]"), 0..5),
        new in prop::collection::btree_map("[a-e]", (prop::collection::vec("[xyz\"!]{1,2}", 0..4), "[pq]"), 0..5),
        budget in 0..20_000_usize,
    ) {
        let documents = |tree: &std::collections::BTreeMap<String, (Vec<String>, String)>| -> Vec<Vec<u8>> {
            tree.iter()
                .map(|(id, (terms, vendor))| {
                    let terms: Vec<&str> = terms.iter().map(String::as_str).collect();
                    sample(Kind::Advisory, id, &terms, &terms, vendor)
                })
                .collect()
        };
        let (before, after) = (documents(&old), documents(&new));
        let folder = tempfile::tempdir().unwrap();
        let [a, b, scratch] = ["a", "b", "scratch"].map(|name| folder.path().join(name));
        for path in [&a, &b, &scratch] {
            fs::create_dir(path).unwrap();
        }
        build(&before, &Index::ALL, budget, &a);
        check_files(&a, &before, &Index::ALL);
        let mut update = IndexUpdate::new(&Index::ALL, scratch, budget);
        for (id, bytes) in old.keys().zip(&before) {
            if old.get(id) != new.get(id) {
                update.remove(&Record::read(bytes).unwrap()).unwrap();
            }
        }
        for (id, bytes) in new.keys().zip(&after) {
            if old.get(id) != new.get(id) {
                update.add(&Record::read(bytes).unwrap()).unwrap();
            }
        }
        update.finish(&a, &b).unwrap();
        check_files(&b, &after, &Index::ALL);
    }
}
