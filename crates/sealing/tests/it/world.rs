//! Keys, content and random bytes of tests.

use std::error::Error;
use std::sync::Arc;

use export_sealing::{
    Context, DataKey, Identity, Keyring, OpenError, OpenErrorKind, Opener, Recipient, Sealer,
};
use zeroize::Zeroizing;

pub(crate) const PATH: &str = "payload/advisory/part-00000.jsonl.zst.enc";

/// Bytes that are 0, 1, 2, …, so that files are the same each time.
pub(crate) fn counting() -> impl FnMut(&mut [u8]) -> Result<(), Box<dyn Error + Send + Sync>> + Send
{
    from(0)
}

pub(crate) fn from(
    start: u8,
) -> impl FnMut(&mut [u8]) -> Result<(), Box<dyn Error + Send + Sync>> + Send {
    let mut next = start;
    move |bytes| {
        for byte in bytes {
            *byte = next;
            next = next.wrapping_add(1);
        }
        Ok(())
    }
}

pub(crate) fn content(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n * 7 % 251) as u8).collect()
}

pub(crate) fn identity(seed: u8) -> Identity {
    Identity::generate(&mut from(seed)).unwrap()
}

pub(crate) fn recipients(of: &[Identity]) -> Vec<Recipient> {
    of.iter()
        .map(|identity| identity.recipient().clone())
        .collect()
}

pub(crate) fn data_key() -> DataKey {
    DataKey::generate(&mut from(100)).unwrap()
}

pub(crate) fn other_data_key() -> DataKey {
    DataKey::from_bytes(Zeroizing::new([9; 32]))
}

pub(crate) fn context() -> Context {
    Context {
        run: "0199f0c2-7a51-7c3e-9d7e-000000000001".parse().unwrap(),
        tenant: "acme".parse().unwrap(),
    }
}

pub(crate) fn seal(mut sealer: Sealer, plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    sealer.update(plain, &mut out).unwrap();
    sealer.finish(&mut out).unwrap();
    out
}

pub(crate) fn seal_age(plain: &[u8], identities: &[Identity]) -> Vec<u8> {
    let sealer = Sealer::age(&recipients(identities), &mut counting()).unwrap();
    seal(sealer, plain)
}

pub(crate) fn seal_gcm(plain: &[u8]) -> Vec<u8> {
    seal(
        Sealer::aes_gcm(&data_key(), PATH, &mut counting()).unwrap(),
        plain,
    )
}

/// What came out, and how it ended.
pub(crate) fn open_at(
    keys: &Arc<Keyring>,
    path: &str,
    sealed: &[u8],
) -> (Vec<u8>, Result<(), OpenError>) {
    let mut out = Vec::new();
    let mut opener = Opener::new(Arc::clone(keys), path);
    let opened = match opener.update(sealed, &mut out) {
        Ok(()) => opener.finish(&mut out),
        failed => failed,
    };
    (out, opened)
}

pub(crate) fn open(keys: &Arc<Keyring>, sealed: &[u8]) -> Result<Vec<u8>, OpenErrorKind> {
    let (out, opened) = open_at(keys, PATH, sealed);
    opened.map(|()| out).map_err(|error| {
        assert_eq!(error.path, PATH);
        error.kind
    })
}

pub(crate) fn holding(identities: &[Identity]) -> Arc<Keyring> {
    Arc::new(Keyring::new().with_identities(identities.iter().cloned()))
}

pub(crate) fn holding_data_key() -> Arc<Keyring> {
    Arc::new(Keyring::new().with_data_key(data_key()))
}
