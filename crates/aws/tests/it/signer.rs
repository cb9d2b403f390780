//! The signer on KMS.

use aws_sdk_kms::config::{BehaviorVersion, Region};
use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use aws_smithy_http_client::Builder;
use export_aws::{Aws, AwsSettings, KmsKeyUri, KmsSigner};
use export_ports::{PortErrorKind, Signer as _, SignerLevel, conformance};
use export_signing::{PublicKey, Signature};

use crate::world::{localstack, own, random};

fn verifies(pem: &str, message: &[u8], signature: &[u8]) -> bool {
    let key = PublicKey::from_pem(pem.as_bytes()).unwrap();
    assert_eq!(key.to_pem(), pem, "written as openssl writes it");
    let signature = Signature::from_der(signature).unwrap();
    key.verify(message, &signature).is_ok()
}

pub(crate) fn client(settings: &AwsSettings) -> aws_sdk_kms::Client {
    let config = aws_sdk_kms::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(settings.region.clone()))
        .endpoint_url(settings.endpoint.as_ref().unwrap())
        .http_client(Builder::new().build_http())
        .credentials_provider(own(settings.credentials.as_ref().unwrap()));
    aws_sdk_kms::Client::from_conf(config.build())
}

/// Makes a key; gives its id and ARN.
pub(crate) async fn make(
    kms: &aws_sdk_kms::Client,
    spec: KeySpec,
    usage: KeyUsageType,
) -> (String, String) {
    let made = kms.create_key().key_spec(spec).key_usage(usage);
    let made = made.send().await.unwrap();
    let made = made.key_metadata().unwrap();
    (made.key_id().to_owned(), made.arn().unwrap().to_owned())
}

async fn p256(kms: &aws_sdk_kms::Client) -> (String, String) {
    make(kms, KeySpec::EccNistP256, KeyUsageType::SignVerify).await
}

fn signer(settings: &AwsSettings, key: &str) -> KmsSigner {
    let aws = Aws::new(settings.clone()).unwrap();
    aws.signer(KmsKeyUri::parse(&format!("awskms:///{key}")).unwrap())
}

/// Removes keys, as far as KMS ever does.
pub(crate) async fn forget(kms: &aws_sdk_kms::Client, keys: &[String]) {
    for key in keys {
        let delete = kms.schedule_key_deletion().key_id(key);
        delete.pending_window_in_days(7).send().await.unwrap();
    }
}

#[tokio::test]
async fn conforms_by_every_name() {
    let Some(settings) = localstack("the signer") else {
        return;
    };
    let kms = client(&settings);
    let (id, arn) = p256(&kms).await;
    let alias = format!("alias/export-test-{}", random());
    let named = kms.create_alias().alias_name(&alias).target_key_id(&id);
    named.send().await.unwrap();
    let mut keys = Vec::new();
    for name in [&id, &arn, &alias] {
        let signer = signer(&settings, name);
        conformance::signer(&signer, verifies).await;
        assert_eq!(signer.key_id(), format!("awskms:///{name}"));
        assert_eq!(signer.level(), SignerLevel::Service);
        keys.push(signer.public_key_pem().await.unwrap());
    }
    keys.dedup();
    assert_eq!(keys.len(), 1, "one key by three names");
    kms.delete_alias().alias_name(alias).send().await.unwrap();
    forget(&kms, &[id]).await;
}

#[tokio::test]
async fn a_disabled_key_is_named() {
    let Some(settings) = localstack("disabled keys") else {
        return;
    };
    let kms = client(&settings);
    let (id, _) = p256(&kms).await;
    let used = signer(&settings, &id);
    used.sign(b"message").await.unwrap();
    kms.disable_key().key_id(&id).send().await.unwrap();
    // One that knew its public key before, and one that did not.
    for signer in [used, signer(&settings, &id)] {
        let error = signer.sign(b"message").await.unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Unavailable, "{error}");
        let text = error.to_string();
        assert!(text.contains(&id) && text.contains("enable it"), "{text}");
        kms.enable_key().key_id(&id).send().await.unwrap();
        signer.sign(b"message").await.unwrap();
        kms.disable_key().key_id(&id).send().await.unwrap();
    }
    forget(&kms, &[id]).await;
}

#[tokio::test]
async fn other_keys_are_refused() {
    let Some(settings) = localstack("other keys") else {
        return;
    };
    let kms = client(&settings);
    let mut ids = Vec::new();
    for (spec, usage) in [
        (KeySpec::EccNistP384, KeyUsageType::SignVerify),
        (KeySpec::Rsa2048, KeyUsageType::SignVerify),
        (KeySpec::Rsa2048, KeyUsageType::EncryptDecrypt),
        (KeySpec::EccNistP256, KeyUsageType::KeyAgreement),
    ] {
        let (id, _) = make(&kms, spec, usage).await;
        let signer = signer(&settings, &id);
        for error in [
            signer.sign(b"message").await.unwrap_err(),
            signer.public_key_pem().await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), PortErrorKind::Invalid, "{error}");
            let text = error.to_string();
            assert!(
                text.contains(&id) && text.contains("ECC_NIST_P256"),
                "{text}"
            );
        }
        ids.push(id);
    }
    forget(&kms, &ids).await;
    let missing = signer(&settings, "alias/export-test-missing");
    let error = missing.sign(b"message").await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("export-test-missing"), "{error}");
}

#[tokio::test]
async fn an_alias_that_moves() {
    let Some(settings) = localstack("aliases that move") else {
        return;
    };
    let kms = client(&settings);
    let ((old, _), (new, _)) = (p256(&kms).await, p256(&kms).await);
    let alias = format!("alias/export-test-{}", random());
    let named = kms.create_alias().alias_name(&alias).target_key_id(&old);
    named.send().await.unwrap();
    let signer = signer(&settings, &alias);
    let before = signer.public_key_pem().await.unwrap();
    let moved = kms.update_alias().alias_name(&alias).target_key_id(&new);
    moved.send().await.unwrap();
    let error = signer.sign(b"message").await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Unavailable, "{error}");
    let after = signer.public_key_pem().await.unwrap();
    assert_ne!(after, before);
    let signature = signer.sign(b"message").await.unwrap();
    assert!(verifies(&after, b"message", &signature));
    kms.delete_alias().alias_name(alias).send().await.unwrap();
    forget(&kms, &[old, new]).await;
}
