//! An object's bytes as a response body.
//!
//! Read in pieces as the client takes them, one piece ahead, so that the store works while the
//! network does; a client that stops reading holds two pieces and nothing else.

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use export_model::ObjectKey;
use export_ports::{Objects, PortError, PortErrorKind};
use http_body::{Body, Frame, SizeHint};
use sha2::{Digest as _, Sha256};

/// Bytes in a piece. Two of them stay in a core's own cache, from the read to the write.
const PIECE: u64 = 128 << 10;

type Reading = Pin<Box<dyn Future<Output = Result<Bytes, PortError>> + Send>>;

/// The bytes of a range of an object.
pub(super) struct ObjectBody {
    objects: Arc<dyn Objects>,
    object: ObjectKey,
    /// What is still to be asked for.
    left: Range<u64>,
    /// What was asked for: the bytes that must come, and the call.
    reading: Option<(u64, Reading)>,
    /// Bytes still to be sent.
    unsent: u64,
    trailer: Option<(&'static str, Sha256)>,
}

impl ObjectBody {
    pub(super) fn new(objects: &Arc<dyn Objects>, object: ObjectKey, range: Range<u64>) -> Self {
        Self {
            objects: Arc::clone(objects),
            object,
            unsent: range.end - range.start,
            left: range,
            reading: None,
            trailer: None,
        }
    }

    /// The same, ending with a trailer that has the SHA-256 of what was sent (RFC 9530 §2).
    pub(super) fn with_digest_trailer(mut self, name: &'static str) -> Self {
        self.trailer = Some((name, Sha256::new()));
        self
    }

    /// Asks for the next piece.
    fn ask(&mut self) {
        let end = self.left.end.min(self.left.start + PIECE);
        let piece = self.left.start..end;
        if piece.is_empty() {
            return;
        }
        self.left.start = end;
        let (objects, object) = (Arc::clone(&self.objects), self.object.clone());
        let length = piece.end - piece.start;
        let reading = Box::pin(async move { objects.read(&object, piece).await });
        self.reading = Some((length, reading));
    }
}

impl Body for ObjectBody {
    type Data = Bytes;
    type Error = PortError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, PortError>>> {
        if self.reading.is_none() {
            self.ask();
        }
        let Some((length, reading)) = &mut self.reading else {
            return Poll::Ready(self.trailer.take().and_then(|(name, hash)| {
                let digest = format!("sha-256=:{}:", STANDARD.encode(hash.finalize()));
                let value = HeaderValue::from_str(&digest).ok()?;
                let fields = HeaderMap::from_iter([(HeaderName::from_static(name), value)]);
                Some(Ok(Frame::trailers(fields)))
            }));
        };
        let length = *length;
        let Poll::Ready(read) = reading.as_mut().poll(context) else {
            return Poll::Pending;
        };
        self.reading = None;
        let bytes = match read {
            Ok(bytes) if bytes.len() as u64 == length => bytes,
            // Ending early is the only way to tell a client that what it gets is not all.
            Ok(_) => {
                let doing = format!("reading object {}, which ends early", self.object.as_str());
                return Poll::Ready(Some(Err(PortError::new(PortErrorKind::Damaged, doing))));
            }
            Err(error) => return Poll::Ready(Some(Err(error))),
        };
        self.unsent -= length;
        if let Some((_, hash)) = &mut self.trailer {
            hash.update(&bytes);
        }
        self.ask();
        if let Some((_, reading)) = &mut self.reading {
            // Begins the read; that it may be done at once is seen when it is asked for.
            if let Poll::Ready(read) = reading.as_mut().poll(context) {
                let length = self.reading.take().map_or(0, |(length, _)| length);
                self.reading = Some((length, Box::pin(std::future::ready(read))));
            }
        }
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        match self.trailer {
            // Whoever knows the length sends no chunks, and without chunks there is no trailer.
            Some(_) => SizeHint::default(),
            None => SizeHint::with_exact(self.unsent),
        }
    }
}
