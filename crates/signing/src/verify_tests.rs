use super::*;
use crate::bundle::{dsse_bundle, message_bundle};
use crate::key::SigningKey;
use crate::signature::Signature;
use crate::to_sign::{export_json_to_sign, statement_to_sign};

const EXPORT: &[u8] = br#"{"schema":"export-center/manifest/v1"}"#;
const STATEMENT: &[u8] = br#"{"_type":"https://in-toto.io/Statement/v1"}"#;

fn signed_export(key: &SigningKey) -> Vec<u8> {
    let message = export_json_to_sign(EXPORT);
    let signature = key.sign(message.bytes()).unwrap();
    message_bundle(
        &signature,
        &message.sha256(),
        &key.public_key().fingerprint(),
    )
}

fn signed_statement(key: &SigningKey) -> Vec<u8> {
    let signature = key.sign(statement_to_sign(STATEMENT).bytes()).unwrap();
    dsse_bundle(STATEMENT, &signature, &key.public_key().fingerprint())
}

fn replaced(bundle: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(bundle).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    text.replace(from, to).into_bytes()
}

#[test]
fn intact_bundles_are_accepted() {
    let key = SigningKey::generate().unwrap();
    verify_message_bundle(&signed_export(&key), EXPORT, key.public_key()).unwrap();
    verify_digest_bundle(
        &signed_export(&key),
        &Sha256::digest(EXPORT).into(),
        key.public_key(),
    )
    .unwrap();
    assert_eq!(
        verify_dsse_bundle(&signed_statement(&key), key.public_key()).unwrap(),
        STATEMENT
    );
}

#[test]
fn another_key_is_named() {
    let key = SigningKey::generate().unwrap();
    let other = SigningKey::generate().unwrap();
    let expected = VerifyError::WrongKey {
        named: key.public_key().fingerprint(),
        given: other.public_key().fingerprint(),
    };
    assert_eq!(
        verify_dsse_bundle(&signed_statement(&key), other.public_key()),
        Err(expected)
    );
    let refused =
        verify_message_bundle(&signed_export(&key), EXPORT, other.public_key()).unwrap_err();
    assert!(matches!(refused, VerifyError::WrongKey { .. }), "{refused}");
}

#[test]
fn a_forged_hint_does_not_help() {
    let key = SigningKey::generate().unwrap();
    let other = SigningKey::generate().unwrap();
    let expected = Err(VerifyError::BadSignature {
        key: other.public_key().fingerprint(),
    });
    let forged = replaced(
        &signed_export(&key),
        &key.public_key().hint(),
        &other.public_key().hint(),
    );
    assert_eq!(
        verify_message_bundle(&forged, EXPORT, other.public_key()),
        expected
    );
    let without = replaced(&signed_export(&key), &key.public_key().hint(), "some key");
    assert_eq!(
        verify_message_bundle(&without, EXPORT, other.public_key()),
        expected
    );
    verify_message_bundle(&without, EXPORT, key.public_key()).unwrap();
}

#[test]
fn other_content_is_a_digest_mismatch_until_the_digest_is_forged_too() {
    let key = SigningKey::generate().unwrap();
    let refused =
        verify_message_bundle(&signed_export(&key), b"other", key.public_key()).unwrap_err();
    assert!(
        matches!(refused, VerifyError::DigestMismatch { .. }),
        "{refused}"
    );
    assert!(
        refused
            .to_string()
            .contains(&hex::encode(Sha256::digest(EXPORT))),
        "{refused}"
    );

    let signature = key.sign(EXPORT).unwrap();
    let forged = message_bundle(
        &signature,
        &Sha256::digest(b"other").into(),
        &key.public_key().fingerprint(),
    );
    assert_eq!(
        verify_message_bundle(&forged, b"other", key.public_key()),
        Err(VerifyError::BadSignature {
            key: key.public_key().fingerprint()
        })
    );
}

#[test]
fn a_changed_statement_is_refused() {
    let key = SigningKey::generate().unwrap();
    let signature = key.sign(statement_to_sign(STATEMENT).bytes()).unwrap();
    let forged = dsse_bundle(b"{}", &signature, &key.public_key().fingerprint());
    assert_eq!(
        verify_dsse_bundle(&forged, key.public_key()),
        Err(VerifyError::BadSignature {
            key: key.public_key().fingerprint()
        })
    );
}

#[test]
fn a_signature_over_the_bare_statement_is_refused() {
    let key = SigningKey::generate().unwrap();
    let signature: Signature = key.sign(STATEMENT).unwrap();
    let bundle = dsse_bundle(STATEMENT, &signature, &key.public_key().fingerprint());
    assert!(matches!(
        verify_dsse_bundle(&bundle, key.public_key()),
        Err(VerifyError::BadSignature { .. })
    ));
}

#[test]
fn the_other_kind_of_bundle_is_refused() {
    let key = SigningKey::generate().unwrap();
    for refused in [
        verify_message_bundle(&signed_statement(&key), STATEMENT, key.public_key()).unwrap_err(),
        verify_dsse_bundle(&signed_export(&key), key.public_key()).unwrap_err(),
    ] {
        assert!(
            matches!(
                refused,
                VerifyError::Malformed(MalformedBundle::OtherContent { .. })
            ),
            "{refused}"
        );
    }
}

#[test]
fn only_in_toto_statements_are_accepted() {
    let key = SigningKey::generate().unwrap();
    let signature = dsse::sign(&key, "text/plain", STATEMENT).unwrap();
    let bundle = dsse_bundle(STATEMENT, &signature, &key.public_key().fingerprint());
    let bundle = replaced(&bundle, dsse::IN_TOTO_PAYLOAD_TYPE, "text/plain");
    assert_eq!(
        verify_dsse_bundle(&bundle, key.public_key()),
        Err(VerifyError::Malformed(MalformedBundle::PayloadType {
            found: "text/plain".to_owned()
        }))
    );
}
