//! An answer as lines, and as bytes of which the number is known. Nothing is read ahead but what the
//! connection gave in one piece.

use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use export_authority::client::lost;
use reqwest::Response;
use tokio::time::{Instant, timeout_at};

use crate::wire::LINE_BYTES;

/// How long a page may take: a ledger that drips holds nobody up for longer.
const PAGE: Duration = Duration::from_secs(300);

/// Why a page ended before its last line.
#[derive(Debug)]
pub(super) enum Broken {
    /// It was cut off; the rest can be asked for.
    Cut(String),
    /// It is not what the contract says.
    Wrong(String),
}

/// The lines of an answer.
pub(super) struct Lines {
    response: Response,
    buffer: BytesMut,
    until: Instant,
}

impl Lines {
    pub(super) fn new(response: Response) -> Self {
        Self {
            response,
            buffer: BytesMut::new(),
            until: Instant::now() + PAGE,
        }
    }

    /// The next line, without its line feed.
    pub(super) async fn line(&mut self) -> Result<Bytes, Broken> {
        let mut seen = 0;
        loop {
            if let Some(at) = self.buffer[seen..].iter().position(|b| *b == b'\n') {
                let line = self.buffer.split_to(seen + at).freeze();
                self.buffer.advance(1);
                return Ok(line);
            }
            seen = self.buffer.len();
            if seen > LINE_BYTES {
                let why = format!("a line has more than {LINE_BYTES} bytes");
                return Err(Broken::Wrong(why));
            }
            self.more().await?;
        }
    }

    /// The next `size` bytes, which a line feed follows, at the end of `into`.
    pub(super) async fn bytes(&mut self, size: usize, into: &mut Vec<u8>) -> Result<(), Broken> {
        let mut left = size;
        loop {
            let now = left.min(self.buffer.len());
            into.extend_from_slice(&self.buffer[..now]);
            self.buffer.advance(now);
            left -= now;
            if left == 0 {
                break;
            }
            self.more().await?;
        }
        while self.buffer.is_empty() {
            self.more().await?;
        }
        match self.buffer.get_u8() {
            b'\n' => Ok(()),
            _ => Err(Broken::Wrong("a record is longer than it says".to_owned())),
        }
    }

    async fn more(&mut self) -> Result<(), Broken> {
        match timeout_at(self.until, self.response.chunk()).await {
            Ok(Ok(Some(piece))) => {
                self.buffer.extend_from_slice(&piece);
                Ok(())
            }
            Ok(Ok(None)) => Err(Broken::Cut(
                "the page ends without its last line".to_owned(),
            )),
            Ok(Err(error)) => Err(Broken::Cut(lost(&error))),
            Err(_) => Err(Broken::Cut("the page takes too long".to_owned())),
        }
    }
}
