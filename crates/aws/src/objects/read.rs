//! Reading ranges of objects.
//!
//! The SDK makes a request again that fails, but not one whose answer breaks off in its body. That
//! is done here: what is missing is asked for again, of the same object (`If-Match`).

use std::ops::Range;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use bytes::{Bytes, BytesMut};
use export_model::ObjectKey;
use export_ports::{PortError, PortErrorKind};
use tokio::time::timeout;

use super::{S3Objects, size};
use crate::failure::{Access, failed};
use crate::settings::ATTEMPTS;

/// The status of a range that lies behind the end of an object.
const RANGE_NOT_SATISFIABLE: u16 = 416;

pub(super) async fn read(
    store: &S3Objects,
    key: &ObjectKey,
    range: Range<u64>,
) -> Result<Bytes, PortError> {
    if range.is_empty() {
        // Nothing is asked of an object that must be there all the same.
        return match export_ports::Objects::head(store, key).await? {
            Some(_) => Ok(Bytes::new()),
            None => Err(PortError::new(PortErrorKind::NotFound, doing(store, key))),
        };
    }
    let mut partial = Partial {
        bytes: BytesMut::new(),
        etag: None,
    };
    let mut attempt = 1;
    loop {
        let start = range.start + partial.bytes.len() as u64;
        let Some(answer) = get(store, key, start..range.end, partial.etag.clone()).await? else {
            return Ok(partial.bytes.freeze());
        };
        match collect(store, answer, &mut partial).await {
            Ok(Some(whole)) => return Ok(whole),
            Ok(None) => return Ok(partial.bytes.freeze()),
            Err(_) if attempt < ATTEMPTS => attempt += 1,
            Err(cause) => {
                let doing = doing(store, key);
                return Err(PortError::because(PortErrorKind::Unavailable, doing, cause));
            }
        }
    }
}

/// What came before an answer broke off.
struct Partial {
    bytes: BytesMut,
    etag: Option<String>,
}

fn doing(store: &S3Objects, key: &ObjectKey) -> String {
    format!("reading {}", store.place(key))
}

/// Asks for a range; none where the object ends before it.
async fn get(
    store: &S3Objects,
    key: &ObjectKey,
    range: Range<u64>,
    etag: Option<String>,
) -> Result<Option<GetObjectOutput>, PortError> {
    // Services count in signed 64-bit numbers.
    let range = match i64::try_from(range.end) {
        Ok(_) => format!("bytes={}-{}", range.start, range.end - 1),
        Err(_) => format!("bytes={}-", range.start),
    };
    let answer = store
        .bulk
        .get_object()
        .bucket(&store.bucket)
        .key(store.key(key))
        .range(range)
        .set_if_match(etag)
        .send()
        .await;
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) => {
            let status = error.raw_response().map(|raw| raw.status().as_u16());
            if status == Some(RANGE_NOT_SATISFIABLE) {
                return Ok(None);
            }
            Err(failed(Access::Read, doing(store, key), &error))
        }
    }
}

/// Takes the body of an answer. Gives it where it is the whole and came in one piece; adds it to
/// `partial` otherwise.
async fn collect(
    store: &S3Objects,
    mut answer: GetObjectOutput,
    partial: &mut Partial,
) -> Result<Option<Bytes>, String> {
    let length = usize::try_from(size(answer.content_length())).unwrap_or(0);
    partial.etag = answer.e_tag().map(str::to_owned);
    let patience = store.aws.bulk_limits().attempt;
    let mut missing = length;
    loop {
        let piece = timeout(patience, answer.body.next())
            .await
            .map_err(|_| "the service stopped sending".to_owned())?;
        match piece {
            Some(Ok(piece)) if piece.len() == length && partial.bytes.is_empty() => {
                return Ok(Some(piece));
            }
            Some(Ok(piece)) => {
                partial.bytes.reserve(missing);
                partial.bytes.extend_from_slice(&piece);
                missing = missing.saturating_sub(piece.len());
            }
            Some(Err(error)) => return Err(error.to_string()),
            None if missing > 0 => return Err(format!("{missing} bytes are missing")),
            None => return Ok(None),
        }
    }
}
