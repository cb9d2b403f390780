use std::io;

use export_model::ErrorCode;

use super::*;
use crate::test_support::{Sample, archive};

#[test]
fn an_untouched_bundle_is_verified() {
    let key = SigningKey::generate().unwrap();
    for sample in [Sample::policy(), Sample::empty(), Sample::raw(9, 50, 4)] {
        let members = sample.members(&key);
        for options in [
            PLAIN,
            DEEP,
            VerifyOptions {
                deep: true,
                threads: 1,
                keys: Keys(None),
            },
        ] {
            let report = check(&members, &key, &options);
            assert_eq!(report.problems, [], "{options:?}");
            assert_eq!(report.verdict, Verdict::Verified);
            assert_eq!(report.code, None);
            assert_eq!(report.key, Some(key.public_key().fingerprint()));
            assert_eq!(report.unchecked, [""; 0]);
        }
    }
}

#[test]
fn the_summary_is_what_the_manifest_says() {
    let key = SigningKey::generate().unwrap();
    let members = Sample::policy().members(&key);
    let summary = check(&members, &key, &PLAIN).summary.unwrap();
    assert_eq!(summary.records, 13);
    assert_eq!(summary.quarantined["ERR_AOC_DERIVED_FIELD"], 2);
    assert_eq!(summary.profile, "json:policy");
    assert_eq!(summary.files, members.len() as u64 - 5);
    assert_eq!(
        summary.builder_id.as_deref(),
        Some("https://export-center.dev/worker/dev")
    );
    let bytes: usize = members[5..].iter().map(|(_, content)| content.len()).sum();
    assert_eq!(summary.bytes, bytes as u64);
}

#[test]
fn one_of_several_trusted_keys_is_enough_and_is_named() {
    let (key, other) = (
        SigningKey::generate().unwrap(),
        SigningKey::generate().unwrap(),
    );
    let bytes = archive(&Sample::policy().members(&key));
    let trust = Trust {
        keys: vec![other.public_key().clone(), key.public_key().clone()],
    };
    let report = verify_archive(bytes.as_slice(), &trust, &PLAIN).unwrap();
    assert_eq!(
        (report.verdict, report.key),
        (Verdict::Verified, Some(key.public_key().fingerprint()))
    );
}

#[test]
fn without_a_key_nothing_is_called_verified() {
    let key = SigningKey::generate().unwrap();
    let mut members = Sample::policy().members(&key);
    let report = verify_archive(archive(&members).as_slice(), &Trust::default(), &DEEP).unwrap();
    assert_eq!(
        (report.verdict, report.code),
        (Verdict::NotVerified, Some(ErrorCode::NoKey))
    );
    assert_eq!(
        report.key,
        Some(key.public_key().fingerprint()),
        "the key is named"
    );
    assert_eq!(report.problems, []);
    // What can be checked without a key still is.
    members[6].1[10] ^= 1;
    let report = verify_archive(archive(&members).as_slice(), &Trust::default(), &PLAIN).unwrap();
    assert_eq!(
        (report.verdict, report.code),
        (Verdict::Failed, Some(ErrorCode::Altered))
    );
}

#[test]
fn another_key_is_told_from_a_bad_signature() {
    let (key, other) = (
        SigningKey::generate().unwrap(),
        SigningKey::generate().unwrap(),
    );
    let members = Sample::policy().members(&key);
    let report = check(&members, &other, &PLAIN);
    assert_eq!(report.code, Some(ErrorCode::WrongKey));
    assert_eq!(
        found(&report),
        [("ERR_WRONG_KEY", Some("export.json.sigstore.json"))]
    );
    assert!(
        report.problems[0]
            .detail
            .contains(&key.public_key().fingerprint().to_string())
    );
    // An altered manifest that somebody else has signed.
    let forged =
        Sample::policy().members_with(&other, |manifest| manifest.run.requested_by = "eve".into());
    assert_eq!(check(&forged, &key, &PLAIN).code, Some(ErrorCode::WrongKey));
}

#[test]
fn signatures_of_another_bundle_do_not_fit() {
    let key = SigningKey::generate().unwrap();
    let members = Sample::policy().members(&key);
    let others = Sample::raw(3, 10, 3).members(&key);
    for (at, path) in [(1, "export.json.sig"), (2, "export.json.sigstore.json")] {
        let mut swapped = members.clone();
        swapped[at] = others[at].clone();
        let report = check(&swapped, &key, &PLAIN);
        assert_eq!(found(&report), [("ERR_BAD_SIGNATURE", Some(path))]);
    }
    // Provenance of another bundle, rightly signed, is about another bundle.
    let mut swapped = members.clone();
    swapped[3] = others[3].clone();
    swapped[4] = others[4].clone();
    assert_eq!(
        found(&check(&swapped, &key, &PLAIN)),
        [("ERR_ALTERED", Some("provenance.json"))]
    );
    // Both signatures: the provenance still vouches for the manifest.
    let mut swapped = members.clone();
    swapped[1] = others[1].clone();
    swapped[2] = others[2].clone();
    let report = check(&swapped, &key, &PLAIN);
    assert_eq!(
        found(&report),
        [
            ("ERR_BAD_SIGNATURE", Some("export.json.sig")),
            ("ERR_BAD_SIGNATURE", Some("export.json.sigstore.json"))
        ]
    );
    // All documents but the manifest.
    let mut swapped = members;
    swapped[1..5].clone_from_slice(&others[1..5]);
    assert_eq!(
        check(&swapped, &key, &PLAIN).code,
        Some(ErrorCode::BadSignature)
    );
}

#[test]
fn what_is_no_bundle_is_called_so() {
    let key = SigningKey::generate().unwrap();
    let trust = trusting(&key);
    let foreign = {
        let members = [("payload/x".to_owned(), vec![1; 10])];
        let mut bytes = archive(&members);
        bytes[..9].copy_from_slice(b"README.md");
        bytes
    };
    for bytes in [&b""[..], b"hello", &[0; 2048], &[b'x'; 4096], &foreign] {
        let report = verify_archive(bytes, &trust, &DEEP).unwrap();
        assert_eq!(
            (report.verdict, report.code),
            (Verdict::Failed, Some(ErrorCode::NotABundle))
        );
    }
    // Signed, but of a schema that this version does not know.
    let newer =
        Sample::raw(1, 10, 1).members_with(&key, |m| m.schema = "export-center/manifest/v2".into());
    let report = check(&newer, &key, &PLAIN);
    assert_eq!(found(&report), [("ERR_NOT_A_BUNDLE", Some("export.json"))]);
}

#[test]
fn a_manifest_that_contradicts_itself_is_refused_though_signed() {
    let key = SigningKey::generate().unwrap();
    for edit in [
        |m: &mut crate::manifest::Manifest| m.counts.records += 1,
        |m: &mut crate::manifest::Manifest| m.files[0].content_size += 1,
    ] {
        let members = Sample::raw(3, 10, 3).members_with(&key, edit);
        let report = check(&members, &key, &PLAIN);
        assert_eq!(found(&report)[0], ("ERR_ALTERED", Some("export.json")));
    }
}

#[test]
fn an_input_that_cannot_be_read_is_an_error() {
    struct Broken;
    impl io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("no such luck"))
        }
    }
    let error = verify_archive(Broken, &Trust::default(), &PLAIN).unwrap_err();
    assert!(error.to_string().contains("no such luck"), "{error}");
    let missing = std::path::Path::new("no/such/folder");
    assert!(verify_folder(missing, &Trust::default(), &PLAIN).is_err());
}

#[test]
fn openssl_agrees_about_the_signature() {
    let key = SigningKey::generate().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in Sample::policy().members(&key).iter().take(2) {
        std::fs::write(folder.path().join(path), content).unwrap();
    }
    std::fs::write(folder.path().join("key.pub"), key.public_key().to_pem()).unwrap();
    let script = "base64 -d export.json.sig > der && \
                  openssl dgst -sha256 -verify key.pub -signature der export.json";
    let run = || {
        std::process::Command::new("sh")
            .args(["-c", script])
            .current_dir(folder.path())
            .output()
            .unwrap()
    };
    let output = run();
    if output.status.code() == Some(127) {
        println!("skipped: there is no openssl here");
        return;
    }
    assert!(output.status.success(), "{output:?}");
    let path = folder.path().join("export.json");
    let mut altered = std::fs::read(&path).unwrap();
    altered[20] ^= 1;
    std::fs::write(&path, altered).unwrap();
    assert!(!run().status.success());
}

#[test]
fn a_folder_is_verified_like_an_archive() {
    let key = SigningKey::generate().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in Sample::policy().members(&key) {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let run = || verify_folder(folder.path(), &trusting(&key), &DEEP).unwrap();
    assert_eq!(run().problems, []);
    assert_eq!(run().verdict, Verdict::Verified);
    let vex = folder.path().join("payload/vex/part-00000.jsonl.zst");
    let good = std::fs::read(&vex).unwrap();
    let mut bad = good.clone();
    bad[20] ^= 1;
    std::fs::write(&vex, bad).unwrap();
    assert_eq!(
        found(&run()),
        [("ERR_ALTERED", Some("payload/vex/part-00000.jsonl.zst"))]
    );
    std::fs::remove_file(&vex).unwrap();
    assert_eq!(
        found(&run()),
        [("ERR_INCOMPLETE", Some("payload/vex/part-00000.jsonl.zst"))]
    );
    #[cfg(unix)]
    {
        let elsewhere = folder
            .path()
            .parent()
            .unwrap()
            .join("export-bundle-link-target");
        std::os::unix::fs::symlink(elsewhere, &vex).unwrap();
        let report = run();
        assert_eq!(report.code, Some(ErrorCode::Altered));
        assert!(
            report
                .problems
                .iter()
                .any(|p| p.detail.contains("not a regular file"))
        );
        std::fs::remove_file(&vex).unwrap();
    }
    std::fs::write(&vex, good).unwrap();
    std::fs::write(folder.path().join("payload/more"), b"x").unwrap();
    assert_eq!(found(&run()), [("ERR_ALTERED", Some("payload/more"))]);
    std::fs::remove_file(folder.path().join("payload/more")).unwrap();
    std::fs::create_dir_all(folder.path().join("more/deep")).unwrap();
    assert_eq!(found(&run()), [("ERR_ALTERED", Some("more"))]);
    let empty = tempfile::tempdir().unwrap();
    let report = verify_folder(empty.path(), &trusting(&key), &PLAIN).unwrap();
    assert_eq!(report.code, Some(ErrorCode::NotABundle));
}
