//! The key file signer.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Barrier;

use export_embedded::{FileSigner, Home, generate_key_pair, trusted_keys};
use export_ports::{PortErrorKind, Signer as _, conformance};
use export_signing::{PublicKey, Signature};

fn verifies(pem: &str, message: &[u8], signature: &[u8]) -> bool {
    let key = PublicKey::from_pem(pem.as_bytes()).unwrap();
    let signature = Signature::from_der(signature).unwrap();
    key.verify(message, &signature).is_ok()
}

#[tokio::test]
async fn made_on_first_use_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).unwrap();
    let signer = FileSigner::open(&home.keys(), None).unwrap();
    conformance::signer(&signer, verifies).await;
    let again = FileSigner::open(&home.keys(), Some(b"not looked at")).unwrap();
    assert_eq!(again.public_key(), signer.public_key());

    let mode = |name: &str| {
        let file = fs::metadata(home.keys().join(name)).unwrap();
        file.permissions().mode() & 0o777
    };
    assert_eq!(mode("signing.key"), 0o600);
    let public = fs::read_to_string(home.keys().join("signing.pub")).unwrap();
    assert_eq!(public, signer.public_key_pem().await.unwrap());
    let names: Vec<_> = fs::read_dir(home.keys())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 3, "no file is left over: {names:?}");
}

#[tokio::test]
async fn passwords() {
    let folder = tempfile::tempdir().unwrap();
    let signer = FileSigner::open(folder.path(), Some(b"secret")).unwrap();
    conformance::signer(&signer, verifies).await;
    let file = fs::read_to_string(folder.path().join("signing.key")).unwrap();
    assert!(file.starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----"));
    for wrong in [None, Some(&b"other"[..])] {
        let error = FileSigner::open(folder.path(), wrong).unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Password);
        assert!(error.to_string().contains("signing.key"), "{error}");
    }
    let right = FileSigner::open(folder.path(), Some(b"secret")).unwrap();
    assert_eq!(right.public_key(), signer.public_key());
}

#[test]
fn processes_that_start_at_once_agree() {
    let folder = tempfile::tempdir().unwrap();
    let start = Barrier::new(4);
    let keys: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    FileSigner::open(folder.path(), None).unwrap()
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    for key in &keys {
        assert_eq!(key.public_key(), keys[0].public_key());
    }
    let trusted = trusted_keys(folder.path()).unwrap();
    assert_eq!(trusted.len(), 1);
    assert_eq!(&trusted[0].1, keys[0].public_key());
}

#[test]
fn a_replaced_key_stays_trusted() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(trusted_keys(folder.path()).unwrap(), []);
    let old = FileSigner::open(folder.path(), None).unwrap();
    let (private, public) = (folder.path().join("new.key"), folder.path().join("new.pub"));
    let new = generate_key_pair(&private, &public, None).unwrap();
    let twice = generate_key_pair(&private, &folder.path().join("x.pub"), None).unwrap_err();
    assert_eq!(twice.kind(), PortErrorKind::AlreadyExists);
    fs::rename(&private, folder.path().join("signing.key")).unwrap();
    let signer = FileSigner::open(folder.path(), None).unwrap();
    assert_eq!(signer.public_key(), &new);
    let trusted: Vec<_> = trusted_keys(folder.path())
        .unwrap()
        .into_iter()
        .map(|(_, key)| key)
        .collect();
    assert_eq!(trusted, [new, old.public_key().clone()]);

    fs::write(folder.path().join("trusted/bad.pub"), "no key").unwrap();
    let error = trusted_keys(folder.path()).unwrap_err();
    assert!(error.to_string().contains("bad.pub"), "{error}");
    fs::write(folder.path().join("signing.key"), "no key").unwrap();
    let error = FileSigner::open(folder.path(), None).unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Damaged);
}
