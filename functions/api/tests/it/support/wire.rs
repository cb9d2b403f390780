//! HTTP/1.1 as bytes: what is sent is written by the test, what comes back is read as it came.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Nothing here takes longer, unless it never ends.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection, and what was received on it and not yet read.
pub(crate) struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
}

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
    /// Fields after a chunked body.
    pub(crate) trailers: Vec<(String, String)>,
}

impl Head {
    /// The field's value, where there is exactly one.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut found = self.fields.iter().filter(|(n, _)| n == name);
        let first = found.next()?;
        assert!(found.next().is_none(), "{name} comes twice: {self:?}");
        Some(&first.1)
    }
}

impl Answered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {:?}", String::from_utf8_lossy(&self.body)))
    }
}

fn fields(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter(|line| !line.is_empty())
        .map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        })
        .collect()
}

impl Wire {
    pub(crate) async fn open(at: SocketAddr) -> Self {
        let stream = TcpStream::connect(at).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            received: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        // Whoever has refused a request need not read the rest of it.
        let _ = self.stream.write_all(bytes).await;
    }

    /// Says that nothing more is sent.
    pub(crate) async fn finish_sending(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Reads more; false at the end of the connection.
    async fn more(&mut self) -> bool {
        let reading = self.stream.read_buf(&mut self.received);
        match timeout(PATIENCE, reading).await {
            Ok(read) => read.unwrap_or(0) > 0,
            Err(_) => panic!(
                "nothing came: {:?}",
                String::from_utf8_lossy(&self.received)
            ),
        }
    }

    /// Everything up to and with `end`; none where the connection ends before.
    async fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            let found = self.received.windows(end.len()).position(|w| w == end);
            if let Some(at) = found {
                return Some(self.received.drain(..at + end.len()).collect());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// Exactly `count` bytes, or fewer where the connection ends before.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<u8> {
        while self.received.len() < count && self.more().await {}
        let count = count.min(self.received.len());
        self.received.drain(..count).collect()
    }

    /// The head of the next answer; none where the connection ends without one.
    pub(crate) async fn head(&mut self) -> Option<Head> {
        let bytes = self.until(b"\r\n\r\n").await?;
        let text = String::from_utf8(bytes).expect("a head of visible characters");
        let (first, rest) = text.split_once("\r\n").unwrap();
        let status = first.strip_prefix("HTTP/1.1 ").unwrap();
        Some(Head {
            status: status[..3].parse().unwrap(),
            fields: fields(rest),
        })
    }

    /// The next chunk of a chunked body; empty at its end, none where the connection ends.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = self.until(b"\r\n").await?;
        let size = std::str::from_utf8(&line).unwrap().trim();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return Some(Vec::new());
        }
        let mut chunk = self.take(size + 2).await;
        (chunk.len() == size + 2).then(|| {
            chunk.truncate(size);
            chunk
        })
    }

    /// The fields after a chunked body.
    pub(crate) async fn trailers(&mut self) -> Vec<(String, String)> {
        let mut text = String::new();
        while let Some(line) = self.until(b"\r\n").await {
            if line == b"\r\n" {
                break;
            }
            text.push_str(std::str::from_utf8(&line).unwrap());
        }
        fields(&text)
    }

    /// The next answer, to its end. `bodyless` for answers to HEAD.
    pub(crate) async fn answer(&mut self, bodyless: bool) -> Option<Answered> {
        let head = self.head().await?;
        let mut answered = Answered {
            body: Vec::new(),
            trailers: Vec::new(),
            head,
        };
        if bodyless || [204, 304].contains(&answered.head.status) {
            return Some(answered);
        }
        if let Some(length) = answered.head.field("content-length") {
            let length = length.parse().unwrap();
            answered.body = self.take(length).await;
            assert_eq!(answered.body.len(), length, "the body ends early");
        } else {
            assert_eq!(answered.head.field("transfer-encoding"), Some("chunked"));
            loop {
                let chunk = self.chunk().await.expect("a chunk");
                if chunk.is_empty() {
                    break;
                }
                answered.body.extend(chunk);
            }
            answered.trailers = self.trailers().await;
        }
        Some(answered)
    }
}

/// Sends bytes on a connection of their own; gives the answer.
pub(crate) async fn exchange(at: SocketAddr, bytes: &[u8]) -> Option<Answered> {
    let mut wire = Wire::open(at).await;
    wire.send(bytes).await;
    wire.answer(bytes.starts_with(b"HEAD ")).await
}
