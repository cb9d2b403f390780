use export_signing::SigningKey;

use super::*;
use crate::test_support::{Sample, archive};
use crate::verify::{Keys, verify_folder};

const OPTIONS: VerifyOptions = VerifyOptions {
    deep: false,
    threads: 0,
    keys: crate::verify::Keys(None),
};

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn a_good_bundle_is_unpacked_whole() {
    let key = SigningKey::generate().unwrap();
    let trust = Trust {
        keys: vec![key.public_key().clone()],
    };
    let members = Sample::policy().members(&key);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out");
    std::fs::create_dir(&target).unwrap();
    let report = unpack(
        archive(&members).as_slice(),
        &target,
        &trust,
        &OPTIONS,
        false,
    )
    .unwrap();
    assert_eq!(report.verdict, Verdict::Verified);
    for (path, content) in &members {
        assert_eq!(
            std::fs::read(target.join(path)).unwrap(),
            *content,
            "{path}"
        );
    }
    assert_eq!(entries(folder.path()), 1, "nothing is left beside it");
    assert_eq!(
        verify_folder(&target, &trust, &OPTIONS).unwrap().verdict,
        Verdict::Verified
    );
    let again = unpack(
        archive(&members).as_slice(),
        &target,
        &trust,
        &OPTIONS,
        false,
    )
    .unwrap_err();
    assert!(matches!(again, UnpackError::Exists { .. }), "{again}");
}

#[test]
fn a_bad_bundle_leaves_nothing() {
    let key = SigningKey::generate().unwrap();
    let trust = Trust {
        keys: vec![key.public_key().clone()],
    };
    let mut members = Sample::policy().members(&key);
    let good = archive(&members);
    let last = members.len() - 1;
    members[last].1[3] ^= 1;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out");
    let altered = archive(&members);
    for (bytes, code) in [
        (&altered[..], ErrorCode::Altered),
        (&good[..good.len() / 2], ErrorCode::Incomplete),
        (b"no bundle", ErrorCode::NotABundle),
    ] {
        let error = unpack(bytes, &target, &trust, &OPTIONS, true).unwrap_err();
        assert!(matches!(error, UnpackError::Refused(_)), "{error}");
        assert_eq!(error.code(), code);
        assert_eq!(entries(folder.path()), 0);
    }
}

#[test]
fn without_a_key_only_where_it_is_allowed() {
    let key = SigningKey::generate().unwrap();
    let bytes = archive(&Sample::policy().members(&key));
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out");
    let none = Trust::default();
    let error = unpack(bytes.as_slice(), &target, &none, &OPTIONS, false).unwrap_err();
    assert_eq!(error.code(), ErrorCode::NoKey);
    assert_eq!(entries(folder.path()), 0);
    let report = unpack(bytes.as_slice(), &target, &none, &OPTIONS, true).unwrap();
    assert_eq!(report.verdict, Verdict::NotVerified);
    assert!(target.join("export.json").exists());
}

#[test]
fn files_and_folders_in_the_way_are_kept() {
    let key = SigningKey::generate().unwrap();
    let bytes = archive(&Sample::empty().members(&key));
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out");
    std::fs::write(&target, b"mine").unwrap();
    let error = unpack(bytes.as_slice(), &target, &Trust::default(), &OPTIONS, true).unwrap_err();
    assert!(matches!(error, UnpackError::Exists { .. }), "{error}");
    assert_eq!(std::fs::read(&target).unwrap(), b"mine");
    std::fs::remove_file(&target).unwrap();
    // What an earlier attempt left behind is not touched, and not in the way.
    std::fs::create_dir(folder.path().join(".out.unpacking-0")).unwrap();
    unpack(bytes.as_slice(), &target, &Trust::default(), &OPTIONS, true).unwrap();
    assert_eq!(entries(folder.path()), 2);
}
