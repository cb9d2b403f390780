//! Server-Sent Events (HTML Living Standard §9.2.6), as far as the service sends them.

use std::time::Duration;

/// The longest line, and the most bytes of one event.
const LARGEST: usize = 1 << 20;

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// Its `id`, which the stream goes on after.
    pub(super) id: Option<u64>,
    /// Its document.
    pub(super) data: String,
}

/// A stream that holds a line or an event of absurd size.
#[derive(Debug, thiserror::Error)]
#[error("sends an event that is larger than 1 MiB")]
pub(super) struct TooLarge;

/// Makes events of a stream's bytes, however these are cut.
#[derive(Debug, Default)]
pub(super) struct Parser {
    line: Vec<u8>,
    after_cr: bool,
    id: Option<u64>,
    data: Option<String>,
    retry: Option<Duration>,
}

impl Parser {
    /// Reads bytes; gives the events that they complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Message>, TooLarge> {
        let mut messages = Vec::new();
        for &byte in bytes {
            let follows_cr = std::mem::take(&mut self.after_cr);
            match byte {
                b'\n' if follows_cr => {}
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    messages.extend(self.end_line(&String::from_utf8_lossy(&line))?);
                }
                _ if self.line.len() >= LARGEST => return Err(TooLarge),
                _ => self.line.push(byte),
            }
        }
        Ok(messages)
    }

    /// How long the service wants a client to wait before it comes again; told once.
    pub(super) fn retry(&mut self) -> Option<Duration> {
        self.retry.take()
    }

    fn end_line(&mut self, line: &str) -> Result<Option<Message>, TooLarge> {
        if line.is_empty() {
            let id = self.id.take();
            return Ok(self.data.take().map(|data| Message { id, data }));
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => match &mut self.data {
                None => self.data = Some(value.to_owned()),
                Some(data) if data.len() + value.len() > LARGEST => return Err(TooLarge),
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
            },
            "id" => self.id = value.parse().ok(),
            "retry" => self.retry = value.parse().ok().map(Duration::from_millis),
            // A comment, which is a sign of life, or nothing of ours.
            _ => {}
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": waiting\n\nid: 1\nevent: run.status\ndata: {\"a\":1}\n\nretry: 1000\n\n\
                          id: 2\r\ndata: x\r\ndata:y\r\n\r\ndata: half";

    #[test]
    fn events_are_the_same_however_the_bytes_are_cut() {
        for size in 1..STREAM.len() {
            let mut parser = Parser::default();
            let mut messages = Vec::new();
            for piece in STREAM.as_bytes().chunks(size) {
                messages.extend(parser.push(piece).unwrap());
            }
            let told: Vec<_> = messages.iter().map(|m| (m.id, m.data.as_str())).collect();
            assert_eq!(told, [(Some(1), "{\"a\":1}"), (Some(2), "x\ny")], "{size}");
            assert_eq!(parser.retry(), Some(Duration::from_secs(1)));
            assert_eq!(parser.retry(), None);
        }
    }

    #[test]
    fn no_event_takes_all_the_memory() {
        assert!(Parser::default().push(&vec![b'x'; LARGEST + 1]).is_err());
        let mut parser = Parser::default();
        let line = format!("data: {}\n", "x".repeat(LARGEST - 10));
        assert!(parser.push(line.as_bytes()).is_ok());
        assert!(parser.push(line.as_bytes()).is_err());
    }
}
