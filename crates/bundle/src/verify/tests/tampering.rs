use export_model::ErrorCode;
use proptest::prelude::*;

use super::*;
use crate::test_support::{Sample, archive};

fn sample() -> (SigningKey, Vec<Member>) {
    let key = SigningKey::generate().unwrap();
    let members = Sample::policy().members(&key);
    (key, members)
}

/// The code that an altered document is reported with, and the path.
fn class(path: &str) -> (ErrorCode, &str) {
    match path {
        "export.json"
        | "export.json.sig"
        | "export.json.sigstore.json"
        | "provenance.json.sigstore.json" => (ErrorCode::BadSignature, path),
        _ => (ErrorCode::Altered, path),
    }
}

#[test]
fn one_byte_in_any_member_names_the_member() {
    let (key, members) = sample();
    for index in 0..members.len() {
        for place in [0, 1, 2] {
            let mut bad = members.clone();
            let at = (bad[index].1.len() - 1) * place / 2;
            bad[index].1[at] ^= 1;
            for options in [PLAIN, DEEP] {
                let report = check(&bad, &key, &options);
                let (code, path) = class(&members[index].0);
                assert_eq!(report.verdict, Verdict::Failed);
                assert_eq!(
                    report.code,
                    Some(code),
                    "{path} at {at}: {:?}",
                    report.problems
                );
                assert_eq!(
                    found(&report)[0],
                    (code.as_str(), Some(path)),
                    "{:?}",
                    report.problems
                );
                assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
            }
        }
    }
}

#[test]
fn a_byte_in_each_of_two_members_names_both() {
    let (key, mut members) = sample();
    members[6].1[9] ^= 1;
    members[9].1[9] ^= 1;
    let report = check(&members, &key, &DEEP);
    assert_eq!(
        found(&report),
        [
            ("ERR_ALTERED", Some(members[6].0.as_str())),
            ("ERR_ALTERED", Some(members[9].0.as_str()))
        ]
    );
}

#[test]
fn a_missing_member_is_named() {
    let (key, members) = sample();
    for index in 0..members.len() {
        let mut fewer = members.clone();
        let (path, _) = fewer.remove(index);
        for options in [PLAIN, DEEP] {
            let report = check(&fewer, &key, &options);
            assert_eq!(report.code, Some(ErrorCode::Incomplete), "{path}");
            assert_eq!(found(&report), [("ERR_INCOMPLETE", Some(path.as_str()))]);
        }
    }
}

#[test]
fn an_added_member_is_named() {
    let (key, members) = sample();
    for (at, path) in [
        (5, "payload/a"),
        (members.len(), "payload/zz"),
        (8, "payload/b"),
    ] {
        let mut more = members.clone();
        more.insert(at, (path.to_owned(), b"more".to_vec()));
        let report = check(&more, &key, &DEEP);
        assert_eq!(found(&report), [("ERR_ALTERED", Some(path))]);
    }
}

#[test]
fn a_repeated_member_is_named() {
    let (key, members) = sample();
    for index in 0..members.len() {
        let mut twice = members.clone();
        twice.insert(index, members[index].clone());
        let report = check(&twice, &key, &DEEP);
        assert_eq!(
            found(&report),
            [("ERR_ALTERED", Some(members[index].0.as_str()))]
        );
    }
}

#[test]
fn another_order_is_named() {
    let (key, members) = sample();
    for index in 1..members.len() {
        let mut swapped = members.clone();
        swapped.swap(index - 1, index);
        let report = check(&swapped, &key, &DEEP);
        assert_eq!(
            report.code,
            Some(ErrorCode::Altered),
            "{index}: {:?}",
            report.problems
        );
        let earlier = members[index - 1].0.as_str();
        assert!(
            found(&report).contains(&("ERR_ALTERED", Some(earlier))),
            "{:?}",
            report.problems
        );
    }
    // The manifest behind the payload is as good as none.
    let mut last = members.clone();
    last.rotate_left(1);
    assert_eq!(check(&last, &key, &PLAIN).verdict, Verdict::Failed);
}

#[test]
fn a_renamed_member_is_named_by_both_names() {
    let (key, members) = sample();
    let mut renamed = members.clone();
    let old = renamed[5].0.clone();
    renamed[5].0 = "payload/advisory/part-0000a.jsonl.zst".to_owned();
    let report = check(&renamed, &key, &DEEP);
    assert_eq!(report.code, Some(ErrorCode::Altered));
    assert_eq!(
        found(&report),
        [
            ("ERR_ALTERED", Some(renamed[5].0.as_str())),
            ("ERR_INCOMPLETE", Some(old.as_str()))
        ]
    );
}

#[test]
fn another_size_is_named_before_the_content_is_read() {
    let (key, members) = sample();
    for more in [true, false] {
        let mut sized = members.clone();
        if more {
            sized[7].1.push(0);
        } else {
            sized[7].1.pop();
        }
        let report = check(&sized, &key, &DEEP);
        assert_eq!(
            found(&report),
            [("ERR_ALTERED", Some(members[7].0.as_str()))]
        );
        assert!(report.problems[0].detail.contains("were signed"));
    }
}

#[test]
fn an_absurd_size_is_refused_without_reading() {
    let (key, members) = sample();
    let huge = 10_u64 << 40;
    for name in [members[6].0.as_str(), "payload/advisory/x"] {
        let good = archive(&members[..6]);
        let layout = crate::archive::ArchiveLayout::new(&[(name, huge)]).unwrap();
        let Some(crate::archive::Segment::Header(header)) = layout.segments().next() else {
            panic!("no header")
        };
        let bytes = [&good[..good.len() - 1024], &header].concat();
        // Whoever reads on fails the test, instead of reading 10 TB.
        struct NoMore;
        impl std::io::Read for NoMore {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("read on"))
            }
        }
        let reader = std::io::Read::chain(bytes.as_slice(), NoMore);
        let report = verify_archive(reader, &trusting(&key), &DEEP).unwrap();
        assert_eq!(found(&report), [("ERR_ALTERED", Some(name))]);
    }
    let layout = crate::archive::ArchiveLayout::new(&[("export.json", huge)]).unwrap();
    let Some(crate::archive::Segment::Header(header)) = layout.segments().next() else {
        panic!("no header")
    };
    let report = verify_archive(header.as_slice(), &trusting(&key), &PLAIN).unwrap();
    assert_eq!(report.verdict, Verdict::Failed);
    assert_eq!(report.problems[0].path.as_deref(), Some("export.json"));
}

#[test]
fn tricks_in_a_header_never_pass() {
    let (key, members) = sample();
    let good = archive(&members);
    // The first payload member's header: where it begins follows from the documents' sizes.
    let start: usize = members[..5]
        .iter()
        .map(|(_, c)| 512 + c.len().next_multiple_of(512))
        .sum();
    let with = |at: usize, bytes: &[u8]| {
        let mut bad = good.clone();
        let header = &mut bad[start..start + 512];
        header[at..at + bytes.len()].copy_from_slice(bytes);
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        verify_archive(bad.as_slice(), &trusting(&key), &DEEP).unwrap()
    };
    for (at, bytes) in [
        (0, &b"/etc/passwd\0"[..]),
        (0, b"../../x\0"),
        (0, b"payload/../x\0"),
        (100, b"0004755"),
        (108, b"0000001"),
        (124, b"\x80\0\0\0\0\0\x0a\0\0\0\0\0"),
        (136, b"00000000001"),
        (156, b"1"),
        (156, b"2"),
        (156, b"5"),
        (156, b"L"),
        (156, b"S"),
        (156, b"x"),
        (157, b"/etc/passwd"),
        (265, b"root"),
    ] {
        let report = with(at, bytes);
        assert_eq!(
            report.code,
            Some(ErrorCode::Altered),
            "{at}: {:?}",
            report.problems
        );
    }
}

#[test]
fn every_truncation_is_incomplete() {
    let (key, members) = sample();
    let good = archive(&members);
    let trust = trusting(&key);
    let cuts = (0..good.len()).filter(|at| at % 97 < 3 || at % 512 < 2 || *at < 600);
    for at in cuts {
        let report = verify_archive(&good[..at], &trust, &PLAIN).unwrap();
        let expected = if at < 12 {
            ErrorCode::NotABundle
        } else {
            ErrorCode::Incomplete
        };
        assert_eq!(
            report.code,
            Some(expected),
            "cut at {at}: {:?}",
            report.problems
        );
    }
    // In the middle of a member, the member is named.
    let last = members.last().unwrap();
    let at = good.len() - 1024 - last.1.len().next_multiple_of(512) + 5;
    let report = verify_archive(&good[..at], &trust, &DEEP).unwrap();
    assert_eq!(found(&report), [("ERR_INCOMPLETE", Some(last.0.as_str()))]);
}

#[test]
fn bytes_after_the_end_are_refused() {
    let (key, members) = sample();
    let bytes = [archive(&members), vec![0; 512]].concat();
    let report = verify_archive(bytes.as_slice(), &trusting(&key), &PLAIN).unwrap();
    assert_eq!(report.code, Some(ErrorCode::Altered));
}

#[test]
fn signature_documents_are_accepted_in_one_form_only() {
    let (key, members) = sample();
    type Edit = fn(&str) -> String;
    let edits: [(usize, Edit); 5] = [
        (1, |text| format!("{text}\n")),
        (2, |text| format!("{text} ")),
        (2, |text| text.replace(",\"tlogEntries\":[]", "")),
        (2, |text| text.replacen('{', "{\"extra\":1,", 1)),
        (4, |text| {
            text.replace("\"signatures\":[{", "\"signatures\":[{\"keyid\":\"x\",")
        }),
    ];
    for (index, edit) in edits {
        let mut bad = members.clone();
        let text = edit(std::str::from_utf8(&bad[index].1).unwrap());
        assert_ne!(text.as_bytes(), bad[index].1);
        bad[index].1 = text.into_bytes();
        for trust in [trusting(&key), Trust::default()] {
            let report = verify_archive(archive(&bad).as_slice(), &trust, &PLAIN).unwrap();
            assert_eq!(report.code, Some(ErrorCode::BadSignature), "{index}");
        }
    }
}

#[test]
fn many_problems_are_counted_but_not_all_listed() {
    let key = SigningKey::generate().unwrap();
    let mut members = Sample::raw(150, 10, 1).members(&key);
    for (_, content) in &mut members[5..] {
        content[0] ^= 1;
    }
    let report = check(&members, &key, &DEEP);
    assert_eq!((report.problems.len(), report.problems_omitted), (100, 51));
    assert_eq!(report.code, Some(ErrorCode::Altered));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_flipped_byte_verifies(places in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..4), deep: bool) {
        thread_local! {
            static SAMPLE: (SigningKey, Vec<u8>) = {
                let (key, members) = sample();
                (key, archive(&members))
            };
        }
        SAMPLE.with(|(key, good)| {
            let mut bad = good.clone();
            for (place, bits) in &places {
                let at = place.index(bad.len());
                bad[at] ^= bits;
            }
            prop_assume!(bad != *good);
            let options = VerifyOptions { deep, threads: 2, keys: Keys(None) };
            let report = verify_archive(bad.as_slice(), &trusting(key), &options).unwrap();
            prop_assert_eq!(report.verdict, Verdict::Failed);
            prop_assert!(report.code.is_some() && !report.problems.is_empty());
            Ok(())
        })?;
    }

    #[test]
    fn no_truncation_verifies(place: prop::sample::Index, deep: bool) {
        thread_local! {
            static SAMPLE: (SigningKey, Vec<u8>) = {
                let (key, members) = sample();
                (key, archive(&members))
            };
        }
        SAMPLE.with(|(key, good)| {
            let options = VerifyOptions { deep, threads: 2, keys: Keys(None) };
            let cut = &good[..place.index(good.len())];
            let report = verify_archive(cut, &trusting(key), &options).unwrap();
            prop_assert_eq!(report.verdict, Verdict::Failed);
            Ok(())
        })?;
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        let report = verify_archive(bytes.as_slice(), &Trust::default(), &DEEP).unwrap();
        prop_assert_eq!(report.verdict, Verdict::Failed);
    }
}
