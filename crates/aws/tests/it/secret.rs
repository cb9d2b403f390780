//! Secrets.

use aws_sdk_secretsmanager::config::{BehaviorVersion, Region};
use aws_sdk_secretsmanager::primitives::Blob;
use aws_smithy_http_client::Builder;
use export_aws::Aws;
use export_ports::PortErrorKind;

use crate::world::{localstack, own, random};

#[tokio::test]
async fn text_by_name_and_arn() {
    let Some(settings) = localstack("secrets") else {
        return;
    };
    let config = aws_sdk_secretsmanager::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(settings.region.clone()))
        .endpoint_url(settings.endpoint.as_ref().unwrap())
        .http_client(Builder::new().build_http())
        .credentials_provider(own(settings.credentials.as_ref().unwrap()))
        .build();
    let client = aws_sdk_secretsmanager::Client::from_conf(config);
    let name = format!("export-test-{}", random());
    let uri = "mongodb://export:hush@localhost/";
    let made = client.create_secret().name(&name).secret_string(uri);
    let made = made.send().await.unwrap();
    let bytes = format!("{name}-bytes");
    let binary = client
        .create_secret()
        .name(&bytes)
        .secret_binary(Blob::new([0xff]));
    binary.send().await.unwrap();

    let aws = Aws::new(settings).unwrap();
    for name in [&name, made.arn().unwrap()] {
        let secret = aws.secret(name).await.unwrap();
        assert_eq!(secret.expose(), uri);
        assert!(!format!("{secret:?}").contains("hush"));
    }
    let error = aws.secret(&bytes).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Invalid);
    let missing = format!("{name}-missing");
    let error = aws.secret(&missing).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::NotFound);
    assert!(error.to_string().contains(&missing), "{error}");
    for name in [name, bytes] {
        let delete = client.delete_secret().secret_id(name);
        let delete = delete.force_delete_without_recovery(true);
        delete.send().await.unwrap();
    }
}
