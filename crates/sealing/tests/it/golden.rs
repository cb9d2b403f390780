//! Formats, byte for byte. The files were written by `tests/golden/reference.py`, which shares nothing with this crate.

use std::fs;
use std::path::Path;

use export_sealing::{KekFile, KeyFile, KeyWrap as _};

use crate::world::{
    content, context, data_key, holding, holding_data_key, identity, open, seal_age, seal_gcm,
};

fn golden(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn aes_gcm() {
    for (name, size) in [("empty.enc", 0), ("small.enc", 1000)] {
        assert!(seal_gcm(&content(size)) == golden(name), "{name}");
    }
    for (name, size) in [
        ("empty.enc", 0),
        ("small.enc", 1000),
        ("chunks.enc", 3 * 4096),
    ] {
        let opened = open(&holding_data_key(), &golden(name)).unwrap();
        assert!(opened == content(size), "{name}");
    }
}

#[test]
fn age() {
    let identities = [identity(0), identity(64)];
    assert_eq!(
        identities[0].to_file().as_str(),
        String::from_utf8(golden("identity.txt")).unwrap()
    );
    assert!(seal_age(&content(1000), &identities) == golden("small.age"));
    for one in &identities {
        let keys = holding(std::slice::from_ref(one));
        assert!(open(&keys, &golden("small.age")).unwrap() == content(1000));
    }
}

#[tokio::test]
async fn key_encryption_key_and_key_file() {
    let kek = KekFile::generate(&mut crate::world::from(200)).unwrap();
    assert_eq!(kek.to_file().as_bytes(), golden("kek.txt"));
    let kek = KekFile::parse(&golden("kek.txt")).unwrap();
    let wrapped = kek.wrap(&data_key(), &context()).await.unwrap();
    let file = KeyFile::new(context(), vec![wrapped]);
    assert_eq!(
        String::from_utf8(file.to_json().unwrap()).unwrap(),
        String::from_utf8(golden("keys.json")).unwrap()
    );
    let read = KeyFile::from_json(&golden("keys.json")).unwrap();
    assert_eq!(read, file);
    let key = read.unwrap(&kek).await.unwrap();
    assert_eq!(key.bytes(), data_key().bytes());
}
