//! Queues: the port's suite, and what only this backend promises.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_sqs::config::{BehaviorVersion, Region};
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_http_client::Builder;
use export_aws::{Aws, AwsSettings, MAX_MESSAGE_BYTES, QueueUrl, QueueUrls, SqsQueue};
use export_model::{Message, Phase, WorkId};
use export_ports::conformance::{self, PATIENCE, QueueLimits};
use export_ports::{PortErrorKind, Queue};

use crate::world::{localstack, own, random, run};

const LONG: Duration = Duration::from_secs(600);
const MAX_RECEIVES: u32 = 3;

/// LocalStack, and the queues that a test made there.
struct Queues {
    settings: AwsSettings,
    sqs: aws_sdk_sqs::Client,
    made: Mutex<Vec<String>>,
}

impl Queues {
    fn new(what: &str) -> Option<Self> {
        let settings = localstack(what)?;
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(settings.region.clone()))
            .endpoint_url(settings.endpoint.as_ref().unwrap())
            .http_client(Builder::new().build_http())
            .credentials_provider(own(settings.credentials.as_ref().unwrap()));
        Some(Self {
            sqs: aws_sdk_sqs::Client::from_conf(config.build()),
            settings,
            made: Mutex::default(),
        })
    }

    async fn make(&self, name: &str, attributes: &[(QueueAttributeName, String)]) -> String {
        let attributes = attributes.iter().cloned().collect();
        let made = self.sqs.create_queue().queue_name(name);
        let made = made.set_attributes(Some(attributes)).send().await.unwrap();
        let url = made.queue_url().unwrap().to_owned();
        self.made.lock().unwrap().push(url.clone());
        url
    }

    /// A queue with one of dead letters.
    async fn pair(&self, name: &str, told: bool) -> QueueUrl {
        let dead = self.make(&format!("{name}-dead"), &[]).await;
        let arn = QueueAttributeName::QueueArn;
        let found = self.sqs.get_queue_attributes().queue_url(&dead);
        let found = found.attribute_names(arn.clone()).send().await.unwrap();
        let arn = &found.attributes().unwrap()[&arn];
        let policy =
            format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":{MAX_RECEIVES}}}"#);
        let policy = (QueueAttributeName::RedrivePolicy, policy);
        QueueUrl {
            queue: self.make(name, &[policy]).await,
            dead: told.then_some(dead),
        }
    }

    async fn fresh(&self) -> (SqsQueue, QueueUrls) {
        let name = format!("export-test-{}", random());
        let urls = QueueUrls {
            plan: self.pair(&format!("{name}-plan"), false).await,
            adapter: self.pair(&format!("{name}-adapter"), true).await,
            sign: self.pair(&format!("{name}-sign"), true).await,
            distribute: self.pair(&format!("{name}-distribute"), false).await,
        };
        (self.open(urls.clone()), urls)
    }

    fn open(&self, urls: QueueUrls) -> SqsQueue {
        Aws::new(self.settings.clone()).unwrap().queue(urls)
    }

    async fn remove(self) {
        for url in self.made.into_inner().unwrap() {
            let delete = self.sqs.delete_queue().queue_url(url);
            delete.send().await.unwrap();
        }
    }
}

fn message(number: u32) -> Message {
    let key = run(number);
    Message {
        tenant: key.tenant,
        work: WorkId::Plan { run: key.run },
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms() {
    let Some(queues) = Queues::new("queues") else {
        return;
    };
    let limits = QueueLimits {
        shortest: Duration::from_secs(1),
        max_receives: MAX_RECEIVES,
        stale_receipts_refused: false,
    };
    conformance::queue(limits, async || {
        Arc::new(queues.fresh().await.0) as Arc<dyn Queue>
    })
    .await;
    queues.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_body_stops_nothing() {
    let Some(queues) = Queues::new("bad bodies") else {
        return;
    };
    let (queue, urls) = queues.fresh().await;
    let bodies = ["no json", r#"{"tenant":"acme"}"#, "\"ü\u{2028}\""];
    for body in bodies {
        let send = queues.sqs.send_message().queue_url(&urls.plan.queue);
        send.message_body(body).send().await.unwrap();
    }
    queue.send(&message(1), Duration::ZERO).await.unwrap();
    let found = queue.receive(Phase::Plan, 10, LONG, PATIENCE).await;
    let found = found.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message, message(1));
    let letters = queue.dead_letters(Phase::Plan, 10).await.unwrap();
    let mut dead: Vec<_> = letters.iter().map(|letter| letter.body.as_str()).collect();
    dead.sort_unstable();
    let mut expected = bodies;
    expected.sort_unstable();
    assert_eq!(dead, expected);
    for letter in &letters {
        assert_eq!((&letter.message, letter.receive_count), (&None, 1));
        assert!(
            letter.reason.starts_with("it is no message: "),
            "{letter:?}"
        );
        assert!(letter.at.0 > 1_700_000_000_000, "{letter:?}");
    }
    // It would only come back.
    assert_eq!(queue.redrive(Phase::Plan, None).await.unwrap(), 0);
    let stats = queue.stats(Phase::Plan).await.unwrap();
    assert_eq!((stats.messages, stats.dead), (1, 3));
    queues.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_dead_letters_are_found_and_sent_again() {
    const MANY: u32 = 25;
    let Some(queues) = Queues::new("many dead letters") else {
        return;
    };
    let (queue, _) = queues.fresh().await;
    for number in 0..MANY {
        queue.send(&message(number), Duration::ZERO).await.unwrap();
    }
    let mut aside = 0;
    while aside < MANY {
        let found = queue.receive(Phase::Plan, 10, LONG, PATIENCE).await;
        for delivery in found.unwrap() {
            queue.put_aside(&delivery, "too many: \u{7}").await.unwrap();
            aside += 1;
        }
    }
    let letters = queue.dead_letters(Phase::Plan, 100).await.unwrap();
    assert_eq!(letters.len(), MANY as usize);
    assert!(letters.iter().all(|letter| letter.reason == "too many:  "));
    assert_eq!(queue.dead_letters(Phase::Plan, 7).await.unwrap().len(), 7);
    let one = queue.redrive(Phase::Plan, Some(&letters[20].id)).await;
    assert_eq!(one.unwrap(), 1);
    let rest = queue.redrive(Phase::Plan, None).await.unwrap();
    assert_eq!(rest, u64::from(MANY) - 1);
    let stats = queue.stats(Phase::Plan).await.unwrap();
    assert_eq!((stats.messages, stats.dead), (u64::from(MANY), 0));
    queues.remove().await;
}

#[tokio::test]
async fn large_messages_are_refused() {
    let Some(queues) = Queues::new("large messages") else {
        return;
    };
    let (queue, _) = queues.fresh().await;
    let mut large = message(1);
    large.traceparent = Some("0".repeat(MAX_MESSAGE_BYTES));
    let error = queue.send(&large, Duration::ZERO).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Invalid, "{error}");
    // A delay that SQS does not have is cut, not refused.
    queue
        .send(&message(1), Duration::from_secs(7200))
        .await
        .unwrap();
    queues.remove().await;
}

#[tokio::test]
async fn the_trace_is_an_attribute_too() {
    let Some(queues) = Queues::new("attributes of messages") else {
        return;
    };
    let (queue, urls) = queues.fresh().await;
    queue.send(&message(1), Duration::ZERO).await.unwrap();
    let received = queues.sqs.receive_message().queue_url(&urls.plan.queue);
    let received = received.message_attribute_names("All");
    let received = received.wait_time_seconds(5).send().await.unwrap();
    let attributes = received.messages()[0].message_attributes().unwrap();
    assert_eq!(
        attributes["traceparent"].string_value(),
        message(1).traceparent.as_deref()
    );
    queues.remove().await;
}

#[tokio::test]
async fn queues_that_are_not_there() {
    let Some(queues) = Queues::new("missing queues") else {
        return;
    };
    let (_, mut urls) = queues.fresh().await;
    urls.plan.queue.push_str("-missing");
    // A queue that has no redrive policy, and nobody said where its dead letters go.
    urls.sign.queue = queues.make(&format!("export-test-{}", random()), &[]).await;
    urls.sign.dead = None;
    let queue = queues.open(urls);
    let error = queue.send(&message(1), Duration::ZERO).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Unavailable, "{error}");
    let text = error.to_string();
    assert!(
        text.contains("-missing") && text.contains("create it"),
        "{text}"
    );
    let error = queue.stats(Phase::Sign).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains("redrive policy"), "{error}");
    queues.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_finished_at_once_is_acknowledged_together() {
    const MANY: u32 = 25;
    let Some(queues) = Queues::new("acknowledging together") else {
        return;
    };
    let (queue, _) = queues.fresh().await;
    for number in 0..MANY {
        queue.send(&message(number), Duration::ZERO).await.unwrap();
    }
    let mut receipts = vec!["no receipt".to_owned()];
    while receipts.len() <= MANY as usize {
        let found = queue.receive(Phase::Plan, 10, LONG, PATIENCE).await;
        receipts.extend(found.unwrap().into_iter().map(|delivery| delivery.receipt));
    }
    let queue = Arc::new(queue);
    let acknowledge = |receipt: String| {
        let queue = Arc::clone(&queue);
        tokio::spawn(async move { queue.acknowledge(Phase::Plan, &receipt).await })
    };
    // One of them is stopped, with the removals that it may have taken along.
    acknowledge(receipts[1].clone()).abort();
    let tasks: Vec<_> = receipts.into_iter().map(acknowledge).collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(queue.stats(Phase::Plan).await.unwrap().messages, 0);
    queues.remove().await;
}
