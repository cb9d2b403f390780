//! Bundles whose records were assembled to a scanner's layer.

use export_model::{Kind, ProfileKind};

use super::*;
use crate::manifest::{Manifest, content_digest};
use crate::payload::{INPUTS, SUMMARY};
use crate::test_support::{Sample, documents, replace_content};

const LAYER: &str = "payload/db.tar.gz";

fn sample() -> Sample {
    Sample::assembled(ProfileKind::TrivyDb)
}

/// The bundle after `edit`, rightly signed, looked into.
fn edited(edit: impl FnOnce(&mut Manifest, &mut Vec<Member>)) -> Report {
    let key = SigningKey::generate().unwrap();
    let mut members = sample().members(&key);
    let mut manifest = Manifest::parse(&members[0].1).unwrap();
    edit(&mut manifest, &mut members);
    manifest.content_digest = content_digest(&manifest.files);
    members.splice(..5, documents(&manifest, &key));
    check(&members, &key, &DEEP)
}

/// Replaces what is stored as `path`, and what the manifest says of that, but nothing that it says of
/// the content.
fn store(manifest: &mut Manifest, members: &mut [Member], path: &str, stored: Vec<u8>) {
    let entry = manifest.files.iter_mut().find(|file| file.path == path);
    let entry = entry.unwrap();
    entry.size = stored.len() as u64;
    entry.sha256 = export_model::Sha256Digest::of(&stored);
    members.iter_mut().find(|(own, _)| own == path).unwrap().1 = stored;
}

fn stored(members: &[Member], path: &str) -> Vec<u8> {
    let found = members.iter().find(|(own, _)| own == path);
    found.unwrap().1.clone()
}

#[test]
fn they_verify() {
    let key = SigningKey::generate().unwrap();
    for kind in [ProfileKind::TrivyDb, ProfileKind::TrivyJavaDb] {
        let members = Sample::assembled(kind).members(&key);
        for options in [&PLAIN, &DEEP] {
            let report = check(&members, &key, options);
            assert_eq!(report.verdict, Verdict::Verified, "{:?}", report.problems);
            assert_eq!(report.unchecked, Vec::<String>::new());
        }
        let report = check(&members, &key, &DEEP);
        let summary = report.summary.unwrap();
        assert_eq!(summary.profile_kind, kind);
        let kinds = kind.kinds().len() as u64;
        assert_eq!(summary.records, kinds * 5 - 1, "one was quarantined");
    }
}

#[test]
fn an_altered_layer_is_found() {
    let key = SigningKey::generate().unwrap();
    let mut members = sample().members(&key);
    let layer = members.iter_mut().find(|(path, _)| path == LAYER).unwrap();
    let middle = layer.1.len() / 2;
    layer.1[middle] ^= 1;
    let report = check(&members, &key, &PLAIN);
    assert_eq!(found(&report), [("ERR_ALTERED", Some(LAYER))]);
    let report = check(&members, &key, &DEEP);
    assert_eq!(report.verdict, Verdict::Failed);
    assert!(found(&report).iter().all(|(_, path)| *path == Some(LAYER)));
}

#[test]
fn a_layer_that_is_not_the_content_that_was_signed_is_found() {
    let report = edited(|_, _| {});
    assert_eq!(report.verdict, Verdict::Verified, "{:?}", report.problems);

    // Stored bytes that are signed, and hold something else than what was signed as their content.
    let other = {
        let key = SigningKey::generate().unwrap();
        let mut members = sample().members(&key);
        let mut manifest = Manifest::parse(&members[0].1).unwrap();
        replace_content(&mut manifest, &mut members, LAYER, b"another archive");
        stored(&members, LAYER)
    };
    let report = edited(|manifest, members| store(manifest, members, LAYER, other));
    assert_eq!(found(&report), [("ERR_ALTERED", Some(LAYER))]);
    assert!(report.problems[0].detail.contains("signed were"));

    for (edit, what) in [
        (
            &(|mut layer: Vec<u8>| {
                layer.truncate(layer.len() - 9);
                layer
            }) as &dyn Fn(Vec<u8>) -> Vec<u8>,
            "",
        ),
        (&|layer| [layer, vec![0; 512]].concat(), "after the gzip"),
        (&|layer| [layer.clone(), layer].concat(), "after the gzip"),
        (&|_| b"no gzip at all".to_vec(), "cannot be decompressed"),
    ] {
        let report = edited(|manifest, members| {
            let layer = edit(stored(members, LAYER));
            store(manifest, members, LAYER, layer);
        });
        assert_eq!(found(&report), [("ERR_ALTERED", Some(LAYER))], "{what}");
        let detail = &report.problems[0].detail;
        assert!(detail.contains(what), "{detail}");
    }
}

#[test]
fn counts_that_the_inputs_do_not_bear_out_are_found() {
    let refused = |report: &Report| {
        assert_eq!(found(report), [("ERR_ALTERED", Some(INPUTS))]);
        report.problems[0].detail.clone()
    };
    let moved = edited(|manifest, _| {
        *manifest.counts.by_kind.get_mut(&Kind::Advisory).unwrap() -= 1;
        *manifest.counts.by_kind.get_mut(&Kind::Vex).unwrap() += 1;
    });
    assert!(refused(&moved).contains("other numbers of records"));
    let fewer = edited(|manifest, members| {
        let key = SigningKey::generate().unwrap();
        let all = sample().members(&key);
        let lines = zstd::stream::decode_all(stored(&all, INPUTS).as_slice()).unwrap();
        let text = String::from_utf8(lines).unwrap();
        let cut = text.trim_end().rfind('\n').unwrap() + 1;
        replace_content(manifest, members, INPUTS, &text.as_bytes()[..cut]);
    });
    assert!(refused(&fewer).contains("other numbers of records"));
    let named = edited(|manifest, members| {
        let lines = zstd::stream::decode_all(stored(members, INPUTS).as_slice()).unwrap();
        let text = String::from_utf8(lines).unwrap();
        let file = "\"file\":\"payload/vex/part-00001.jsonl\"";
        let changed = text.replacen("\"file\":null", file, 1);
        replace_content(manifest, members, INPUTS, changed.as_bytes());
    });
    assert!(refused(&named).contains("no file of records"));
}

#[test]
fn a_payload_without_its_layer_is_no_export_of_its_kind() {
    let report = edited(|manifest, members| {
        manifest.files.retain(|file| file.path != LAYER);
        members.retain(|(path, _)| path != LAYER);
    });
    assert_eq!(report.verdict, Verdict::Failed);
    assert!(
        report.problems[0].detail.contains(LAYER),
        "{:?}",
        report.problems
    );
    let report = edited(|manifest, members| {
        manifest.files.retain(|file| file.path != SUMMARY);
        members.retain(|(path, _)| path != SUMMARY);
    });
    assert_eq!(report.verdict, Verdict::Verified, "{:?}", report.problems);
}
