//! A ledger record's envelope, as far as mapping reads it.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::lenient::{Object, Text};

/// What of the envelope decides how the document is mapped.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    pub(super) id: String,
    pub(super) vendor: String,
    pub(super) stream: String,
    pub(super) format: String,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(default, rename = "_id")]
    id: Text,
    #[serde(default)]
    source: Object<Source>,
    #[serde(borrow)]
    content: Content<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Source {
    vendor: Text,
    stream: Text,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(default)]
    format: Text,
    #[serde(borrow)]
    raw: &'a RawValue,
}

/// The envelope and the document in it; what is wrong with a record that has none.
pub(super) fn read(record: &[u8]) -> Result<(Envelope, &str), (String, String)> {
    #[derive(Deserialize)]
    struct Id {
        #[serde(default, rename = "_id")]
        id: Text,
    }
    match serde_json::from_slice::<Record<'_>>(record) {
        Ok(read) => Ok((
            Envelope {
                id: read.id.0,
                vendor: read.source.0.vendor.0,
                stream: read.source.0.stream.0,
                format: read.content.format.0,
            },
            read.content.raw.get(),
        )),
        Err(error) => {
            let id = serde_json::from_slice::<Id>(record).map(|read| read.id.0);
            Err((id.unwrap_or_default(), error.to_string()))
        }
    }
}
