//! Pages as lines, written as the client takes them.

use std::borrow::Cow;
use std::convert::Infallible;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use bytes::{BufMut as _, Bytes, BytesMut};
use export_http::Problem;
use export_model::{ErrorCode, IndexEntry, Position};
use export_ports::{RecordPage, RecordRef};
use futures_util::stream;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use crate::cursor;
use crate::wire::{Close, IndexLine, NDJSON, RecordLine};

/// Lines are gathered into pieces of this many bytes; a larger record is a piece by itself.
const PIECE: usize = 64 << 10;

type Answer = Result<Response, Problem>;

/// A page of index lines, of at most `limit`. It holds its place among the pages until it was sent.
pub(super) fn index(lines: Vec<IndexEntry>, limit: usize, turn: OwnedSemaphorePermit) -> Answer {
    let close = match lines.last() {
        Some(last) if lines.len() >= limit => Close::Next(cursor::encode(&last.position)),
        _ => Close::End(true),
    };
    let close = line(&close).ok_or_else(unwritable)?;
    let mut lines = lines.into_iter();
    let piece = move || {
        let mut piece = BytesMut::new();
        while piece.len() < PIECE
            && let Some(entry) = lines.next()
        {
            piece.put(line(&IndexLine {
                subject_key: Cow::Borrowed(&entry.position.subject_key),
                id: Cow::Borrowed(&entry.position.id),
                record_sha256: entry.record_sha256,
                size: entry.size,
                vendor: Cow::Borrowed(&entry.source.vendor),
                stream: Cow::Borrowed(&entry.source.stream),
            })?);
        }
        Some(piece.freeze())
    };
    Ok(answer(piece, close, turn))
}

/// A page of records of a read up to `last`.
pub(super) fn records(
    page: RecordPage,
    last: Option<&Position>,
    turn: OwnedSemaphorePermit,
) -> Answer {
    let close = match page.last() {
        Some(position) if Some(&position) < last => Close::Next(cursor::encode(&position)),
        _ => Close::End(true),
    };
    let close = line(&close).ok_or_else(unwritable)?;
    let bytes = Bytes::from(page.bytes);
    let mut records = page.records.into_iter();
    // A large record that is to be sent next, after the line that announces it.
    let mut large: Option<Bytes> = None;
    let mut unended = false;
    let piece = move || {
        if let Some(record) = large.take() {
            unended = true;
            return Some(record);
        }
        let mut piece = BytesMut::new();
        if std::mem::take(&mut unended) {
            piece.put_u8(b'\n');
        }
        while piece.len() < PIECE
            && let Some(record) = records.next()
        {
            piece.put(line(&announced(&record))?);
            let body = bytes.slice(record.bytes);
            if body.len() >= PIECE {
                large = Some(body);
                break;
            }
            piece.put(body);
            piece.put_u8(b'\n');
        }
        Some(piece.freeze())
    };
    Ok(answer(piece, close, turn))
}

fn announced(record: &RecordRef) -> RecordLine<'_> {
    RecordLine {
        subject_key: Cow::Borrowed(&record.subject_key),
        id: Cow::Borrowed(&record.id),
        record_sha256: record.record_sha256,
        size: record.bytes.len() as u64,
        admitted: record.admitted,
    }
}

/// A JSON document and a line feed; JSON has none of its own.
fn line(value: &impl Serialize) -> Option<Bytes> {
    let mut line = serde_json::to_vec(value).ok()?;
    line.push(b'\n');
    Some(line.into())
}

fn unwritable() -> Problem {
    Problem::failed(ErrorCode::Internal, "writing the end of a page")
}

/// The pieces, then the last line. A piece that could not be written ends the page without its last
/// line, so that nobody takes it for whole.
fn answer(
    mut piece: impl FnMut() -> Option<Bytes> + Send + 'static,
    close: Bytes,
    turn: OwnedSemaphorePermit,
) -> Response {
    let mut close = Some(close);
    let mut whole = true;
    let pieces = std::iter::from_fn(move || {
        let _ = &turn;
        if !whole {
            return None;
        }
        match piece() {
            Some(piece) if !piece.is_empty() => Some(Ok::<_, Infallible>(piece)),
            Some(_) => close.take().map(Ok),
            None => {
                whole = false;
                None
            }
        }
    });
    let ndjson = HeaderValue::from_static(NDJSON);
    let body = Body::from_stream(stream::iter(pieces));
    ([(CONTENT_TYPE, ndjson)], body).into_response()
}
