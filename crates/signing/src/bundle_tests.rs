use super::*;
use crate::signature::tests::SMALLEST;

const MESSAGE_BUNDLE: &str = concat!(
    r#"{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","#,
    r#""verificationMaterial":{"publicKey":{"hint":"ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="},"tlogEntries":[]},"#,
    r#""messageSignature":{"messageDigest":{"algorithm":"SHA2_256","digest":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},"#,
    r#""signature":"MAYCAQECAQI="}}"#
);

const DSSE_BUNDLE: &str = concat!(
    r#"{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","#,
    r#""verificationMaterial":{"publicKey":{"hint":"ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="},"tlogEntries":[]},"#,
    r#""dsseEnvelope":{"payload":"eyJfdHlwZSI6IngifQ==","payloadType":"application/vnd.in-toto+json","#,
    r#""signatures":[{"sig":"MAYCAQECAQI="}]}}"#
);

fn key() -> Fingerprint {
    Fingerprint::of_spki(b"abc")
}

fn signature() -> Signature {
    Signature::from_der(SMALLEST).unwrap()
}

fn refusal(bundle: &str) -> MalformedBundle {
    Bundle::parse(bundle.as_bytes()).unwrap_err()
}

#[test]
fn message_bundle_has_the_documented_bytes() {
    let written = message_bundle(&signature(), &[0; 32], &key());
    assert_eq!(String::from_utf8(written).unwrap(), MESSAGE_BUNDLE);
}

#[test]
fn dsse_bundle_has_the_documented_bytes() {
    let written = dsse_bundle(br#"{"_type":"x"}"#, &signature(), &key());
    assert_eq!(String::from_utf8(written).unwrap(), DSSE_BUNDLE);
}

#[test]
fn both_read_back() {
    let message = Content::Message {
        digest: [0; 32],
        signature: signature(),
    };
    assert_eq!(
        Bundle::parse(MESSAGE_BUNDLE.as_bytes()),
        Ok(Bundle {
            key: Some(key()),
            content: message
        })
    );
    let envelope = Content::Dsse {
        payload_type: "application/vnd.in-toto+json".to_owned(),
        payload: br#"{"_type":"x"}"#.to_vec(),
        signature: signature(),
    };
    assert_eq!(
        Bundle::parse(DSSE_BUNDLE.as_bytes()),
        Ok(Bundle {
            key: Some(key()),
            content: envelope
        })
    );
}

#[test]
fn what_other_tools_add_is_passed_over() {
    let hint = key().to_hint();
    for (ours, theirs) in [
        (r#","tlogEntries":[]"#, ""),
        (
            r#""tlogEntries":[]"#,
            r#""tlogEntries":[{"logIndex":"7"}],"timestampVerificationData":{}"#,
        ),
        (r#"[{"sig":"#, r#"[{"keyid":"SHA256:abc","sig":"#),
        (
            r#""dsseEnvelope""#,
            r#""messageSignature":null,"dsseEnvelope""#,
        ),
    ] {
        let bundle = DSSE_BUNDLE.replace(ours, theirs);
        assert_ne!(bundle, DSSE_BUNDLE);
        assert_eq!(
            Bundle::parse(bundle.as_bytes()).unwrap().key,
            Some(key()),
            "{theirs}"
        );
    }
    for (ours, theirs) in [
        (format!(r#"{{"hint":"{hint}"}}"#), "{}"),
        (hint, "production key"),
    ] {
        let bundle = DSSE_BUNDLE.replace(&ours, theirs);
        assert_eq!(
            Bundle::parse(bundle.as_bytes()).unwrap().key,
            None,
            "{theirs}"
        );
    }
}

#[test]
fn other_versions_and_certificates_are_refused() {
    assert_eq!(
        refusal(&MESSAGE_BUNDLE.replace("v0.3", "v0.2")),
        MalformedBundle::MediaType {
            found: "application/vnd.dev.sigstore.bundle.v0.2+json".to_owned()
        }
    );
    assert_eq!(
        refusal(&MESSAGE_BUNDLE.replace("publicKey", "certificate")),
        MalformedBundle::NotSignedWithKey
    );
}

#[test]
fn exactly_one_signature_is_demanded() {
    let one = r#"{"sig":"MAYCAQECAQI="}"#;
    for (count, signatures) in [(0, String::new()), (2, format!("{one},{one}"))] {
        assert_eq!(
            refusal(&DSSE_BUNDLE.replace(one, &signatures)),
            MalformedBundle::SignatureCount { found: count }
        );
    }
    assert_eq!(
        refusal(&MESSAGE_BUNDLE.replace("messageSignature", "other")),
        MalformedBundle::Content
    );
    let envelope = DSSE_BUNDLE.split_once(r#"[]},"#).unwrap().1;
    let both = MESSAGE_BUNDLE.replace(
        r#""messageSignature""#,
        &format!("{},\"messageSignature\"", &envelope[..envelope.len() - 1]),
    );
    assert_eq!(refusal(&both), MalformedBundle::Content);
}

#[test]
fn damage_is_named() {
    assert_eq!(
        refusal(&MESSAGE_BUNDLE.replace("SHA2_256", "SHA2_512")),
        MalformedBundle::Digest
    );
    assert_eq!(
        refusal(&MESSAGE_BUNDLE.replace("AAAA=", "AA==")),
        MalformedBundle::Digest
    );
    assert_eq!(
        refusal(&MESSAGE_BUNDLE.replace("AAAA=", "AAAAAAAA=")),
        MalformedBundle::Digest
    );
    assert_eq!(
        refusal(&MESSAGE_BUNDLE.replace("MAYC", "MAY*")),
        MalformedBundle::Signature(SignatureFormatError::Base64)
    );
    assert_eq!(
        refusal(&DSSE_BUNDLE.replace("MAYCAQECAQI=", "aGVsbG8=")),
        MalformedBundle::Signature(SignatureFormatError::Der { bytes: 5 })
    );
    assert_eq!(
        refusal(&DSSE_BUNDLE.replace("eyJf", "ey_f")),
        MalformedBundle::Payload
    );
    for text in [
        "",
        "[]",
        "null",
        &DSSE_BUNDLE[..100],
        &format!("{DSSE_BUNDLE}x"),
        &"[".repeat(100_000),
    ] {
        assert!(matches!(refusal(text), MalformedBundle::Json { .. }));
    }
    let twice = MESSAGE_BUNDLE.replace(r#""signature":"#, r#""signature":"x","signature":"#);
    assert!(matches!(refusal(&twice), MalformedBundle::Json { .. }));
}

#[test]
fn size_is_limited_and_messages_are_short() {
    let big = vec![b' '; MAX_BUNDLE_BYTES + 1];
    assert_eq!(
        Bundle::parse(&big),
        Err(MalformedBundle::TooLarge { bytes: big.len() })
    );
    let long = "x".repeat(100_000);
    assert!(
        refusal(&MESSAGE_BUNDLE.replace("v0.3+json", &long))
            .to_string()
            .len()
            < 300
    );
    assert!(refusal(&format!("\"{long}\"")).to_string().len() < 300);
}
