//! What every [`KeyWrap`] must do, as a test that an implementation's own tests call.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // These are tests.

use export_ports::PortErrorKind;
use zeroize::Zeroizing;

use crate::{Context, DataKey, KeyFile, KeyWrap, MAX_WRAPPED_BYTES, WrappedKey, rewrap};

fn context(tenant: &str, run: u32) -> Context {
    Context {
        run: format!("0199f0c2-7a51-7c3e-9d7e-{run:012}")
            .parse()
            .unwrap(),
        tenant: tenant.parse().unwrap(),
    }
}

/// Checks an implementation; `other` is one with another key.
///
/// # Panics
/// Where it does not keep a promise.
pub async fn key_wrap(wrap: &dyn KeyWrap, other: &dyn KeyWrap) {
    let ours = context("acme", 1);
    let key = DataKey::from_bytes(Zeroizing::new([0xa5; 32]));
    let wrapped = wrap.wrap(&key, &ours).await.unwrap();
    assert_eq!(wrapped.provider, wrap.provider());
    assert_eq!(wrapped.data_key_id, key.id());
    assert!(!wrap.key_id().is_empty() && !wrapped.key_id.is_empty());
    assert!(wrapped.ciphertext.len() <= MAX_WRAPPED_BYTES);
    assert!(
        !wrapped
            .ciphertext
            .windows(32)
            .any(|bytes| bytes == key.bytes())
    );
    assert!(wrap.may_unwrap(&wrapped));
    let json = serde_json::to_string(&wrapped).unwrap();
    assert_eq!(serde_json::from_str::<WrappedKey>(&json).unwrap(), wrapped);

    let given = wrap.unwrap(&wrapped, &ours).await.unwrap();
    assert_eq!(given.bytes(), key.bytes());

    for another in [context("acme", 2), context("other", 1)] {
        refused(wrap, &wrapped, &another, "another context").await;
    }
    let length = wrapped.ciphertext.len();
    for (place, what) in [
        (0, "its first byte"),
        (length / 2, "a byte in the middle"),
        (length - 1, "its last byte"),
    ] {
        let mut altered = wrapped.clone();
        altered.ciphertext[place] ^= 1;
        refused(wrap, &altered, &ours, what).await;
    }
    for length in [0, 1, length - 1] {
        let mut cut = wrapped.clone();
        cut.ciphertext.truncate(length);
        refused(wrap, &cut, &ours, "a cut one").await;
    }
    let mut renamed = wrapped.clone();
    renamed.data_key_id = DataKey::from_bytes(Zeroizing::new([1; 32])).id();
    refused(wrap, &renamed, &ours, "another data key's id").await;
    let mut foreign = wrapped.clone();
    foreign.provider = "nobody".to_owned();
    assert!(!wrap.may_unwrap(&foreign));
    refused(wrap, &foreign, &ours, "another provider's").await;

    // To another key, and with a file that holds both.
    let again = rewrap(&wrapped, wrap, other, &ours).await.unwrap();
    assert_eq!(again.data_key_id, wrapped.data_key_id);
    let given = other.unwrap(&again, &ours).await.unwrap();
    assert_eq!(given.bytes(), key.bytes());
    let file = KeyFile::new(ours, vec![again, wrapped]);
    let file = KeyFile::from_json(&file.to_json().unwrap()).unwrap();
    for key_of_file in [wrap, other] {
        let given = file.unwrap(key_of_file).await.unwrap();
        assert_eq!(given.bytes(), key.bytes());
    }
}

async fn refused(wrap: &dyn KeyWrap, wrapped: &WrappedKey, context: &Context, what: &str) {
    let error = wrap.unwrap(wrapped, context).await.expect_err(what);
    assert_eq!(error.kind(), PortErrorKind::Invalid, "{what}: {error}");
}
