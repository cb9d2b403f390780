//! Buckets that are missing, slow or not to be written to; credentials and clocks that are wrong.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_smithy_http_client::Builder;
use bytes::Bytes;
use export_aws::{Aws, Bucket, StaticCredentials};
use export_model::ObjectPrefix;
use export_ports::{Objects, PortError, PortErrorKind};

use crate::proxy::{Proxy, Weather};
use crate::world::{Store, SystemClock, impatient, key, own, random, run};

/// What every call that can say so says.
async fn errors(objects: &dyn Objects) -> Vec<PortError> {
    let none = BTreeSet::new();
    let prefix = ObjectPrefix::run(&run(1));
    let put = objects.put(&key("a"), Bytes::from_static(b"x")).await;
    vec![
        put.unwrap_err(),
        objects.upload(&key("a")).await.map(|_| ()).unwrap_err(),
        objects.read(&key("a"), 0..1).await.unwrap_err(),
        objects.list(&prefix, None, 1).await.unwrap_err(),
        objects.delete(&key("a")).await.unwrap_err(),
        objects.sweep(&prefix, &none).await.unwrap_err(),
    ]
}

#[tokio::test]
async fn a_missing_bucket_is_named() {
    for store in Store::all("missing buckets") {
        let name = format!("export-test-{}", random());
        let aws = Aws::new(store.settings.clone()).unwrap();
        let objects = aws.objects(&Bucket {
            name: name.clone(),
            prefix: String::new(),
            kms_key: None,
        });
        for error in errors(&objects.unwrap()).await {
            // It must not read as "no such object".
            assert_eq!(error.kind(), PortErrorKind::Unavailable, "{error}");
            let text = error.to_string();
            assert!(text.contains(&name), "{text}");
            assert!(
                text.contains("the bucket does not exist: create it"),
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn a_slow_bucket_is_given_up() {
    for store in Store::all("slow buckets") {
        let bucket = store.bucket().await;
        let proxy = Proxy::to_s3(&store.settings, Weather::Stalls, 1_000).await;
        let objects = bucket.objects_with(|settings| {
            settings.s3_endpoint = Some(proxy.url());
            impatient(settings);
        });
        let started = Instant::now();
        let error = objects.read(&key("a"), 0..1).await.unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Unavailable);
        assert!(error.to_string().contains("did not answer"), "{error}");
        // Two seconds were allowed; the rest is room for slow machines.
        assert!(started.elapsed() < Duration::from_secs(12));
        assert!(proxy.times() > 1, "it was tried again");
        bucket.remove().await;
    }
}

#[tokio::test]
async fn nobody_there() {
    if let Some(store) = Store::minio("absent services") {
        let bucket = store.bucket().await;
        let objects = bucket.objects_with(|settings| {
            settings.s3_endpoint = Some("http://127.0.0.1:1".to_owned());
            impatient(settings);
        });
        for error in errors(&objects).await {
            assert_eq!(error.kind(), PortErrorKind::Unavailable, "{error}");
        }
        bucket.remove().await;
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_again() {
    for store in Store::all("answers that break off") {
        let bucket = store.bucket().await;
        let content: Bytes = (0..3_000_000_u32)
            .map(|i| u8::try_from(i * 7 % 251).unwrap())
            .collect();
        bucket
            .objects()
            .put(&key("a"), content.clone())
            .await
            .unwrap();
        let proxy = Proxy::to_s3(&store.settings, Weather::BreaksOffAfter(700_000), 2).await;
        let objects = bucket.objects_with(|settings| settings.s3_endpoint = Some(proxy.url()));
        let read = objects.read(&key("a"), 5..u64::MAX).await.unwrap();
        assert!(read == content.slice(5..));
        assert_eq!(proxy.times(), 2);
        bucket.remove().await;
    }
}

/// Temporary credentials that may do what `policy` says, and no more.
async fn session(store: &Store, policy: &str) -> StaticCredentials {
    let settings = &store.settings;
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(settings.s3_endpoint.as_ref().unwrap())
        .http_client(Builder::new().build_http())
        .credentials_provider(own(settings.s3_credentials.as_ref().unwrap()))
        .build();
    let session = aws_sdk_sts::Client::from_conf(config)
        .assume_role()
        .role_arn("arn:minio:iam:::role/test")
        .role_session_name("test")
        .policy(policy)
        .send()
        .await
        .unwrap();
    let given = session.credentials().unwrap();
    StaticCredentials {
        access_key_id: given.access_key_id().to_owned(),
        secret_access_key: given.secret_access_key().to_owned().into(),
        session_token: Some(given.session_token().to_owned().into()),
    }
}

#[tokio::test]
async fn a_bucket_that_may_only_be_read() {
    let Some(store) = Store::minio("read-only buckets") else {
        return;
    };
    let bucket = store.bucket().await;
    let all = bucket.objects();
    all.put(&key("a"), Bytes::from_static(b"x")).await.unwrap();
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
        "Action":["s3:GetObject","s3:ListBucket","s3:ListBucketVersions","s3:ListBucketMultipartUploads"],
        "Resource":["arn:aws:s3:::*"]}]}"#;
    let reader = session(&store, policy).await;
    let objects = bucket.objects_with(|settings| settings.s3_credentials = Some(reader.clone()));
    assert_eq!(objects.read(&key("a"), 0..9).await.unwrap(), &b"x"[..]);
    let prefix = ObjectPrefix::run(&run(1));
    let none = BTreeSet::new();
    let put = objects.put(&key("a"), Bytes::from_static(b"y")).await;
    for error in [
        put.unwrap_err(),
        objects.upload(&key("b")).await.map(|_| ()).unwrap_err(),
        objects.delete(&key("a")).await.unwrap_err(),
        objects.sweep(&prefix, &none).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), PortErrorKind::ReadOnly, "{error}");
        assert!(error.to_string().contains(&bucket.name), "{error}");
    }
    assert_eq!(all.read(&key("a"), 0..9).await.unwrap(), &b"x"[..]);

    // Who may not even read is told so, and not that there is nothing.
    let nobody = session(
        &store,
        &policy.replace("s3:GetObject", "s3:GetObjectTagging"),
    )
    .await;
    let objects = bucket.objects_with(|settings| settings.s3_credentials = Some(nobody));
    let error = objects.read(&key("a"), 0..9).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("add the permission"), "{error}");
    bucket.remove().await;
}

#[tokio::test]
async fn credentials_that_are_not_accepted() {
    let Some(store) = Store::minio("wrong credentials") else {
        return;
    };
    let bucket = store.bucket().await;
    let secret = "an-utterly-wrong-secret";
    let right = store.settings.s3_credentials.clone().unwrap();
    let wrong = [
        StaticCredentials {
            secret_access_key: secret.to_owned().into(),
            ..right.clone()
        },
        StaticCredentials {
            access_key_id: "nobody".to_owned(),
            ..right.clone()
        },
        StaticCredentials {
            session_token: Some(secret.to_owned().into()),
            ..right
        },
    ];
    for credentials in wrong {
        let shown = format!("{credentials:?}");
        assert!(!shown.contains(credentials.secret_access_key.as_str()));
        let objects = bucket.objects_with(|settings| settings.s3_credentials = Some(credentials));
        for error in errors(&objects).await {
            assert_eq!(error.kind(), PortErrorKind::Unavailable, "{error}");
            let (text, debug) = (error.to_string(), format!("{error:?}"));
            assert!(text.contains("the credentials are not accepted"), "{text}");
            assert!(!text.contains(secret) && !debug.contains(secret), "{debug}");
        }
    }
    bucket.remove().await;
}

#[tokio::test]
async fn credentials_that_have_expired() {
    // S3's own words ("Error responses", `ExpiredToken`). No service here lets credentials expire
    // within the time of a test.
    let body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>ExpiredToken</Code>\
        <Message>The provided token has expired.</Message><Token-0>tok-en</Token-0></Error>";
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/xml\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let answers = Weather::Answers(Arc::from(answer));
    let proxy = Proxy::start("http://127.0.0.1:1", answers, u32::MAX).await;
    let mut settings = export_aws::AwsSettings::new("us-east-1", Arc::new(SystemClock { off: 0 }));
    settings.s3_endpoint = Some(proxy.url());
    settings.s3_credentials = Some(StaticCredentials {
        access_key_id: "ASIA".to_owned(),
        secret_access_key: "secret".to_owned().into(),
        session_token: Some("tok-en".to_owned().into()),
    });
    let aws = Aws::new(settings).unwrap();
    let objects = aws.objects(&Bucket {
        name: "evidence".to_owned(),
        prefix: String::new(),
        kms_key: None,
    });
    for error in errors(&objects.unwrap()).await {
        assert_eq!(error.kind(), PortErrorKind::Unavailable, "{error}");
        let text = error.to_string();
        assert!(text.contains("the credentials have expired"), "{text}");
        assert!(!format!("{error:?}").contains("tok-en"));
    }
}

#[tokio::test]
async fn clocks_that_differ() {
    for store in Store::all("clocks that differ") {
        let bucket = store.bucket().await;
        // S3 accepts 15 minutes; beyond that the client takes the time from the refusal.
        for minutes in [-10, 10, -20, 20] {
            let objects = bucket.objects_with(|settings| {
                settings.clock = Arc::new(SystemClock { off: minutes * 60 });
            });
            let put = objects.put(&key("a"), Bytes::from_static(b"x")).await;
            put.unwrap_or_else(|error| panic!("{minutes} minutes: {error}"));
            assert_eq!(objects.read(&key("a"), 0..9).await.unwrap(), &b"x"[..]);
        }
        bucket.remove().await;
    }
}
