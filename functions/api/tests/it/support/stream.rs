//! A run's events as a stream (HTML Living Standard, 9.2 "Server-sent events").

use serde_json::Value;

use super::wire::{Head, Wire};
use super::{Ask, Caller};

/// A stream that is being followed.
pub(crate) struct Stream {
    wire: Wire,
    text: String,
}

/// What a stream carries.
#[derive(Debug, PartialEq)]
pub(crate) enum Item {
    Event {
        id: u64,
        name: String,
        data: Value,
    },
    /// A line that clients skip.
    Comment(String),
}

impl Stream {
    /// Begins to follow a run; the head of the answer instead where it is no stream.
    pub(crate) async fn open(
        caller: &Caller,
        run: &str,
        last_event_id: Option<u64>,
    ) -> Result<Self, Head> {
        let mut ask = Ask::get(format!("/runs/{run}/events")).with("accept", "text/event-stream");
        if let Some(id) = last_event_id {
            ask = ask.with("last-event-id", id.to_string());
        }
        let mut wire = Wire::open(caller.at).await;
        wire.send(&caller.signed(ask).on_the_wire()).await;
        let head = wire.head().await.unwrap();
        if head.status != 200 {
            return Err(head);
        }
        assert_eq!(head.field("content-type"), Some("text/event-stream"));
        assert_eq!(head.field("cache-control"), Some("no-store"));
        assert_eq!(head.field("x-accel-buffering"), Some("no"));
        assert_eq!(head.field("transfer-encoding"), Some("chunked"));
        Ok(Self {
            wire,
            text: String::new(),
        })
    }

    /// The next item; none at the stream's proper end.
    pub(crate) async fn next(&mut self) -> Option<Item> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let item = item(block);
                self.text = rest.to_owned();
                return Some(item);
            }
            let chunk = self
                .wire
                .chunk()
                .await
                .expect("a stream that ends properly");
            if chunk.is_empty() {
                assert_eq!(self.text, "");
                return None;
            }
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The ids of the events up to the end.
    pub(crate) async fn ids(&mut self) -> Vec<u64> {
        let mut ids = Vec::new();
        while let Some(item) = self.next().await {
            if let Item::Event { id, .. } = item {
                ids.push(id);
            }
        }
        ids
    }
}

fn item(block: &str) -> Item {
    if let Some(comment) = block.strip_prefix(':') {
        return Item::Comment(comment.trim().to_owned());
    }
    let lines: Vec<_> = block.lines().collect();
    let [id, name, data] = lines.as_slice() else {
        panic!("{block}");
    };
    Item::Event {
        id: id.strip_prefix("id: ").unwrap().parse().unwrap(),
        name: name.strip_prefix("event: ").unwrap().to_owned(),
        data: serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap(),
    }
}
