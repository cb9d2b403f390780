//! What building costs, before anything is asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use export_aws::{Aws, AwsSettings, Bucket, KmsKeyUri, QueueUrl, QueueUrls};
use export_ports::PortErrorKind;

use crate::world::SystemClock;

fn settings() -> AwsSettings {
    AwsSettings::new("eu-central-1", Arc::new(SystemClock { off: 0 }))
}

fn build(settings: AwsSettings) {
    let aws = Aws::new(settings).unwrap();
    let bucket = Bucket {
        name: "evidence".to_owned(),
        prefix: String::new(),
        kms_key: None,
    };
    aws.objects(&bucket).unwrap();
    let url = || QueueUrl {
        queue: "https://sqs.eu-central-1.amazonaws.com/1/plan".to_owned(),
        dead: None,
    };
    let _queue = aws.queue(QueueUrls {
        plan: url(),
        adapter: url(),
        sign: url(),
        distribute: url(),
    });
    let _signer = aws.signer(KmsKeyUri::parse("awskms:///alias/export").unwrap());
}

#[test]
fn building_asks_nobody_and_takes_no_time() {
    // Without a runtime, nothing could be asked. The first time, which is shown, also pays for what
    // is made once a process; the best is judged, so that a busy machine does not decide.
    let mut best = Duration::MAX;
    let mut times = Vec::new();
    for _ in 0..10 {
        let started = Instant::now();
        build(settings());
        times.push(started.elapsed());
        best = best.min(started.elapsed());
    }
    println!("building every backend: {times:?}");
    assert!(best < Duration::from_millis(25), "{times:?}");
}

#[test]
fn settings_are_checked() {
    let changed = |change: fn(&mut AwsSettings)| {
        let mut settings = settings();
        change(&mut settings);
        Aws::new(settings).map(|_| ()).unwrap_err()
    };
    for change in [
        (|s| s.region = String::new()) as fn(&mut AwsSettings),
        |s| s.endpoint = Some("localhost:4566".to_owned()),
        |s| s.s3_endpoint = Some("http://".to_owned()),
        |s| s.s3_endpoint = Some("http://me:hush@host".to_owned()),
    ] {
        let error = changed(change);
        assert_eq!(error.kind(), PortErrorKind::Invalid);
        assert!(!error.to_string().contains("hush"), "{error}");
    }
}
