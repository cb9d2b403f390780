use export_signing::SigningKey;

use super::*;
use crate::test_support::{Sample, archive, by_path};

#[test]
fn an_inspection_says_what_the_bundle_says_and_that_it_is_not_verified() {
    let key = SigningKey::generate().unwrap();
    let members = Sample::policy().members(&key);
    let mut bytes = archive(&members);
    // The payload is not even looked at.
    bytes.truncate(bytes.len() - 3000);
    let inspection = inspect_archive(bytes.as_slice()).unwrap();
    assert_eq!(inspection.status, NOT_VERIFIED);
    assert_eq!(inspection.named_key, Some(key.public_key().fingerprint()));
    assert_eq!(inspection.summary.records, 13);
    assert_eq!(inspection.exporter_version.as_deref(), Some("0.1.0"));
    assert_eq!(
        inspection.manifest.to_bytes().unwrap(),
        by_path(&members)["export.json"]
    );
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in &members[..5] {
        std::fs::write(folder.path().join(path), content).unwrap();
    }
    assert_eq!(inspect_folder(folder.path()).unwrap(), inspection);
    let json = serde_json::to_string(&inspection).unwrap();
    assert!(json.starts_with("{\"status\":\"not verified"), "{json}");
}

#[test]
fn what_is_no_bundle_is_called_so() {
    let payload = [("payload/a".to_owned(), vec![1])];
    for (bytes, code) in [
        (b"hello".to_vec(), ErrorCode::NotABundle),
        (archive(&payload), ErrorCode::NotABundle),
        (
            archive(&[("export.json".to_owned(), b"{}".to_vec())]),
            ErrorCode::NotABundle,
        ),
        (
            archive(&[("export.json".to_owned(), vec![b'x'; 5000])])[..3000].to_vec(),
            ErrorCode::Incomplete,
        ),
    ] {
        assert_eq!(inspect_archive(bytes.as_slice()).unwrap_err().code(), code);
    }
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(
        inspect_folder(empty.path()),
        Err(InspectError::NoManifest)
    ));
}
