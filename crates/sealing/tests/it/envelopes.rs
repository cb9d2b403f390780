//! Keys in files: wrapped, rotated, and refused where they do not belong.

use std::sync::Arc;

use export_ports::PortErrorKind;
use export_sealing::{
    Context, DataKey, FileKeys, FileKeysError, Identity, KekFile, KeyFile, KeyFileError,
    KeyWrap as _, Keyring, MAX_FILE_KEYS_BYTES, MAX_HEADER_BYTES, MAX_KEY_FILE_BYTES,
    OpenErrorKind, Sealer, conformance, rewrap,
};

use crate::world::{
    PATH, content, context, counting, data_key, from, holding, holding_data_key, identity, open,
    open_at, recipients, seal, seal_age, seal_gcm,
};

fn kek(seed: u8) -> KekFile {
    KekFile::generate(&mut from(seed)).unwrap()
}

#[tokio::test]
async fn key_encryption_keys_conform() {
    conformance::key_wrap(&kek(1), &kek(2)).await;
}

#[tokio::test]
async fn every_flipped_bit_of_a_wrapped_key() {
    let wrapped = kek(1).wrap(&data_key(), &context()).await.unwrap();
    for place in 0..wrapped.ciphertext.len() {
        for bit in 0..8 {
            let mut altered = wrapped.clone();
            altered.ciphertext[place] ^= 1 << bit;
            kek(1).unwrap(&altered, &context()).await.unwrap_err();
        }
    }
}

#[tokio::test]
async fn nonces_differ() {
    let other = DataKey::generate(&mut from(7)).unwrap();
    let mut nonces = Vec::new();
    for (key, run) in [(&data_key(), 1), (&data_key(), 2), (&other, 1)] {
        let run = format!("0199f0c2-7a51-7c3e-9d7e-{run:012}")
            .parse()
            .unwrap();
        let context = Context { run, ..context() };
        let wrapped = kek(1).wrap(key, &context).await.unwrap();
        nonces.push(wrapped.ciphertext[..12].to_vec());
    }
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 3);
}

#[tokio::test]
async fn a_data_key_is_rotated_without_its_files() {
    let sealed = seal_gcm(&content(100));
    let (old, new) = (kek(1), kek(2));
    let wrapped = old.wrap(&data_key(), &context()).await.unwrap();
    let again = rewrap(&wrapped, &old, &new, &context()).await.unwrap();
    let file = KeyFile::new(context(), vec![again]).to_json().unwrap();

    let read = KeyFile::from_json(&file).unwrap();
    let key = read.unwrap(&new).await.unwrap();
    let keys = Arc::new(Keyring::new().with_data_key(key));
    assert!(open(&keys, &sealed).unwrap() == content(100));
    let error = read.unwrap(&old).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Invalid);
    let text = format!("{error}");
    assert!(text.contains(&old.key_id()), "{text}");
}

#[test]
fn what_is_no_key_file() {
    for text in [
        "",
        "{}",
        "[]",
        "null",
        r#"{"context":{},"keys":[],"schema":"x"}"#,
    ] {
        let error = KeyFile::from_json(text.as_bytes()).unwrap_err();
        assert!(matches!(error, KeyFileError::Malformed(_)), "{text}");
    }
    let file = KeyFile::new(context(), Vec::new()).to_json().unwrap();
    let file = String::from_utf8(file).unwrap();
    let error = KeyFile::from_json(file.replace("/v1", "/v2").as_bytes()).unwrap_err();
    assert!(matches!(error, KeyFileError::Schema { .. }), "{error}");
    let error = KeyFile::from_json(file.replace("acme", "ACME").as_bytes()).unwrap_err();
    assert!(matches!(error, KeyFileError::Malformed(_)), "{error}");
    let huge = " ".repeat(MAX_KEY_FILE_BYTES + 1);
    let error = KeyFile::from_json(huge.as_bytes()).unwrap_err();
    assert!(matches!(error, KeyFileError::TooLarge { .. }), "{error}");
}

/// Two files sealed to `old`, and the key file for `new` that somebody makes who has `old`.
fn rotated(old: &Identity, new: &Identity) -> ([(&'static str, Vec<u8>); 2], Vec<u8>) {
    let to = recipients(std::slice::from_ref(old));
    let one = seal(Sealer::age(&to, &mut from(1)).unwrap(), &content(70_000));
    let two = seal(Sealer::age(&to, &mut from(2)).unwrap(), b"two");
    let files = [("payload/one.age", one), ("payload/two.age", two)];
    let mut keys = FileKeys::new(context());
    let held = Keyring::new().with_identities([old.clone()]);
    for (path, sealed) in &files {
        // The beginning is enough.
        let start = &sealed[..sealed.len().min(MAX_HEADER_BYTES)];
        keys.add(path, start, &held).unwrap();
    }
    assert_eq!(
        keys.paths().collect::<Vec<_>>(),
        ["payload/one.age", "payload/two.age"]
    );
    let file = keys
        .seal(&recipients(std::slice::from_ref(new)), &mut counting())
        .unwrap();
    (files, file)
}

#[test]
fn files_are_opened_with_their_keys() {
    let (old, new) = (identity(1), identity(2));
    let (files, file) = rotated(&old, &new);
    let keys = FileKeys::open(&file, &holding(std::slice::from_ref(&new))).unwrap();
    assert_eq!(keys.context(), &context());
    let keys = Arc::new(Keyring::new().with_file_keys(keys));
    for (path, sealed) in &files {
        let (out, opened) = open_at(&keys, path, sealed);
        opened.unwrap();
        assert!(out.len() == 3 || out == content(70_000));
        // The new identity itself was never a recipient of them.
        let (_, opened) = open_at(&holding(std::slice::from_ref(&new)), path, sealed);
        opened.unwrap_err();
    }
    // At the other's path, or at none of the file's.
    let kind = |path: &str| open_at(&keys, path, &files[0].1).1.unwrap_err().kind;
    assert!(matches!(
        kind("payload/two.age"),
        OpenErrorKind::WrongKey { .. }
    ));
    assert!(matches!(
        kind("payload/three.age"),
        OpenErrorKind::NoKey { .. }
    ));
    // A key file can be made out of a key file.
    let mut again = FileKeys::new(context());
    again.add(files[0].0, &files[0].1[..], &keys).unwrap();
    assert_eq!(again.paths().count(), 1);
}

#[test]
fn what_has_no_file_key() {
    let mut keys = FileKeys::new(context());
    let held = Keyring::new()
        .with_identities([identity(1)])
        .with_data_key(data_key());
    let sealed = seal_age(b"x", &[identity(2)]);
    let huge = vec![b'x'; 1 << 20];
    let huge = [b"age-encryption.org/v1\n-> ", &huge[..]].concat();
    for (bytes, says) in [
        (&b""[..], "not sealed"),
        (b"plain", "not sealed"),
        (&sealed, "sealed to others"),
        (&sealed[..40], "ends in it"),
        (&seal_gcm(b"x"), "AES-256-GCM"),
        (&huge, "longer than"),
    ] {
        let error = keys.add("payload/x.age", bytes, &held).unwrap_err();
        let FileKeysError::File(error) = error else {
            panic!("{error}");
        };
        assert_eq!(error.path, "payload/x.age");
        assert!(error.kind.to_string().contains(says), "{}", error.kind);
    }
    assert_eq!(keys.paths().count(), 0);
}

#[test]
fn what_is_no_file_of_file_keys() {
    let keys = holding(&[identity(1)]);
    let sealed = |text: &str| seal_age(text.as_bytes(), &[identity(1)]);
    let good = r#"{"context":{"run":"r-1","tenant":"acme"},"files":{"x.age":"AAECAwQFBgcICQoLDA0ODw=="},"schema":"export-center/file-keys/v1"}"#;
    FileKeys::open(&sealed(good), &keys).unwrap();
    for text in [
        "",
        "{}",
        &good.replace("/v1", "/v2"),
        &good.replace("AAEC", "AAE"),
        &good.replace("AAECAwQFBgcICQoLDA0ODw==", "AAEC"),
        &good.replace("AAECAwQFBgcICQoLDA0ODw==", "secret-of-mine"),
        &good.replace("acme", "/../"),
    ] {
        let error = FileKeys::open(&sealed(text), &keys).unwrap_err();
        assert!(matches!(error, FileKeysError::Malformed { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("secret-of-mine"));
    }
    let error = FileKeys::open(&seal_age(b"{}", &[identity(2)]), &keys).unwrap_err();
    assert!(matches!(
        error,
        FileKeysError::Open(OpenErrorKind::WrongKey { .. })
    ));
    let error = FileKeys::open(&vec![0; MAX_FILE_KEYS_BYTES + 1], &keys).unwrap_err();
    assert!(matches!(error, FileKeysError::TooLarge));
    assert!(open_at(&holding_data_key(), PATH, &sealed("")).1.is_err());
}
