//! Events of an SQS event-source mapping, and the answer that names single messages.
//!
//! "Using Lambda with Amazon SQS", Example standard queue message event; "Reporting batch item
//! failures for Lambda functions with an Amazon SQS trigger".

use serde::{Deserialize, Serialize};

/// What a function of a phase is called with.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Event {
    Batch {
        #[serde(rename = "Records")]
        records: Vec<Record>,
    },
    Tick {
        tick: bool,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    pub(crate) message_id: String,
    pub(crate) receipt_handle: String,
    pub(crate) body: String,
    #[serde(default)]
    pub(crate) attributes: Attributes,
}

#[derive(Default, Deserialize)]
pub(crate) struct Attributes {
    #[serde(rename = "ApproximateReceiveCount", default)]
    received: Option<String>,
}

impl Record {
    pub(crate) fn receive_count(&self) -> u32 {
        let count = self.attributes.received.as_deref();
        count.and_then(|text| text.parse().ok()).unwrap_or(1)
    }
}

/// Which messages are to come again; the others are done.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    pub(crate) batch_item_failures: Vec<Failure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Failure {
    pub(crate) item_identifier: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_event_is_read() {
        let event = serde_json::json!({ "Records": [{
            "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
            "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a...",
            "body": "Test message.",
            "attributes": {
                "ApproximateReceiveCount": "3",
                "SentTimestamp": "1545082649183",
                "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "ApproximateFirstReceiveTimestamp": "1545082649185"
            },
            "messageAttributes": {},
            "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-2:123456789012:my-queue",
            "awsRegion": "us-east-2"
        }]});
        let Event::Batch { records } = serde_json::from_value(event).unwrap() else {
            panic!("no batch");
        };
        assert_eq!(records[0].receive_count(), 3);
        assert_eq!(records[0].body, "Test message.");
        let tick = serde_json::from_str(r#"{"tick":true}"#).unwrap();
        assert!(matches!(tick, Event::Tick { tick: true }));
        assert!(serde_json::from_str::<Event>(r#"{"tock":true}"#).is_err());
    }

    #[test]
    fn the_answer_names_messages_as_documented() {
        let answer = Answer {
            batch_item_failures: vec![Failure {
                item_identifier: "id2".to_owned(),
            }],
        };
        assert_eq!(
            serde_json::to_string(&answer).unwrap(),
            r#"{"batchItemFailures":[{"itemIdentifier":"id2"}]}"#
        );
    }
}
