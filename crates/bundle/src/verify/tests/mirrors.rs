//! Mirrors that are rightly signed, but whose layers or lists are not what they should be.

use export_mirror::path::document;
use export_model::{Kind, ProfileKind, Sha256Digest};

use super::*;
use crate::manifest::{Manifest, content_digest};
use crate::payload::{DELTA, DELTA_CHANGES, MANIFESTS_LAYER, TREE};
use crate::test_support::mirror::{Document, changes, counts, listing, tar, untar};
use crate::test_support::{Sample, documents, record, replace_content};

const LAYER: &str = "payload/layers/advisory-00000.tar.zst";

/// The bundle of `kind` after `edit`, rightly signed, looked into.
fn edited(kind: ProfileKind, edit: impl FnOnce(&mut Manifest, &mut Vec<Member>)) -> Report {
    let key = SigningKey::generate().unwrap();
    let mut members = Sample::mirror(kind).members(&key);
    let mut manifest = Manifest::parse(&members[0].1).unwrap();
    edit(&mut manifest, &mut members);
    manifest.content_digest = content_digest(&manifest.files);
    members.splice(..5, documents(&manifest, &key));
    check(&members, &key, &DEEP)
}

/// The full mirror whose first layer is another, rightly signed, looked into.
fn with_layer(edit: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Report {
    edited(ProfileKind::MirrorFull, |manifest, members| {
        let (_, stored) = members.iter().find(|(path, _)| path == LAYER).unwrap();
        let content = edit(zstd::stream::decode_all(stored.as_slice()).unwrap());
        replace_content(manifest, members, LAYER, &content);
    })
}

fn with_documents(edit: impl FnOnce(&mut Vec<Document>)) -> Report {
    with_layer(|layer| {
        let mut documents = untar(&layer);
        assert_eq!(tar(&documents), layer);
        edit(&mut documents);
        tar(&documents)
    })
}

#[track_caller]
fn assert_refused(report: &Report, path: &str, what: &str) {
    assert_eq!(report.verdict, Verdict::Failed);
    let says = report
        .problems
        .iter()
        .any(|problem| problem.path.as_deref() == Some(path) && problem.detail.contains(what));
    assert!(says, "{what}: {:?}", report.problems);
}

#[test]
fn they_verify() {
    let key = SigningKey::generate().unwrap();
    for kind in [ProfileKind::MirrorFull, ProfileKind::MirrorDelta] {
        for records in [11, 0] {
            let mut sample = Sample::mirror(kind);
            sample.records.truncate(records);
            let members = sample.members(&key);
            for options in [&PLAIN, &DEEP] {
                let report = check(&members, &key, options);
                assert_eq!(report.verdict, Verdict::Verified, "{:?}", report.problems);
                assert_eq!(report.unchecked, Vec::<String>::new());
            }
            let summary = check(&members, &key, &DEEP).summary.unwrap();
            assert_eq!(
                (summary.profile_kind, summary.records),
                (kind, records as u64)
            );
        }
    }
}

#[test]
fn documents_in_each_others_places_are_found() {
    let swapped = with_documents(|documents| {
        let first = documents[0].1.clone();
        documents[0].1 = std::mem::replace(&mut documents[1].1, first);
    });
    assert_refused(&swapped, LAYER, "is where data/raw/advisory/");
    let reordered = with_documents(|documents| documents.swap(0, 1));
    assert_refused(&reordered, LAYER, "out of canonical order");
    let twice = with_documents(|documents| documents[1] = documents[0].clone());
    assert_refused(&twice, LAYER, "out of canonical order");
}

#[test]
fn a_document_at_a_wrong_path_is_found() {
    let of = |path: String| with_documents(|documents| documents[0].0 = path);
    let other = document(Kind::Advisory, "advisory_raw:test:999999");
    assert_refused(&of(other.clone()), LAYER, &format!("`{other}` is where"));
    // Of another kind, and nowhere in particular.
    let other = document(Kind::Vex, "advisory_raw:test:000000");
    assert_refused(&of(other), LAYER, "is where");
    for path in [
        "data/x.json",
        "manifests/advisory.json",
        "../x",
        "/etc/passwd",
        "indexes/by-purl.jsonl",
    ] {
        assert_refused(&of(path.to_owned()), LAYER, "");
    }
}

#[test]
fn a_document_that_is_another_record_is_found() {
    let of = |from: &str, to: &str| {
        with_documents(|documents| {
            let text = String::from_utf8(documents[0].1.clone()).unwrap();
            assert!(text.contains(from), "{text}");
            documents[0].1 = text.replacen(from, to, 1).into_bytes();
        })
    };
    assert_refused(
        &of("\"acme\"", "\"evil\""),
        LAYER,
        "does not belong to tenant acme",
    );
    assert_refused(&of("{\"_id\"", "{ \"_id\""), LAYER, "");
    assert_refused(
        &of("\"number\":0", "\"number\":1"),
        LAYER,
        "ERR_AOC_CONTENT_HASH",
    );
    // One that nothing is wrong with, but is not what the input hash is of.
    let other = with_documents(|documents| {
        documents[1].1 = record(Kind::Advisory, 1, 101).canonical;
    });
    assert_refused(&other, "payload/inputs.jsonl.zst", "part 0: ");
}

#[test]
fn a_missing_document_is_found() {
    let missing = with_documents(|documents| drop(documents.remove(1)));
    assert_refused(&missing, LAYER, "it has 2 records, but 3 were signed");
    let last = with_documents(|documents| drop(documents.pop()));
    assert_refused(&last, LAYER, "it has 2 records, but 3 were signed");
}

#[test]
fn what_is_no_archive_is_found() {
    for (what, edit) in [
        (
            "",
            &(|layer: Vec<u8>| b"no archive".repeat(layer.len())) as &dyn Fn(Vec<u8>) -> Vec<u8>,
        ),
        ("its archive has no end", &|layer| {
            layer[..layer.len() - 512].to_vec()
        }),
        ("its archive has no end", &|layer| {
            layer[..layer.len() - 1024].to_vec()
        }),
        ("its archive has no end", &|layer| {
            layer[..layer.len() - 2000].to_vec()
        }),
        ("something follows the layer's end", &|layer| {
            [layer, vec![0]].concat()
        }),
        ("something follows the layer's end", &|layer| {
            layer.repeat(2)
        }),
        ("something stands between its documents", &|mut layer| {
            // The last byte before the archive's end is padding.
            let at = layer.len() - 1025;
            assert_eq!(layer[at], 0);
            layer[at] = 1;
            layer
        }),
        ("is no member that a layer can have", &|mut layer| {
            // A link, whose checksum is right.
            layer[156] = b'2';
            let digits = std::str::from_utf8(&layer[148..154]).unwrap();
            let sum = u32::from_str_radix(digits, 8).unwrap() + 2;
            layer[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
            layer
        }),
        ("is no member that a layer can have", &|mut layer| {
            // Another owner.
            layer[108..115].copy_from_slice(b"0000001");
            layer
        }),
    ] {
        assert_refused(&with_layer(edit), LAYER, what);
    }
}

#[test]
fn lists_of_another_tree_are_found() {
    let mut other = Sample::mirror(ProfileKind::MirrorFull).records;
    other.pop();
    let (list, summary) = listing(&other);
    // Both are signed, and the layers carry more than they say.
    let report = edited(ProfileKind::MirrorFull, |manifest, members| {
        replace_content(manifest, members, TREE, &list);
        manifest.tree_digest = Some(summary.tree_digest);
    });
    assert_refused(
        &report,
        TREE,
        "the documents that the layers carry make a tree of the digest",
    );
    let report = edited(ProfileKind::MirrorFull, |manifest, members| {
        replace_content(manifest, members, MANIFESTS_LAYER, &counts(&summary));
    });
    assert_refused(
        &report,
        MANIFESTS_LAYER,
        "its counts are not those of the tree",
    );
    // The manifest and the list say different things.
    let report = edited(ProfileKind::MirrorFull, |manifest, members| {
        replace_content(manifest, members, TREE, &list);
    });
    assert_refused(
        &report,
        "export.json",
        "`tree_digest` is not that of payload/tree.jsonl.zst",
    );
    let report = edited(ProfileKind::MirrorFull, |manifest, members| {
        manifest.files.retain(|file| file.path != MANIFESTS_LAYER);
        members.retain(|(path, _)| path != MANIFESTS_LAYER);
    });
    assert_refused(&report, MANIFESTS_LAYER, "");
}

#[test]
fn changes_that_are_not_what_is_carried_are_found() {
    let with_changes = |list: Vec<u8>| {
        edited(ProfileKind::MirrorDelta, |manifest, members| {
            replace_content(manifest, members, DELTA_CHANGES, &list);
        })
    };
    let all = Sample::mirror(ProfileKind::MirrorDelta).records;
    let fewer = with_changes(changes(&all[1..]));
    assert_refused(
        &fewer,
        DELTA_CHANGES,
        "its documents are not those that the layers carry",
    );
    let mut more = all.clone();
    more.insert(7, record(Kind::Advisory, 7, 100));
    assert_refused(
        &with_changes(changes(&more)),
        DELTA_CHANGES,
        "not those that the layers carry",
    );
    let mut text = changes(&all);
    assert_eq!(with_changes(text.clone()).verdict, Verdict::Verified);
    text.pop();
    assert_refused(&with_changes(text), DELTA_CHANGES, "");
    assert_refused(&with_changes(b"no list\n".to_vec()), DELTA_CHANGES, "");
    let mut reordered: Vec<_> = all.clone();
    reordered.swap(0, 1);
    // Read a frame at a time, each is in order only if all is.
    assert_refused(&with_changes(changes(&reordered)), DELTA_CHANGES, "");
}

#[test]
fn a_delta_says_the_same_twice() {
    for edit in [
        &(|manifest: &mut Manifest| {
            manifest.result_tree_digest = Some(Sha256Digest::of(b"another"));
        }) as &dyn Fn(&mut Manifest),
        &|manifest| manifest.base.as_mut().unwrap().tree_digest = Sha256Digest::of(b"another"),
    ] {
        let report = edited(ProfileKind::MirrorDelta, |manifest, _| edit(manifest));
        assert_refused(
            &report,
            "export.json",
            &format!("{DELTA} has other digests"),
        );
    }
    for edit in [
        &(|manifest: &mut Manifest| manifest.base = None) as &dyn Fn(&mut Manifest),
        &|manifest| manifest.result_tree_digest = None,
        &|manifest| manifest.tree_digest = Some(Sha256Digest::of(b"a tree")),
    ] {
        let report = edited(ProfileKind::MirrorDelta, |manifest, _| edit(manifest));
        assert_refused(
            &report,
            "export.json",
            "are not those of an export of mirror:delta",
        );
    }
}

#[test]
fn layers_and_lines_do_not_go_together() {
    // A mirror that calls itself something else.
    let report = edited(ProfileKind::MirrorFull, |manifest, _| {
        manifest.profile.kind = ProfileKind::JsonRaw;
        manifest.profile.name = "json:raw".to_owned();
        manifest.profile.variant = "raw".to_owned();
        manifest.tree_digest = None;
    });
    let path = "`payload/layers/advisory-00000.tar` does not belong in an export of json:raw";
    assert_refused(&report, "export.json", path);
    // Lines of records in a mirror.
    let lines = "payload/advisory/part-00000.jsonl.zst";
    let report = edited(ProfileKind::MirrorFull, |manifest, members| {
        let file = manifest.files.iter_mut().find(|file| file.path == LAYER);
        file.unwrap().path = lines.to_owned();
        manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
        let at = members.iter().position(|(path, _)| path == LAYER).unwrap();
        members[at].0 = lines.to_owned();
        members[5..].sort();
    });
    let path = "`payload/advisory/part-00000.jsonl` does not belong in an export of mirror:full";
    assert_refused(&report, "export.json", path);
    // Digests of a tree in an export of lines.
    let key = SigningKey::generate().unwrap();
    let members = Sample::raw(3, 40, 3).members_with(&key, |manifest| {
        manifest.tree_digest = Some(Sha256Digest::of(b"a tree"));
    });
    let report = check(&members, &key, &PLAIN);
    assert_refused(
        &report,
        "export.json",
        "are not those of an export of json:raw",
    );
}
