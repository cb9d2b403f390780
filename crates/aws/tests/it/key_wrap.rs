//! Data keys wrapped with KMS.

use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use export_aws::{Aws, AwsSettings, KmsKeyUri, KmsKeyWrap};
use export_ports::PortErrorKind;
use export_sealing::{Context, DataKey, KeyWrap as _, conformance};
use zeroize::Zeroizing;

use crate::signer::{client, forget, make};
use crate::world::{localstack, random};

async fn symmetric(kms: &aws_sdk_kms::Client) -> (String, String) {
    make(kms, KeySpec::SymmetricDefault, KeyUsageType::EncryptDecrypt).await
}

fn wrap(settings: &AwsSettings, key: &str) -> KmsKeyWrap {
    let aws = Aws::new(settings.clone()).unwrap();
    aws.key_wrap(KmsKeyUri::parse(&format!("awskms:///{key}")).unwrap())
}

fn context() -> Context {
    Context {
        run: "0199f0c2-7a51-7c3e-9d7e-000000000001".parse().unwrap(),
        tenant: "acme".parse().unwrap(),
    }
}

fn data_key() -> DataKey {
    DataKey::from_bytes(Zeroizing::new([7; 32]))
}

#[tokio::test]
async fn conforms_by_every_name() {
    let Some(settings) = localstack("wrapping data keys") else {
        return;
    };
    let kms = client(&settings);
    let ((id, arn), (other, _)) = (symmetric(&kms).await, symmetric(&kms).await);
    let alias = format!("alias/export-test-{}", random());
    let named = kms.create_alias().alias_name(&alias).target_key_id(&id);
    named.send().await.unwrap();
    for name in [&id, &arn, &alias] {
        let wrap = wrap(&settings, name);
        assert_eq!(wrap.key_id(), format!("awskms:///{name}"));
        conformance::key_wrap(&wrap, &self::wrap(&settings, &other)).await;
    }
    kms.delete_alias().alias_name(alias).send().await.unwrap();
    forget(&kms, &[id, other]).await;
}

#[tokio::test]
async fn an_alias_that_moved_still_unwraps() {
    let Some(settings) = localstack("wrapped keys of aliases that move") else {
        return;
    };
    let kms = client(&settings);
    let ((old, old_arn), (new, _)) = (symmetric(&kms).await, symmetric(&kms).await);
    let alias = format!("alias/export-test-{}", random());
    let named = kms.create_alias().alias_name(&alias).target_key_id(&old);
    named.send().await.unwrap();
    let wrap = wrap(&settings, &alias);
    let wrapped = wrap.wrap(&data_key(), &context()).await.unwrap();
    assert_eq!(wrapped.key_id, old_arn);
    let moved = kms.update_alias().alias_name(&alias).target_key_id(&new);
    moved.send().await.unwrap();
    let given = wrap.unwrap(&wrapped, &context()).await.unwrap();
    assert_eq!(given.bytes(), data_key().bytes());
    let again = wrap.wrap(&data_key(), &context()).await.unwrap();
    assert_ne!(again.key_id, old_arn);
    kms.delete_alias().alias_name(alias).send().await.unwrap();
    forget(&kms, &[old, new]).await;
}

#[tokio::test]
async fn keys_that_cannot_be_used_are_named() {
    let Some(settings) = localstack("keys that cannot wrap") else {
        return;
    };
    let kms = client(&settings);
    let ((id, arn), (other, other_arn)) = (symmetric(&kms).await, symmetric(&kms).await);
    let usable = wrap(&settings, &id);
    let wrapped = usable.wrap(&data_key(), &context()).await.unwrap();

    // One that says it was wrapped by another key, or by none of KMS.
    let mut renamed = wrapped.clone();
    renamed.key_id = other_arn;
    let error = usable.unwrap(&renamed, &context()).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Invalid, "{error}");
    for key_id in ["", "alias/x", "arn:aws:s3:::bucket"] {
        renamed.key_id = key_id.to_owned();
        assert!(!usable.may_unwrap(&renamed), "{key_id}");
    }

    kms.disable_key().key_id(&id).send().await.unwrap();
    for error in [
        usable.wrap(&data_key(), &context()).await.unwrap_err(),
        usable.unwrap(&wrapped, &context()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), PortErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains(&id), "{error}");
    }
    let missing = wrap(&settings, "alias/export-test-missing");
    let error = missing.wrap(&data_key(), &context()).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::NotFound, "{error}");
    assert!(arn.contains(&id));
    forget(&kms, &[id, other]).await;
}
