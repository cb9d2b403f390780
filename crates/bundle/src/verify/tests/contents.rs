//! Bundles that are rightly signed, but whose contents are not what they should be.

use export_model::Kind;

use super::*;
use crate::frames::FRAME_BYTES;
use crate::manifest::Manifest;
use crate::test_support::{Sample, documents, record, replace_content};

const PART: &str = "payload/advisory/part-00000.jsonl.zst";

/// Changes the content of `path`, signs again, and looks into it.
fn with_content(sample: &Sample, path: &str, edit: impl Fn(Vec<u8>) -> Vec<u8>) -> Report {
    let key = SigningKey::generate().unwrap();
    let mut members = sample.members(&key);
    let mut manifest = Manifest::parse(&members[0].1).unwrap();
    let stored = &members.iter().find(|(own, _)| own == path).unwrap().1;
    let content = if path.ends_with(".zst") {
        zstd::stream::decode_all(stored.as_slice()).unwrap()
    } else {
        stored.clone()
    };
    let content = edit(content);
    replace_content(&mut manifest, &mut members, path, &content);
    members.splice(..5, documents(&manifest, &key));
    assert_eq!(check(&members, &key, &PLAIN).verdict, Verdict::Verified);
    check(&members, &key, &DEEP)
}

fn replaced(from: &str, to: &str) -> impl Fn(Vec<u8>) -> Vec<u8> {
    move |content| {
        let text = String::from_utf8(content).unwrap();
        assert!(text.contains(from), "{text}");
        text.replacen(from, to, 1).into_bytes()
    }
}

fn assert_refused(report: &Report, path: &str, what: &str) {
    assert_eq!(report.verdict, Verdict::Failed);
    assert!(
        report
            .problems
            .iter()
            .any(|p| p.path.as_deref() == Some(path) && p.detail.contains(what)),
        "{what}: {:?}",
        report.problems
    );
}

#[test]
fn lines_that_are_no_records_are_refused() {
    let sample = Sample::raw(4, 40, 4);
    let cases: [(&str, &str, &str); 9] = [
        ("{\"_id\"", "{ \"_id\"", "line 1: "),
        (
            "\"acme\"",
            "\"evil\"",
            "line 1: the record does not belong to tenant acme",
        ),
        (
            "\"kind\":\"advisory\"",
            "\"kind\":\"vex\"",
            "line 1: the record is not of kind advisory",
        ),
        (
            "\"number\":2",
            "\"number\":20",
            "line 3: ERR_AOC_CONTENT_HASH",
        ),
        (
            "\"kind\":\"advisory\",",
            "\"kind\":\"advisory\",\"severity\":\"high\",",
            "line 1: ERR_AOC_DERIVED_FIELD",
        ),
        (
            "\"vendor\":\"test\"",
            "\"vendor\":\"\"",
            "line 1: ERR_AOC_PROVENANCE",
        ),
        (
            "test:000001",
            "test:000000",
            "line 2: the record `advisory_raw:test:000000` is out of canonical order",
        ),
        ("\n", "\n\n", "line 2: "),
        ("\n{\"_id\":\"advisory_raw:test:000003\"", "", ""),
    ];
    for (from, to, what) in cases {
        assert_refused(&with_content(&sample, PART, replaced(from, to)), PART, what);
    }
    let cut = with_content(&sample, PART, |mut content| {
        content.pop();
        content
    });
    assert_refused(&cut, PART, "its last line has no end");
}

#[test]
fn a_missing_record_is_found() {
    let sample = Sample::raw(4, 40, 4);
    let without = |number: usize| {
        move |content: Vec<u8>| {
            let mut lines: Vec<_> = content.split_inclusive(|b| *b == b'\n').collect();
            lines.remove(number);
            lines.concat()
        }
    };
    assert_refused(
        &with_content(&sample, PART, without(1)),
        PART,
        "it has 3 records, but 4 were signed",
    );
}

#[test]
fn another_record_in_its_place_is_found_by_the_input_hash() {
    let sample = Sample::raw(4, 40, 4);
    let other = record(Kind::Advisory, 2, 41);
    let report = with_content(&sample, PART, |content| {
        let mut lines: Vec<_> = content
            .split_inclusive(|b| *b == b'\n')
            .map(<[u8]>::to_vec)
            .collect();
        lines[2] = [&other.canonical[..], b"\n"].concat();
        lines.concat()
    });
    assert_refused(&report, "payload/inputs.jsonl.zst", "part 0: ");
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    let path = "payload/inputs.jsonl.zst";
    let sample = Sample::policy();
    for (from, to, what) in [
        ("{\"bytes\"", "{ \"bytes\"", "line 1: "),
        (
            "\"part\":0",
            "\"part\":1",
            "line 1: the part is out of order",
        ),
        (
            "part-00001.jsonl",
            "part-00009.jsonl",
            "which is no file of records",
        ),
        ("\"records\":2", "\"records\":3", "part 0: it had 3 records"),
        ("\"hash\":\"sha256:", "\"hash\":\"md5:", "line 1: "),
        ("\"quarantined\":1", "\"quarantined\":0", "part 0: "),
    ] {
        assert_refused(&with_content(&sample, path, replaced(from, to)), path, what);
    }
    // Every part's hash counts, with and without quarantined records, and with nothing left.
    let parts = 9;
    for part in 0..parts {
        let report = with_content(&sample, path, |content| {
            let text = String::from_utf8(content).unwrap();
            let mut lines: Vec<String> = text.lines().map(|line| format!("{line}\n")).collect();
            assert_eq!(lines.len(), parts);
            let at = lines[part].find("sha256:").unwrap() + 7;
            let digit = if lines[part][at..].starts_with('0') {
                "1"
            } else {
                "0"
            };
            lines[part].replace_range(at..=at, digit);
            lines.concat().into_bytes()
        });
        assert_refused(&report, path, &format!("part {part}: its input hash is"));
    }
}

#[test]
fn quarantine_that_does_not_fit_is_refused() {
    let path = "payload/quarantine.jsonl.zst";
    let sample = Sample::policy();
    for (from, to, path, what) in [
        (
            "ERR_AOC_DERIVED_FIELD",
            "ERR_AOC_PROVENANCE",
            path,
            "as many records of each code",
        ),
        ("\"_id\"", " \"_id\"", path, "line 1: "),
        (
            "\"kind\":\"advisory\"",
            "\"kind\":\"sbom\"",
            "payload/inputs.jsonl.zst",
            "part 0: ",
        ),
        (
            "\"record_sha256\":\"sha256:",
            "\"record_sha256\":\"sha1:",
            path,
            "line 1: ",
        ),
    ] {
        let report = with_content(&sample, "payload/quarantine.jsonl.zst", replaced(from, to));
        assert_refused(&report, path, what);
    }
}

#[test]
fn policy_that_does_not_fit_is_refused() {
    let path = "payload/policy_snapshot.json";
    let sample = Sample::policy();
    for (from, to, what) in [
        ("\"findings\":4", "\"findings\":5", "fingerprint"),
        (
            "\"tenant\":\"acme\"",
            "\"tenant\":\"evil\"",
            "another tenant",
        ),
        ("{", "{ ", "canonical"),
        (
            "\"policy_version\"",
            "\"policy_vision\"",
            "not a policy snapshot",
        ),
    ] {
        assert_refused(&with_content(&sample, path, replaced(from, to)), path, what);
    }
    let finding = "payload/finding/part-00000.jsonl.zst";
    let report = with_content(&sample, finding, replaced("\"hit\"", "\"miss\""));
    assert_refused(&report, path, "fingerprint");
}

#[test]
fn lines_may_cross_frames_and_be_longer_than_one() {
    let key = SigningKey::generate().unwrap();
    let mut sample = Sample::raw(40, 3_000, 60_000);
    for number in [40, 41] {
        sample
            .records
            .push(record(Kind::Advisory, number, FRAME_BYTES * 9 / 4));
    }
    sample
        .records
        .extend((42..6_000).map(|n| record(Kind::Advisory, n, 3_000)));
    let members = sample.members(&key);
    for threads in [1, 2, 5] {
        let report = check(
            &members,
            &key,
            &VerifyOptions {
                deep: true,
                threads,
                keys: Keys(None),
            },
        );
        assert_eq!(report.problems, []);
        assert_eq!(report.verdict, Verdict::Verified);
    }
    let (size, stored) = (FRAME_BYTES * 9 / 4, &members[5].1);
    assert!(stored.len() > 1000 && size > FRAME_BYTES);
    // A wrong record behind the long ones is named by its line.
    let report = with_content(
        &sample,
        PART,
        replaced("\"number\":5000", "\"number\":5009"),
    );
    assert_refused(&report, PART, "line 5001: ERR_AOC_CONTENT_HASH");
}

#[test]
fn frames_of_another_making_are_refused() {
    let key = SigningKey::generate().unwrap();
    let mut members = Sample::raw(4, 40, 4).members(&key);
    let mut manifest = Manifest::parse(&members[0].1).unwrap();
    let content = zstd::stream::decode_all(members[5].1.as_slice()).unwrap();
    for stored in [
        zstd::stream::encode_all(content.as_slice(), 3).unwrap(),
        [&members[5].1[..], &[0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0]].concat(),
        content.clone(),
    ] {
        manifest.files[0].size = stored.len() as u64;
        manifest.files[0].sha256 = export_model::Sha256Digest::of(&stored);
        members[5].1 = stored;
        members.splice(..5, documents(&manifest, &key));
        assert_eq!(check(&members, &key, &PLAIN).verdict, Verdict::Verified);
        assert_refused(&check(&members, &key, &DEEP), PART, "zstd frame");
    }
}
